"""Data sources, splits, batches and augmentations."""
