import itertools
import math
import re
from xml.etree.ElementTree import tostring

import numpy as np
import pytest
from worked_study import lost, result, row

from lorelab.studies.curves import Curve
from lorelab.studies.pictures import best_so_far, budget_curve, forest, learning, responses, scores_by_seed

STUDY, ROWS, JUDGED, _ = result()


def nowhere(run_id: str) -> str:
    return ""


def brute_force(scores: list[float], best) -> list[float]:
    """Mean over every resample with replacement, all equally likely, of the best of the first 1, 2, …"""
    samples = list(itertools.product(scores, repeat=len(scores)))
    return [float(np.mean([best(sample[:k]) for sample in samples])) for k in range(1, len(scores) + 1)]


@pytest.mark.parametrize(("mode", "best"), [("max", max), ("min", min)])
def test_best_so_far_is_the_mean_over_all_resamples(mode: str, best) -> None:
    scores = [0.2, 0.9, 0.5, 0.7, 0.1]
    draws = [best_so_far(scores, mode, np.random.default_rng(seed))[0] for seed in range(40)]
    expected = np.array(brute_force(scores, best))
    spread = np.std(draws, axis=0) / math.sqrt(len(draws))
    assert np.all(np.abs(np.mean(draws, axis=0) - expected) < 4 * spread + 1e-12)


def test_best_so_far_lies_between_its_quantiles_and_only_improves() -> None:
    for mode, sign in (("max", 1), ("min", -1)):
        mean, low, high = map(np.array, best_so_far([3.0, 1.0, 2.0, 7.0], mode, np.random.default_rng(0)))
        assert np.all(low <= mean)
        assert np.all(mean <= high)
        assert np.all(np.diff(sign * mean) >= 0)


def test_what_diverged_counts_as_the_worst_score_of_all() -> None:
    known, filled = [0.5, math.nan, 0.9, math.inf], [0.5, 0.5, 0.9, 0.5]
    assert best_so_far(known, "max", np.random.default_rng(0)) == best_so_far(filled, "max", np.random.default_rng(0))
    known, filled = [0.5, math.nan, 0.9], [0.5, 0.9, 0.9]
    assert best_so_far(known, "min", np.random.default_rng(0)) == best_so_far(filled, "min", np.random.default_rng(0))


def test_one_trial_is_its_own_best_and_nothing_alive_is_nothing() -> None:
    assert best_so_far([0.4], "max", np.random.default_rng(0)) == ([0.4], [0.4], [0.4])
    assert all(
        math.isnan(value) for part in best_so_far([math.nan] * 2, "max", np.random.default_rng(0)) for value in part
    )


def test_the_forest_shows_each_task_in_margins_and_the_whole_below() -> None:
    rows = forest(STUDY, JUDGED[0]).rows
    assert [one.label for one in rows] == ["digits", "houses", "over all tasks"]
    digits = JUDGED[0].by_task["digits"]
    assert rows[0].estimate == pytest.approx(digits.estimate / 0.02)  # type: ignore[union-attr]
    assert rows[-1].overall  # type: ignore[union-attr]


def test_every_run_is_a_point_that_says_its_seed_and_links_to_it() -> None:
    task = STUDY.tasks["digits"]
    table = [*ROWS, lost(arm="b", seed=3)]
    drawn = tostring(scores_by_seed(STUDY, task, table, lambda run_id: f"http://x/{run_id}").draw(), encoding="unicode")
    assert len(re.findall("<a ", drawn)) == 7
    assert 'href="http://x/digitsa2"' in drawn
    assert "run 2\nseed 2, optimizer.lr=0.01\n" in drawn
    assert "diverged" in drawn
    plain = tostring(scores_by_seed(STUDY, task, ROWS, nowhere).draw(), encoding="unicode")
    assert "<a " not in plain


def test_a_response_curve_is_drawn_for_each_key_that_is_a_number() -> None:
    rates = [
        row(role="tune", trial=t, value=0.5, params={"lr": 10.0**-t, "act": "relu", "width": 8 + t}) for t in range(3)
    ]
    charts = responses(STUDY, STUDY.tasks["digits"], rates, nowhere)
    assert [(chart.x.label, chart.x.log) for chart in charts] == [("lr", True), ("width", False)]
    assert charts[0].y.label == "val/accuracy"


def test_a_budget_curve_has_as_many_steps_as_trials() -> None:
    chart = budget_curve(STUDY, STUDY.tasks["digits"], ROWS)
    tuned, level = chart.marks
    assert list(tuned.x) == list(level.x) == [1.0, 2.0]  # type: ignore[union-attr]
    finals = [row.score for row in ROWS if (row.task, row.arm, row.role) == ("digits", "b", "final")]
    assert list(level.y) == pytest.approx([np.mean(finals)] * 2), "what is not tuned is a level"  # type: ignore[union-attr]
    assert chart == budget_curve(STUDY, STUDY.tasks["digits"], ROWS), "nothing in it depends on chance"


def test_learning_curves_are_of_the_arms_that_have_them() -> None:
    curves = [Curve("digits", "a", seed, "val/accuracy", [(1, 0.1 * seed), (2, 0.5)]) for seed in range(3)]
    chart = learning(STUDY, STUDY.tasks["digits"], ROWS, curves)
    assert [mark.series for mark in chart.marks] == ["Adam"]  # type: ignore[union-attr]
    assert chart.y.label == "val/accuracy"
