"""One epoch of an MNIST MLP (784-64-64-64-10, batch 64), training and validation, against ``peer``."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from pytorch_lightning import Callback

from benchmarks import peer
from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.bare import shared_batches, train_bare
from benchmarks.parts import Run, missing_images, own_threads
from lorelab.data.files import data_root
from lorelab.tracking.mlflow_tracker import MLflowTracker
from lorelab.tracking.protocol import Tracker
from lorelab.training.fit import fit
from lorelab.training.progress import ProgressLine

ROUNDS = 3
THREADS = 1
OVERRIDES = (
    "data=mnist",
    "model=mlp",
    "model.width=64",
    "model.depth=3",
    "loader.batch_size=64",
    "trainer.max_epochs=1",
)


class EpochClock(Callback):
    """Moments of the last epoch on both clocks; the same callback in Lorelab and in the peer."""

    def __init__(self) -> None:
        self.begun = self.validating = self.ended = (0.0, 0.0)

    def on_train_epoch_start(self, *_: Any) -> None:
        self.begun = now()

    def on_validation_start(self, *_: Any) -> None:
        self.validating = now()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.ended = now()

    def sample(self, *, processor: bool = True) -> Sample:
        """Processor time does not see the workers of a ``DataLoader``: leave it out where there are some."""
        wall = {
            "epoch with validation": self.ended[0] - self.begun[0],
            "its training part": self.validating[0] - self.begun[0],
        }
        return wall | ({"epoch with validation, processor time": self.ended[1] - self.begun[1]} if processor else {})


def now() -> tuple[float, float]:
    return perf_counter(), process_time()


def lorelab(run: Run, tracker: Tracker) -> Sample:
    clock = EpochClock()
    own_threads(THREADS)
    parts, progress = run.parts, ProgressLine("quiet")
    learner = run.learner()
    fit(learner, parts.data, parts.settings, tracker=tracker, start=run.start, callbacks=[clock], progress=progress)
    return clock.sample()


def bare(run: Run) -> Sample:
    """What no Trainer at all would take, for the training part."""
    own_threads(THREADS)
    batches = shared_batches(run)
    begun = perf_counter()
    train_bare(run, batches)
    return {"its training part": perf_counter() - begun}


def the_peer(workers: int, folder: str) -> Sample:
    clock = EpochClock()
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # as Lightning sets it on import
    with Path(os.devnull).open("w") as nowhere, contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        peer.train(str(data_root(None)), folder, workers=workers, callbacks=(clock,))
    return clock.sample(processor=workers == 0)


def loading_alone() -> Sample:
    """The peer's training ``DataLoader`` iterated once, with nothing done with the batches."""
    from torch.utils.data import DataLoader

    train_set, _, _ = peer.datasets(str(data_root(None)))
    begun = perf_counter()
    for _ in DataLoader(train_set, batch_size=64, shuffle=True):
        pass
    return {"its training part": perf_counter() - begun}


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """In one process, after a warm-up, so that neither side pays for lazy loading."""
    if reason := missing_images("MNIST"):
        return [], [reason]
    own_threads(THREADS)
    with tempfile.TemporaryDirectory(prefix="lorelab-bench-") as folder:
        tracker = MLflowTracker(f"sqlite:///{folder}/mlflow.db", artifacts=f"{folder}/artifacts")
        run = Run(OVERRIDES)
        lorelab(run, tracker)  # what a process loads lazily, it loads here
        ways: dict[str, Way] = {
            "Lorelab, tracker=mlflow": partial(lorelab, run, tracker),
            "bare loop on Lorelab's batches": partial(bare, run),
            "peer, workers 0": partial(the_peer, 0, folder),
            "peer, workers 2": partial(the_peer, 2, folder),
            "of which its DataLoader alone, workers 0": loading_alone,
        }
        return [alternate("MNIST MLP", ways, rounds, threads=THREADS, warm_up=False)], []
