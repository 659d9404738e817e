import dataclasses

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from worked_study import lost, result, row, rows, study

from lorelab.errors import LorelabError
from lorelab.studies.judge import from_dict, judge
from lorelab.studies.rules import Verdict
from lorelab.studies.table import Row


def table(ahead: float = 0.1, count: int = 10) -> list[Row]:
    """Differences on digits: ``ahead`` ± 0.01, on houses: 2 worse ± 1 (RMSE, so smaller is better)."""
    swing = [1.0, -1.0] * (count // 2)
    return [
        each
        for seed in range(count)
        for each in (
            row("digits", "a", seed, 0.8 + ahead + 0.01 * swing[seed]),
            row("digits", "b", seed, 0.8),
            row("houses", "a", seed, 52.0 + swing[seed]),
            row("houses", "b", seed, 50.0),
        )
    ]


def test_differences_are_paired_oriented_and_judged_task_by_task_by_hand() -> None:
    better, same = judge(study(seeds=10), table(), 10)
    digits, houses = better.by_task["digits"], better.by_task["houses"]
    assert digits.estimate == pytest.approx(0.1)
    assert houses.estimate == pytest.approx(-2.0), "A has the larger error"
    # ±0.01 ten times: standard deviation 0.01 √(10/9), standard error 0.01 / 3
    half = stats.t.ppf(0.975, 9) * 0.01 / 3
    assert (digits.interval.low, digits.interval.high) == pytest.approx((0.1 - half, 0.1 + half))
    assert (digits.verdict, digits.margin) == (Verdict.SUPPORTED, 0.02)
    assert (houses.verdict, houses.margin) == (Verdict.REFUTED, 2.0)
    assert better.overall.estimate == pytest.approx((0.1 / 0.02 - 2.0 / 2.0) / 2), "in margins, each task the same"
    assert same.by_task.keys() == {"digits"}
    assert same.by_task["digits"].estimate == pytest.approx(-0.1), "b is its A"
    assert same.by_task["digits"].margin == 0.05
    assert same.by_task["digits"].verdict is Verdict.REFUTED


def test_overall_verdicts_are_one_family_of_holm_and_those_of_tasks_another() -> None:
    found = judge(study(seeds=10), table(ahead=0.03), 10)
    families = [[each.overall for each in found], [one for each in found for one in each.by_task.values()]]
    for family in families:
        assert {decision.family for decision in family} == {len(family)}
        for side in ("supported", "refuted"):
            alone = [getattr(decision, f"p_{side}") for decision in family]
            holm = [getattr(decision, f"holm_{side}") for decision in family]
            assert holm == pytest.approx(multipletests(alone, method="holm")[1])


def test_a_look_may_spend_its_share_of_the_error_rate_and_sees_its_seeds_only() -> None:
    known = study(seeds={"min": 4, "max": 8, "block": 4})
    first, last = judge(known, table(), 4)[0], judge(known, table(count=8), 8)[0]
    assert (first.overall.share, last.overall.share) == (0.25, 0.75)  # (4/8)² and the rest
    assert (first.by_task["digits"].n, last.by_task["digits"].n) == (4, 8)
    assert judge(known, table(), 4)[0].by_task["digits"].estimate == first.by_task["digits"].estimate


def test_a_number_of_seeds_that_is_no_look_is_refused() -> None:
    with pytest.raises(LorelabError, match=r"a verdict at 3 seeds; expected one at \(10,\)"):
        judge(study(seeds=10), table(), 3)


def test_a_diverged_run_counts_as_the_worst_value_or_by_its_rank() -> None:
    runs = [each for each in table() if (each.arm, each.seed) != ("a", 0)]
    runs += [lost(task="digits", arm="a", seed=0), lost(task="houses", arm="a", seed=0)]
    better = judge(study(seeds=10), runs, 10)[0]
    digits, houses = better.by_task["digits"], better.by_task["houses"]
    assert digits.diverged == houses.diverged == (1, 0)
    by_hand = np.array([0.0 - 0.8, *(0.1 + 0.01 * (-1.0) ** seed for seed in range(1, 10))])
    assert digits.estimate == pytest.approx(by_hand.mean()), "worst: 0"
    assert houses.statistic == "median", "RMSE has no worst value"
    assert better.overall.diverged == (2, 0)


def test_the_verdict_does_not_depend_on_the_order_of_the_rows() -> None:
    shuffled = table()
    np.random.default_rng(0).shuffle(shuffled)  # type: ignore[arg-type]
    assert repr(judge(study(seeds=10), shuffled, 10)) == repr(judge(study(seeds=10), table(), 10))


def test_a_missing_run_is_an_error_not_a_smaller_n() -> None:
    with pytest.raises(LorelabError, match=r"houses, arm 'b': found no run for seeds \[9\]"):
        judge(study(seeds=10), table()[:-1], 10)


def test_plain_containers_give_the_verdicts_back() -> None:
    known, _, judged, frozen = result()
    assert repr(from_dict(known, frozen.claims)) == repr(judged)


def test_verdicts_on_other_claims_than_are_declared_are_refused() -> None:
    known, _, _, frozen = result()
    renamed = dataclasses.replace(known, claims=known.claims[:1])
    with pytest.raises(LorelabError, match="found verdicts on better, same; expected them on better,"):
        from_dict(renamed, frozen.claims)


def test_trials_play_no_part() -> None:
    without = [each for each in rows() if each.role == "final"]
    assert repr(judge(study(), rows(), 3)) == repr(judge(study(), without, 3))


def test_a_claim_against_a_baseline_compares_two_metrics_of_the_same_runs_by_hand() -> None:
    claim = {
        "name": "beats", "kind": "superiority", "a": "a", "against": "test/mean_rmse", "tasks": ["houses"], "says": "s",
    }  # fmt: skip
    known = study(seeds=4, claims=[claim])
    found = [
        row("houses", "a", seed, 50.0 + seed, metrics={"test/rmse": 50.0 + seed, "test/mean_rmse": 60.0 + 2 * seed})
        for seed in range(4)
    ]
    (beats,) = judge(known, found, 4)
    assert beats.overall.estimate == pytest.approx((10 + 11 + 12 + 13) / 4 / 2.0), "smaller is better; in margins"
    assert beats.to_plain()["b"] == "test/mean_rmse"
    with pytest.raises(LorelabError, match="measured no 'test/mean_rmse'"):
        judge(known, [row("houses", "a", seed, 50.0) for seed in range(4)], 4)


@pytest.mark.parametrize(("kind", "hidden"), [("equivalence", True), ("non-inferiority", True), ("superiority", False)])
def test_no_difference_on_average_does_not_hide_a_task_that_differs(kind: str, hidden: bool) -> None:
    ahead = 0.1 if kind == "superiority" else 0.0
    claim = {"name": "same", "kind": kind, "a": "a", "b": "b", "says": "s", "margins": {"digits": 0.02, "houses": 1.0}}
    away = {"superiority": -1.0, "equivalence": 1.5, "non-inferiority": 1.5}[kind]  # in margins of houses, A is worse
    found = [
        each
        for seed in range(10)
        for each in (
            row("digits", "a", seed, 0.8 + (0.025 if kind != "superiority" else ahead) + 0.001 * (-1) ** seed),
            row("digits", "b", seed, 0.8),
            row("houses", "a", seed, 50.0 + abs(away) + 0.01 * (-1) ** seed),
            row("houses", "b", seed, 50.0),
        )
    ]
    (same,) = judge(study(seeds=10, claims=[claim]), found, 10)
    assert same.by_task["houses"].verdict is Verdict.REFUTED
    assert same.overall.verdict is (Verdict.INCONCLUSIVE if hidden else Verdict.SUPPORTED)
    assert ("houses alone refutes it" in same.overall.why) is hidden
    both = ("digits", "houses")  # one is better and one worse, by more than the margin
    assert same.hidden == {"equivalence": both, "non-inferiority": both[1:], "superiority": ()}[kind]
