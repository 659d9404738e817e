"""How a group of runs is best trained: as one, by workers, or one by one. Decided from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lorelab.training.progress import clock

RUN_SECONDS = 0.25
"""What a run costs beside its steps and evaluations, however it is trained (``benchmarks.sweep_overhead``)."""
START_SECONDS = 10.0
"""Until workers that were just started train: so long they import (two at a time on two cores)."""
_WORTH = 0.9
"""Another way than one by one must promise to take less than this part of its time."""


class Way(StrEnum):
    """Of training several runs."""

    PLAIN = "one by one"
    STACKED = "stacked"
    WORKERS = "by workers"


@dataclass(frozen=True)
class Measured:
    """Seconds, of runs that are alike."""

    steps: int
    """Optimiser steps of each run."""
    alone: float
    """One step of a run alone in this process."""
    worker: float
    """The same with the threads that a worker has; ``alone`` where there are no workers."""
    stacked: float | None
    """One step of a whole stack; None where they cannot be stacked."""
    beside: float
    """All of a run that is not a step: evaluations, opening and closing."""
    size: int = 1
    """Members of that stack."""


@dataclass(frozen=True)
class Choice:
    """What was chosen, and what each way was expected to take, in seconds."""

    way: Way
    expected: Mapping[Way, float]

    def __str__(self) -> str:
        expected = ", ".join(f"{way} {clock(seconds)}" for way, seconds in self.expected.items())
        return f"{self.way} (expected: {expected})"


def choose(measured: Measured, runs: int, workers: int) -> Choice:
    """How to train ``runs`` runs of one kind; ``workers``: how many processes there would be, 1 for none."""
    alone = measured.steps * measured.alone + measured.beside
    expected = {Way.PLAIN: runs * alone}
    if measured.stacked is not None and runs > 1:
        stacks = -(-runs // measured.size)
        expected[Way.STACKED] = stacks * measured.steps * measured.stacked + runs * measured.beside
    if workers > 1 and runs > 1:
        rounds = -(-runs // workers)
        expected[Way.WORKERS] = START_SECONDS + rounds * (measured.steps * measured.worker + measured.beside)
    best = min(expected, key=lambda way: expected[way])
    return Choice(best if expected[best] < _WORTH * expected[Way.PLAIN] else Way.PLAIN, expected)
