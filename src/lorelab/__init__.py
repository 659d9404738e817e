"""Lorelab puts the folk wisdom about training neural networks to the test."""

__version__ = "0.1.0"
