"""Sweeps: many runs from one command, as a grid or an Optuna search, that resume, prune and never lose a trial."""
