"""Writing and reading runs. ``protocol`` is the seam; ``mlflow_store`` the one importer of MLflow."""
