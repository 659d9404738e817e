"""The short version of ``python -m benchmarks.calibration``: 400 studies a cell instead of 2,000.

Of hundreds of cells that are exact at 5 % some lie two standard errors above, hence three here."""

import numpy as np
import pytest

from benchmarks.calibration import (
    AUTO,
    CLAIMS,
    DIVERGING,
    LOOKS,
    Studies,
    judge,
    wrong,
    wrong_over_tasks,
    wrong_together,
)
from benchmarks.simulated import JUDGED, Shape, simulate
from lorelab.studies.bootstrap import bca
from lorelab.studies.differences import Differences
from lorelab.studies.location import student_t
from lorelab.studies.rules import ALPHA
from lorelab.studies.verdict import decide

STUDIES = 400
BAR = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / STUDIES)
SHAPES = JUDGED | {"diverging": DIVERGING}


@pytest.mark.parametrize("seeds", [5, 10, 20, AUTO])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_wrong_verdicts_stay_within_five_percent(shape: Shape, seeds: int | str) -> None:
    rng = np.random.default_rng(1)
    found = {f"{kind}: {what}": share for kind, what, share in wrong(shape, seeds, rng, STUDIES)}
    found["together"] = max(wrong_together(shape, seeds, rng, STUDIES))
    if shape is not DIVERGING:
        found["over three tasks"] = max(wrong_over_tasks(shape, seeds, rng, STUDIES))
    assert {name: share for name, share in found.items() if share > BAR} == {}


def test_looking_again_and_again_without_spending_would_not() -> None:
    values = simulate(JUDGED["normal"], np.random.default_rng(2), STUDIES, LOOKS[-1], 0.0).values
    looks = np.array([student_t(values[:, :n]).above(0.0) for n in LOOKS])
    assert np.mean((looks < ALPHA).any(axis=0)) > BAR


def test_a_bootstrap_at_five_seeds_would_not_either() -> None:
    values = simulate(JUDGED["skewed"], np.random.default_rng(3), STUDIES, 5, 0.0).values
    assert np.mean(bca(values, 0.9, np.random.default_rng(4), 499)[0] > 0) > BAR


@pytest.mark.parametrize("seeds", [5, 10])
def test_what_is_counted_here_is_what_decide_says(seeds: int) -> None:
    rng = np.random.default_rng(5)
    for claim in CLAIMS:
        studies = simulate(JUDGED["tied"], rng, 30, seeds, 0.7)
        counted = judge(claim, studies, seeds)
        for i, values in enumerate(studies.values):
            decision = decide(claim, Differences(values, float(studies.step[i]), (0, 0)), rng)
            said = decision.verdict == "supported", decision.verdict == "refuted"
            assert said == (counted.supported[i], counted.refuted[i])
    assert isinstance(studies, Studies)
