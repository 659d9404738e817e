"""What it costs a run of the Fashion-MNIST CNN that it can be watched, stopped and continued; and to be repeatable."""

from __future__ import annotations

import dataclasses
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

import torch

from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.parts import Run, missing_images, own_threads
from lorelab.tracking.memory import MemoryTracker
from lorelab.tracking.mlflow_tracker import MLflowTracker
from lorelab.training.fit import fit
from lorelab.training.progress import ProgressLine

ROUNDS = 5
OVERRIDES = ("experiment=fashion_mnist_cnn", "trainer.max_epochs=3")
OFTEN = 6.0
"""Seconds between checkpoints; the default is 60. Ten times as often, so that a short run shows what they cost."""


def run_with(run: Run, folder: Path, *, tracked: bool, every: float | None) -> Sample:
    own_threads(2)
    parts, progress = run.parts, ProgressLine("quiet")
    settings = dataclasses.replace(parts.settings, checkpoint_every_seconds=every)
    tracker = MLflowTracker(f"sqlite:///{folder}/mlflow.db", artifacts=f"{folder}/a") if tracked else MemoryTracker()
    kept = folder / "checkpoints" if every else None
    learner = run.learner()
    begun = perf_counter()
    fit(learner, parts.data, settings, tracker=tracker, start=run.start, progress=progress, checkpoints=kept)
    return {"whole run": perf_counter() - begun}


def strictly(run: Run, *, strict: bool, threads: int) -> Sample:
    own_threads(threads)
    settings = dataclasses.replace(run.parts.settings, reproducible="strict" if strict else "fast", threads=threads)
    learner, progress = run.learner(), ProgressLine("quiet")
    begun = perf_counter()
    try:
        fit(learner, run.parts.data, settings, tracker=MemoryTracker(), start=run.start, progress=progress)
    finally:
        torch.use_deterministic_algorithms(False)
    return {"whole run": perf_counter() - begun}


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """In one process, after a warm-up."""
    if reason := missing_images("FashionMNIST"):
        return [], [reason]
    with tempfile.TemporaryDirectory(prefix="lorelab-bench-") as name:
        run, folder = Run(OVERRIDES), Path(name)
        lasting: dict[str, Way] = {
            "no store, no checkpoints": partial(run_with, run, folder, tracked=False, every=None),
            "MLflow with heartbeat, no checkpoints": partial(run_with, run, folder, tracked=True, every=None),
            "MLflow with heartbeat, checkpoints every 60 s (the default)": partial(
                run_with, run, folder, tracked=True, every=60.0
            ),
            f"MLflow with heartbeat, checkpoints every {OFTEN:.0f} s": partial(
                run_with, run, folder, tracked=True, every=OFTEN
            ),
        }
        short = Run(("experiment=fashion_mnist_cnn", "trainer.max_epochs=1"))
        strict: dict[str, Way] = {
            "fast, 2 threads": partial(strictly, short, strict=False, threads=2),
            "fast, 1 thread": partial(strictly, short, strict=False, threads=1),
            "strict, 1 thread (its default)": partial(strictly, short, strict=True, threads=1),
            "strict, 2 threads": partial(strictly, short, strict=True, threads=2),
        }
        return [
            alternate("Fashion-MNIST CNN, 3 epochs", lasting, rounds, threads=2),
            alternate("Fashion-MNIST CNN, 1 epoch, reproducible=", strict, rounds),
        ], []
