"""The width of the range of good values, by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worked_study import plain, row

from lorelab.errors import LorelabError
from lorelab.studies.jobs import deciding
from lorelab.studies.judge import judge
from lorelab.studies.ranges import width, widths
from lorelab.studies.reading import parse
from lorelab.studies.spec import Grid

RATES = [0.001, 0.01, 0.1, 1.0]
NAN = math.nan
GRID = Grid("optimizer.lr", tuple(RATES))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.9, 0.9, 0.9, 0.9], 3.0),  # all equally good: the whole grid
        ([0.5, 0.9, 0.9, 0.5], 1.0 + 2 * 0.1 / 0.4),  # 0.1 below the best after a quarter of the way to 0.5, each side
        ([0.5, 0.9, NAN, NAN], 0.25),  # beside what diverged nothing is good
        ([NAN, 0.9, NAN, 0.9], 0.0),  # the best between two that diverged
        ([0.9, 0.0, 0.9, 0.9], 1.0 + 2 * 0.1 / 0.9),  # what lies apart is added up
        ([0.9, 0.85, 0.8, 0.7], 2.0),  # exactly at the margin still counts
        ([NAN, NAN, NAN, NAN], 0.0),
    ],
)
def test_widths_by_hand(scores, expected) -> None:
    assert width(RATES, scores, 0.1, "max") == pytest.approx(expected)
    assert width(RATES, [1 - score for score in scores], 0.1, "min") == pytest.approx(expected)


@given(
    st.lists(st.one_of(st.floats(0, 1), st.just(NAN)), min_size=4, max_size=4),
    st.floats(0.01, 0.3),
    st.floats(1.0, 2.0),
)
def test_it_lies_within_the_grid_and_grows_with_the_margin(scores, margin, more) -> None:
    found = width(RATES, scores, margin, "max")
    assert 0.0 <= found <= 3.0 + 1e-9
    assert width(RATES, scores, margin * more, "max") >= found - 1e-9
    assert width(RATES[::-1], scores[::-1], margin, "max") == pytest.approx(found)
    assert width(np.multiply(RATES, 7), scores, margin, "max") == pytest.approx(found)


def grid_rows(arm: str, scores: dict[int, list[float]], task: str = "digits"):
    return [
        row(task, arm, seed, value, role="grid", trial=index, params={"optimizer.lr": rate}, metrics={}, score=value)
        for seed, values in scores.items()
        for index, (rate, value) in enumerate(zip(RATES, values, strict=True))
    ]


def test_one_width_per_seed_in_the_order_of_the_seeds_of_grid_runs_alone() -> None:
    rows = grid_rows("a", {1: [0.9] * 4, 0: [0.5, 0.9, 0.9, 0.5]})
    rows += [row("digits", "a", seed, 0.1, params={"optimizer.lr": 0.01}) for seed in (0, 1)]
    np.testing.assert_allclose(widths(rows, "digits", "a", GRID, 0.1, [0, 1]), [1.5, 3.0])


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda rows: rows[:-1], r"no run for seed, value \[\(1, 1.0\)\]"),
        (lambda rows: [*rows, rows[0]], "9 runs of 1 data sets"),
        (lambda rows: [*rows[:-1], replace(rows[-1], fingerprint="x")], "8 runs of 2 data sets"),
    ],
)  # fmt: skip
def test_a_grid_that_is_not_whole_is_refused(spoil, found) -> None:
    rows = spoil(grid_rows("a", {0: [0.9] * 4, 1: [0.9] * 4}))
    with pytest.raises(LorelabError, match=rf"digits, arm 'a', grid of optimizer.lr: found {found}"):
        widths(rows, "digits", "a", GRID, 0.1, [0, 1])


def wider(**changes):
    claim = {"name": "wider", "kind": "superiority", "a": "a", "b": "b", "tasks": ["digits"], "says": "Wider.",
             "over": {"optimizer.lr": RATES}, "margin": 0.5} | changes  # fmt: skip
    return parse("worked", plain(seeds=3, claims=[claim]), "smoke", "worked.yaml")


def test_a_claim_about_the_range_is_judged_by_its_widths_and_its_own_margin() -> None:
    steady, narrow = {seed: [0.9] * 4 for seed in range(3)}, {seed: [0.5, 0.9, NAN, NAN] for seed in range(3)}
    rows = grid_rows("a", steady) + grid_rows("b", narrow)
    (judged,) = judge(wider(), rows, 3)
    decision = judged.by_task["digits"]
    # "Within" is the task's margin: 0.02 of the 0.4 between 0.01 and 0.001; the claim's is 0.5 decades.
    assert (decision.estimate, decision.margin, decision.verdict) == (pytest.approx(3 - 0.05), 0.5, "supported")
    assert judged.overall.estimate == pytest.approx((3 - 0.05) / 0.5)
    measure = judged.claim.measured(wider().tasks["digits"])
    assert measure.metric == "decades of optimizer.lr within 0.02 of the best"


def test_the_grid_is_trained_with_every_seed_on_the_claims_tasks_only_and_reads_no_test_data() -> None:
    jobs = deciding(wider(), {("digits", "a"): {"optimizer.lr": 0.05, "model.width": 8}}, [0, 1, 2])
    grids = [job for job in jobs if job.role == "grid"]
    assert {job.task for job in grids} == {"digits"}
    assert len(grids) == 2 * 4 * 3
    assert len({job.name for job in jobs}) == len(jobs) == 2 * 2 * 3 + 24
    first = grids[0]
    assert first.params == {"optimizer.lr": 0.001, "model.width": 8}  # the rest as tuned
    assert "trainer.test=false" in first.overrides
    assert [word for word in first.overrides if word.startswith("optimizer.lr")] == ["optimizer.lr=0.001"]
