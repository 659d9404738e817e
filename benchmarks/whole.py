"""The whole process, from the command to its end: one epoch of the MNIST MLP with validation and test."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.alternate import Comparison, Sample, alternate
from benchmarks.epoch import OVERRIDES
from benchmarks.parts import missing_images, scratch_tracker
from lorelab.data.files import data_root
from lorelab.paths import ROOT

ROUNDS = 3
LORELAB = [sys.executable, "-m", "lorelab"]


def process(command: list[str]) -> Sample:
    """Wall time of a command run in the checkout, and the processor time of all its processes."""
    begun, used = perf_counter(), _used()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {"whole process": perf_counter() - begun, "whole process, processor time": _used() - used}


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """With PyTorch's default of threads, and MLflow's store there already after the warm-up."""
    if reason := missing_images("MNIST"):
        return [], [reason]
    with tempfile.TemporaryDirectory(prefix="lorelab-bench-") as name:
        folder = Path(name)
        peer = [sys.executable, "-m", "benchmarks.peer", str(data_root(None)), name]
        ours = [*LORELAB, "train", *OVERRIDES, "force=true", *scratch_tracker(folder)]
        process(ours)
        ways = {
            "lorelab train, tracker=mlflow": partial(process, ours),
            "peer, workers 0": partial(process, peer),
            "peer, workers 2": partial(process, [*peer, "--workers", "2"]),
        }
        return [alternate("MNIST MLP, one epoch", ways, rounds, warm_up=False)], []
