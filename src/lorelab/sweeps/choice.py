"""How a group of runs is best trained: as one, by workers, or one by one. Decided from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lorelab.training.progress import clock

RUN_SECONDS = 0.25
"""What a run costs beside its steps and evaluations, however it is trained (``benchmarks.sweep_overhead``)."""
_WORTH = 0.9
"""Another way than one by one must promise to take less than this part of its time."""
AT_RISK_SECONDS = 900.0
"""A stack keeps no checkpoints to go on from when it is interrupted: one that would take longer is not chosen."""


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
    beside_stacked: float | None = None
    """The same of a member of a stack, some of whose evaluations are made at once; None: as ``beside``."""
    crowding: float = 1.0
    """Times as long as alone that all takes while every worker works."""
    start: float = 0.0
    """Until workers train."""


@dataclass(frozen=True)
class Choice:
    """What was chosen, and what each way was expected to take, in seconds."""

    way: Way
    expected: Mapping[Way, float]
    risky: bool = False
    """Whether one stack would have to go on for too long without a checkpoint."""

    def __str__(self) -> str:
        but = {Way.STACKED: " but too long without checkpoints"} if self.risky else {}
        expected = ", ".join(f"{way} {clock(seconds)}{but.get(way, '')}" for way, seconds in self.expected.items())
        return f"{self.way} (expected: {expected})"


def choose(measured: Measured, runs: int, workers: int) -> Choice:
    """How to train ``runs`` runs of one kind; ``workers``: how many processes there would be, 1 for none."""
    alone = measured.steps * measured.alone + measured.beside
    beside = measured.beside if measured.beside_stacked is None else measured.beside_stacked
    expected, stacks = {Way.PLAIN: runs * alone}, -(-runs // measured.size)
    if measured.stacked is not None and runs > 1:
        expected[Way.STACKED] = stacks * measured.steps * measured.stacked + runs * beside
    if workers > 1 and runs > 1:
        each = measured.crowding * (measured.steps * measured.worker + measured.beside)
        expected[Way.WORKERS] = measured.start + -(-runs // workers) * each
    risky = expected.get(Way.STACKED, 0.0) / stacks > AT_RISK_SECONDS
    best = min((way for way in expected if not (risky and way is Way.STACKED)), key=lambda way: expected[way])
    return Choice(best if expected[best] < _WORTH * expected[Way.PLAIN] else Way.PLAIN, expected, risky)
