"""What a sweep knows of its trials: plain values."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from lorelab.sweeps.space import Value

Direction = Literal["maximize", "minimize"]


class TrialStatus(StrEnum):
    """How a trial ended, or that it has not."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    """Nobody works on it; the next start of the sweep goes on with it."""
    FINISHED = "finished"
    DIVERGED = "diverged"
    """A result: the worst possible value."""
    PRUNED = "pruned"
    FAILED = "failed"


ENDED = (TrialStatus.FINISHED, TrialStatus.DIVERGED, TrialStatus.PRUNED, TrialStatus.FAILED)


@dataclass(frozen=True)
class TrialRun:
    """One training run of a trial."""

    run_id: str
    name: str
    seed: int
    status: str
    score: float | None
    seconds: float
    steps: int
    location: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Final values, but for those of single classes."""
    mode: str = "max"
    """Which way the score is better: "max" or "min"."""
    spared: bool = False
    """Finished before the trial began, with the same signature, and not trained again."""


@dataclass(frozen=True)
class Trial:
    """One configuration proposed, and what became of it. Trial number = job number = folder."""

    number: int
    status: TrialStatus
    params: Mapping[str, Value]
    value: float | None = None
    """The score that the sampler was told; ± infinity if diverged; of a pruned trial the last it reported."""
    runs: Sequence[TrialRun] = ()
    seconds: float | None = None
    """From its first claim to its end, interruptions included."""
    ended: float | None = None
    """Seconds since the epoch."""
    error: str = ""
    attempts: int = 0
    """How often somebody began or went on with it."""

    @property
    def counts(self) -> bool:
        """Whether it has a value that may be compared with others."""
        return self.status is TrialStatus.FINISHED and self.value is not None


@dataclass(frozen=True)
class Outcome:
    """How a trial ended, for ``Search.tell``."""

    status: TrialStatus
    value: float | None = None
    error: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def value_of(scores: Sequence[float], how: str, direction: str) -> float:
    """The value of a trial from its scores over seeds: their "mean" or the "worst" of them."""
    if how == "mean":
        return statistics.fmean(scores)
    return min(scores) if direction == "maximize" else max(scores)


def best_first(trials: Sequence[Trial], direction: str) -> list[Trial]:
    """Finished trials, the best first; of equals the earlier."""
    sign = -1.0 if direction == "maximize" else 1.0
    return sorted((each for each in trials if each.counts), key=lambda each: (sign * (each.value or 0.0), each.number))
