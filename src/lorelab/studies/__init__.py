"""Studies: comparisons declared beforehand that end in verdicts. Knows no torch, no MLflow and no Hydra."""
