"""Statistics over seeds, against hand-computed numbers and SciPy."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from lorelab.errors import LorelabError
from lorelab.tracking.aggregate import compare
from lorelab.tracking.protocol import StoredRun


def run(
    score: float | None, seed: int = 0, status: str = "finished", *, monitor: str = "val/accuracy", mode: str = "max",
    metrics: dict[str, float] | None = None, seconds: float = 1.0, **params: str,
) -> StoredRun:  # fmt: skip
    tags = {"lorelab.monitor": monitor, "lorelab.mode": mode, "lorelab.task": "t"}
    values = dict(metrics or {}) | ({} if score is None else {"score": score})
    return StoredRun("id", "name", status, 0.0, seconds, {"seed": str(seed)} | params, values, tags)


def arm(lr: str, scores: Sequence[float]) -> list[StoredRun]:
    return [run(score, seed, lr=lr) for seed, score in enumerate(scores)]


def test_mean_spread_and_interval_of_a_hand_computed_group() -> None:
    # 1, 2, 3: mean 2, sd 1; t(0.975, 2) = 4.302653; half-width 4.302653 / sqrt(3) = 2.484138
    (group,) = compare(arm("0.1", [1.0, 2.0, 3.0]), ["lr"]).groups
    assert (group.n, group.mean, group.sd, group.best, group.worst) == (3, 2.0, 1.0, 3.0, 1.0)
    assert group.low == pytest.approx(2 - 2.484138, abs=1e-6)
    assert group.high == pytest.approx(2 + 2.484138, abs=1e-6)
    assert group.seeds == ("0", "1", "2")


def test_the_interval_is_scipys() -> None:
    scores = np.random.default_rng(0).normal(0.9, 0.02, size=9)
    (group,) = compare(arm("0.1", scores.tolist()), ["lr"]).groups
    low, high = stats.t.interval(0.95, df=8, loc=scores.mean(), scale=stats.sem(scores))
    assert (group.low, group.high) == pytest.approx((low, high), rel=1e-12)
    assert group.sd == pytest.approx(scores.std(ddof=1), rel=1e-12)


def test_the_interval_holds_the_true_mean_19_times_in_20() -> None:
    draws = np.random.default_rng(1).normal(size=(1000, 4))
    groups = compare([each for i, row in enumerate(draws) for each in arm(str(i), row.tolist())], ["lr"]).groups
    held = sum(group.low < 0 < group.high for group in groups)  # type: ignore[operator]
    assert 930 <= held <= 970


def test_one_run_has_a_mean_and_no_interval() -> None:
    (group,) = compare(arm("0.1", [0.5]), ["lr"]).groups
    assert (group.n, group.mean, group.sd, group.low, group.high) == (1, 0.5, None, None, None)


def test_runs_without_a_result_are_counted_by_how_they_ended_and_kept_out_of_the_mean() -> None:
    ends = ["finished", "diverged", "failed", "killed", "running", "pruned"]
    runs = [run(0.25, seed, status, lr="1") for seed, status in enumerate(ends)]
    runs += [run(None, 6, lr="1"), run(math.nan, 7, lr="1"), run(0.75, 8, lr="1")]
    (group,) = compare(runs, ["lr"]).groups
    assert (group.n, group.mean) == (2, 0.5)
    assert (group.diverged, group.failed, group.killed, group.unfinished, group.missing) == (1, 1, 1, 2, 2)
    assert group.total == 9


def test_a_group_that_only_diverged_is_shown_and_comes_last() -> None:
    runs = [*arm("bad", []), run(0.9, 0, "diverged", lr="bad"), run(0.1, 0, lr="good")]
    groups = compare(runs, ["lr"]).groups
    assert [group.values for group in groups] == [("good",), ("bad",)]
    assert (groups[1].n, groups[1].mean, groups[1].best, groups[1].diverged) == (0, None, None, 1)


def test_numbers_are_ordered_as_numbers_and_words_by_the_mean() -> None:
    numeric = [*arm("0.1", [1.0]), *arm("1e-3", [3.0]), *arm("10", [2.0])]
    assert [group.values[0] for group in compare(numeric, ["lr"]).groups] == ["1e-3", "0.1", "10"]
    words = [run(1.0, opt="sgd"), run(3.0, opt="adam"), run(2.0, opt="rmsprop")]
    assert [group.values[0] for group in compare(words, ["opt"]).groups] == ["adam", "rmsprop", "sgd"]


def test_where_less_is_better_best_and_order_turn_around() -> None:
    scores = {"a": [5.0, 6.0], "b": [1.0, 3.0]}
    runs = [
        run(score, i, monitor="val/rmse", mode="min", opt=opt) for opt in scores for i, score in enumerate(scores[opt])
    ]
    comparison = compare(runs, ["opt"])
    assert (comparison.mode, comparison.monitor) == ("min", "val/rmse")
    assert [(group.values[0], group.best, group.worst) for group in comparison.groups] == [("b", 1, 3), ("a", 5, 6)]


@pytest.mark.parametrize(
    ("metric", "monitor", "mode", "expected"),
    [
        ("test/accuracy", "val/accuracy", "max", "max"),
        ("test/rmse", "val/rmse", "min", "min"),
        ("test/loss", "val/accuracy", "max", "min"),
        ("test/calibration_error", "val/accuracy", "max", "min"),
        ("test/r2", "val/rmse", "min", "max"),
        ("seconds", "val/accuracy", "max", "min"),
    ],
)
def test_other_metrics_know_which_way_is_better(metric: str, monitor: str, mode: str, expected: str) -> None:
    runs = [run(0.5, monitor=monitor, mode=mode, metrics={metric: 0.25}, lr="1", seconds=0.25)]
    comparison = compare(runs, ["lr"], metric)
    assert comparison.mode == expected
    assert comparison.groups[0].mean == 0.25


def test_several_parameters_make_one_group_per_combination() -> None:
    runs = [run(0.5, seed, lr=lr, opt=opt) for lr in ("1", "2") for opt in ("a", "b") for seed in range(3)]
    groups = compare([*runs, run(0.5, lr="1")], ["opt", "lr"]).groups
    assert {group.values: group.n for group in groups} == {
        ("a", "1"): 3,
        ("a", "2"): 3,
        ("b", "1"): 3,
        ("b", "2"): 3,
        ("–", "1"): 1,
    }


def test_names_that_no_run_knows_are_answered_with_the_nearest() -> None:
    runs = [run(0.5, metrics={"test/accuracy": 1.0}, lr="1")]
    with pytest.raises(LorelabError, match=r"--by 'sed': no parameter or tag .* in 1 runs; did you mean 'seed'"):
        compare(runs, ["sed"])
    with pytest.raises(
        LorelabError, match=r"--metric 'test/acuracy': none of 1 runs has it; did you mean 'test/accuracy'"
    ):
        compare(runs, ["lr"], "test/acuracy")
    with pytest.raises(LorelabError, match="no runs to compare"):
        compare([], ["lr"])


def test_scores_of_different_kinds_are_not_compared() -> None:
    runs = [run(0.5, lr="1"), run(9.0, lr="1"), run(3.0, monitor="val/rmse", mode="min", lr="2")]
    with pytest.raises(LorelabError, match=r"val/accuracy \(max\) in 2 runs, val/rmse \(min\) in 1 runs.*narrow"):
        compare(runs, ["lr"])
