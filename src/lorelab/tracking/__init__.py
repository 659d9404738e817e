"""Writing and reading runs. ``protocol`` is the seam; only the modules named ``mlflow_*`` import MLflow."""
