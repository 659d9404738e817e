"""The winner's curse, measured: the best configurations once more, on seeds that chose nothing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lorelab.sweeps.proposals import Proposals
from lorelab.sweeps.space import Dimension, Value
from lorelab.sweeps.trials import Trial, best_first

FRESH = 100_000
"""Added to the sweep's seed for the first confirmation: no trial comes near."""
_PAIR = (
    Dimension("trial", "int", low=0, high=2**31, step=1),
    Dimension("seed", "int", low=-(2**40), high=2**40, step=1),
)


@dataclass(frozen=True)
class Confirmed:
    """One of the best configurations with what it scored when it was selected and on fresh seeds."""

    trial: int
    selected: float
    """Its value in the search, which chose it for being high (or low)."""
    scores: tuple[float, ...]
    """On the fresh seeds; infinite where it diverged."""
    mean: float
    sd: float | None
    """Sample standard deviation; None below two finite scores."""

    @property
    def curse(self) -> float:
        """How much better it looked than it is: selected − confirmed, positive if the search flattered a score that
        is better large."""
        return self.selected - self.mean


def pairs(
    trials: Sequence[Trial], begun: Sequence[Trial], direction: str, best: int, seeds: int, seed: int
) -> Proposals:
    """Which (trial, seed) to confirm: those begun already, in their order, then what the best trials still lack.

    One that is being begun, or whose process died while it was, has no parameters yet and is the next that is lacking.
    """
    wanted: list[Mapping[str, Value]] = [
        {"trial": trial.number, "seed": seed + FRESH + index}
        for trial in best_first(trials, direction)[:best]
        for index in range(seeds)
    ]
    there = [dict(each.params) if len(each.params) == len(_PAIR) else None for each in begun]
    left = [pair for pair in wanted if pair not in there]
    grid = [(left.pop(0) if left else wanted[0]) if pair is None else pair for pair in there]
    return Proposals(dimensions=_PAIR, grid=[*grid, *left])


def confirmed(
    trials: Sequence[Trial], confirmations: Sequence[Trial], direction: str, best: int, seeds: int
) -> list[Confirmed]:
    """The best configurations whose confirmations have all ended with a score, the best confirmed mean first."""
    found = []
    for trial in best_first(trials, direction)[:best]:
        mine = [each for each in confirmations if each.params.get("trial") == trial.number]
        scores = tuple(each.value for each in mine if each.value is not None)
        if len(scores) < seeds or trial.value is None:
            continue
        finite = [score for score in scores if math.isfinite(score)]
        mean = statistics.fmean(scores) if len(finite) == len(scores) else next(s for s in scores if s not in finite)
        sd = statistics.stdev(finite) if len(finite) > 1 else None
        found.append(Confirmed(trial.number, trial.value, scores, mean, sd))
    sign = -1.0 if direction == "maximize" else 1.0
    return sorted(found, key=lambda each: (sign * each.mean, each.trial))
