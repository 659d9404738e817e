"""How a group of runs is best trained: as one, by workers, both, or one by one. Decided from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lorelab.training.progress import clock

RUN_SECONDS = 0.25
"""What a run costs beside its steps and evaluations, however it is trained (``benchmarks.sweep_overhead``)."""
_WORTH, _WORTH_STACKING = 0.9, 0.8
"""Another way than one by one must promise to take less than this part of its time. A stack that promises little is
bound by arithmetic and memory, which a few timed steps underrate: transformers with 0.89 took 1.4 times what was
expected of them one by one."""
AT_RISK_SECONDS = 900.0
"""A stack keeps no checkpoints to go on from when it is interrupted: one that would take longer is not chosen."""


class Way(StrEnum):
    """Of training several runs."""

    PLAIN = "one by one"
    STACKED = "stacked"
    WORKERS = "by workers"
    SPREAD = "stacked by workers"
    SHARED = "shared out among workers"


@dataclass(frozen=True)
class Measured:
    """Seconds, of runs that are alike."""

    steps: int
    """Optimiser steps of each run."""
    alone: float
    """One step of a run alone in this process."""
    worker: float
    """The same with the threads that a worker has, and waiting for those with whom it shares a GPU; ``alone`` where
    there are no workers."""
    stacked: float | None
    """One step of a whole stack; None where they cannot be stacked."""
    beside: float
    """All of a run that is not a step: evaluations, opening and closing."""
    size: int = 1
    """Members of that stack."""
    spread: float | None = None
    """One step of a stack that a worker trains, likewise; None where none is to."""
    spread_size: int = 1
    """Members of that one."""
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
    risky: frozenset[Way] = frozenset()
    """Those in which one stack would have to go on for too long without a checkpoint."""

    def __str__(self) -> str:
        but = dict.fromkeys(self.risky, " but too long without checkpoints")
        expected = ", ".join(f"{way} {clock(seconds)}{but.get(way, '')}" for way, seconds in self.expected.items())
        return f"{self.way} (expected: {expected})"


def share_out(choice: Choice, measured: Measured, runs: int, workers: int, kinds: float) -> Choice | None:
    """The choice to share out ``kinds`` times as many as the ``runs`` that ``choice`` is about, of several kinds and
    taken to be alike, among ``workers`` that train one kind after the other; None where this process would hardly take
    longer. A stack of a worker's is taken to cost as much as several of ``spread_size`` do."""
    here = min(choice.expected[way] for way in (Way.PLAIN, Way.STACKED) if way in choice.expected.keys() - choice.risky)
    there = measured.steps * measured.worker + measured.beside
    if measured.spread is not None:
        beside = measured.beside if measured.beside_stacked is None else measured.beside_stacked
        there = min(there, measured.steps * measured.spread / measured.spread_size + beside)
    shared = measured.start + measured.crowding * kinds * runs * there / workers
    if shared > _WORTH * kinds * here:
        return None
    expected: dict[Way, float] = {way: kinds * choice.expected[way] for way in choice.expected if way is not Way.SPREAD}
    return Choice(Way.SHARED, expected | {Way.SHARED: shared}, choice.risky)


def choose(measured: Measured, runs: int, workers: int) -> Choice:
    """How to train ``runs`` runs of one kind; ``workers``: how many processes there would be, 1 for none."""
    alone = measured.steps * measured.alone + measured.beside
    beside = measured.beside if measured.beside_stacked is None else measured.beside_stacked
    expected, stacked = {Way.PLAIN: runs * alone}, dict[Way, int]()
    if measured.stacked is not None and runs > 1:
        stacked[Way.STACKED] = -(-runs // measured.size)  # one after the other
        expected[Way.STACKED] = stacked[Way.STACKED] * measured.steps * measured.stacked + runs * beside
    if workers > 1 and runs > 1:
        each = measured.crowding * (measured.steps * measured.worker + measured.beside)
        expected[Way.WORKERS] = measured.start + -(-runs // workers) * each
    if measured.spread is not None and workers > 1 and runs > 2:
        rounds = -(-runs // (workers * measured.spread_size))
        each = measured.crowding * (rounds * measured.steps * measured.spread + -(-runs // workers) * beside)
        expected[Way.SPREAD] = measured.start + each
        stacked[Way.SPREAD] = rounds
    risky = {way for way, rounds in stacked.items() if expected[way] / rounds > AT_RISK_SECONDS}
    worth = {way: (_WORTH_STACKING if way in stacked else _WORTH) * expected[Way.PLAIN] for way in expected}
    best = [way for way in expected if way not in risky and expected[way] < worth[way]]
    return Choice(min(best, key=lambda way: expected[way], default=Way.PLAIN), expected, frozenset(risky))
