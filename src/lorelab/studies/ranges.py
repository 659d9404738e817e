"""How wide the range of good values of a key is, from runs at fixed values of it: one number per seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lorelab.errors import LorelabError
from lorelab.studies.differences import Floats
from lorelab.studies.spec import Grid
from lorelab.studies.table import Row


def width(values: ArrayLike, scores: ArrayLike, margin: float, mode: Literal["max", "min"]) -> float:
    """Decades of ``values`` over which the score is at most ``margin`` worse than the best of ``scores``.

    Between neighbours the score runs straight over the logarithm of the value; what lies apart is added up, so that one
    unlucky run in the middle does not cut the range in two. Beside a diverged run (NaN) nothing is good. 0 if no run
    has a score, or if the best is between two that diverged.
    """
    places, found = np.log10(np.asarray(values, float)), np.asarray(scores, float)
    signed = np.where(np.isfinite(found), found if mode == "max" else -found, -math.inf)
    if not np.isfinite(signed).any():
        return 0.0
    order = np.argsort(places)
    above = (signed - (signed.max() - margin))[order]
    return float(sum(_good(x, y) for x, y in zip(pairwise(places[order]), pairwise(above), strict=True)))


def widths(rows: Sequence[Row], task: str, arm: str, grid: Grid, margin: float, seeds: Sequence[int]) -> Floats:
    """(n,) of one arm on one task, in the order of ``seeds``, from validation scores.

    Raises:
        LorelabError: a run of the grid is missing or there twice, or its runs saw several versions of the data.
    """
    mine = [row for row in rows if (row.task, row.arm, row.role) == (task, arm, "grid") and row.seed in seeds]
    mine = [row for row in mine if row.params.get(grid.key) in grid.values]
    by_place = {(row.seed, row.params[grid.key]): row for row in mine}
    missing = [(seed, value) for seed in seeds for value in grid.values if (seed, value) not in by_place]
    prints = {row.fingerprint for row in mine}
    if missing or len(mine) != len(by_place) or len(prints) > 1:
        found = f"no run for seed, value {missing[:5]}" if missing else f"{len(mine)} runs of {len(prints)} data sets"
        raise LorelabError(
            f"{task}, arm '{arm}', grid of {grid.key}: found {found}; expected one run of the same data for each of "
            f"{list(seeds)} and {list(grid.values)}."
        )
    held = [[by_place[seed, value] for value in grid.values] for seed in seeds]
    return np.array([width(grid.values, [r.score for r in each], margin, each[0].score_mode) for each in held])


def _good(x: tuple[float, float], y: tuple[float, float]) -> float:
    """Length of the piece of [x₀, x₁] on which the line from y₀ to y₁ is at least 0."""
    low, high = sorted(y)
    if high < 0:
        return 0.0
    return (x[1] - x[0]) * (1.0 if low >= 0 else high / (high - low))
