import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lorelab.errors import LorelabError
from lorelab.studies.differences import Differences, paired
from lorelab.studies.rules import Claim, Kind, Verdict
from lorelab.studies.verdict import decide, decide_exact, decide_overall

NOISE = np.random.default_rng(0).normal(0, 0.01, (3, 2, 12))
STATISTICAL = [Kind.SUPERIORITY, Kind.NON_INFERIORITY, Kind.EQUIVALENCE]


def generator() -> np.random.Generator:
    return np.random.default_rng(1)


def arms(ahead: float, task: int = 0, n: int = 12) -> Differences:
    return paired(0.8 + ahead + NOISE[task, 0, :n], 0.8 + NOISE[task, 1, :n], "max", worst=0.0)


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (0.1, ["supported", "supported", "refuted"]),
        (0.0, ["refuted", "supported", "supported"]),
        (-0.1, ["refuted", "refuted", "refuted"]),
        (0.02, ["inconclusive", "supported", "inconclusive"]),
    ],
)
def test_clear_differences_end_in_clear_verdicts(ahead: float, expected: list[str]) -> None:
    found = [decide(Claim(kind, 0.02), arms(ahead), generator()) for kind in STATISTICAL]
    assert [decision.verdict for decision in found] == expected
    assert [decision.more_seeds is None for decision in found] == [verdict != "inconclusive" for verdict in expected]


def test_the_decision_holds_the_numbers_that_decided_it() -> None:
    differences = arms(0.05)
    found = decide(Claim(Kind.SUPERIORITY, 0.02), differences, generator())
    scipys = stats.ttest_1samp(differences.values, 0.02)
    assert (found.n, found.statistic, found.interval.method, found.confidence) == (12, "mean", "Student's t", 0.95)
    assert found.estimate == pytest.approx(differences.values.mean())
    assert found.spread == pytest.approx(differences.values.std(ddof=1))
    ends = scipys.confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low, ends.high))
    assert found.p_supported == pytest.approx(scipys.pvalue)
    flips = stats.permutation_test(
        (differences.values - 0.02,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    assert found.sign_flip_supported == pytest.approx(2 * flips.pvalue)
    low, high = found.interval.low, found.interval.high
    assert f"95 % interval of the mean (Student's t), {low:.4g} to {high:.4g}, lies wholly above +0.02." in found.why
    assert {other.method for other in found.others} == {
        "BCa bootstrap", "studentised bootstrap", "sign flips", "median by order statistics"
    }  # fmt: skip


def test_another_generator_changes_the_bootstraps_shown_but_not_the_verdict() -> None:
    claim = Claim(Kind.NON_INFERIORITY, 0.01)
    once, again, other = (decide(claim, arms(0.0), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert once == again or repr(once) == repr(again)
    assert other.others != once.others
    assert (other.verdict, other.interval, other.p_supported) == (once.verdict, once.interval, once.p_supported)


def test_intervals_that_would_say_otherwise_are_named() -> None:
    values = np.array([0.1] * 9 + [3.0])
    found = decide(Claim(Kind.SUPERIORITY, 0.05), Differences(values, 0.0, (0, 0)), generator())
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "median by order statistics" in found.disagree
    assert "sign flips" not in found.disagree or found.sign_flip_supported < 0.05


def test_with_few_seeds_the_wider_interval_decides_and_t_is_shown() -> None:
    found = decide(Claim(Kind.EQUIVALENCE, 0.02), arms(0.0, n=5), generator())
    assert found.interval.method == "the wider of Student's t and sign flips"
    assert found.others[0].method == "Student's t"
    assert found.interval.low <= found.others[0].low


@pytest.mark.parametrize("factor", [1e-3, 1e4])
@pytest.mark.parametrize("n", [5, 12])
def test_the_unit_of_the_metric_changes_no_verdict(factor: float, n: int) -> None:
    for kind in STATISTICAL:
        once = decide(Claim(kind, 0.02), arms(0.03, n=n), generator())
        scaled = decide(Claim(kind, 0.02 * factor), arms(0.03, n=n).in_units_of(1 / factor), generator())
        assert (once.verdict, once.disagree, once.more_seeds) == (scaled.verdict, scaled.disagree, scaled.more_seeds)
        assert scaled.interval.low == pytest.approx(factor * once.interval.low)
        assert scaled.p_refuted == pytest.approx(once.p_refuted)


def test_two_arms_that_are_one_are_equivalent_and_neither_is_better() -> None:
    scores = 0.8 + NOISE[0, 0]
    same = paired(scores, scores, "max")
    assert decide(Claim(Kind.EQUIVALENCE, 0.01), same, generator()).verdict is Verdict.SUPPORTED
    assert decide(Claim(Kind.SUPERIORITY, 0.01), same, generator()).verdict is Verdict.REFUTED


def test_with_infinite_scores_ranks_decide_and_the_page_can_say_so() -> None:
    a, b = 1.0 + NOISE[0, 0], 1.1 + NOISE[0, 1]
    b[3], b[5], a[7] = math.nan, math.inf, math.nan
    found = decide(Claim(Kind.SUPERIORITY, 0.02), paired(a, b, "min"), generator())
    assert (found.statistic, found.interval.method, found.diverged) == ("median", "order statistics", (1, 2))
    # 11 of 12 differences above the margin: 2 P(Binomial(12, 1/2) <= 1) = 26/4096.
    assert found.p_supported == pytest.approx(26 / 4096)
    assert found.verdict is Verdict.SUPPORTED
    assert found.why.startswith("Diverged runs (3) have no worst value, so ranks decide. The 95 % interval")
    assert math.isnan(found.spread)


def test_a_diverged_run_with_a_worst_value_is_in_the_mean() -> None:
    a = 0.8 + NOISE[0, 0]
    a[0] = math.nan
    found = decide(Claim(Kind.NON_INFERIORITY, 0.02), paired(a, 0.8 + NOISE[0, 1], "max", worst=0.0), generator())
    assert found.estimate < -0.05
    assert (found.verdict, found.statistic, found.diverged) == (Verdict.INCONCLUSIVE, "mean", (1, 0))
    assert found.why.startswith("Diverged runs (1) count as the worst possible value. The 90 % interval of the mean")


def test_a_smaller_share_of_the_error_rate_widens_the_interval() -> None:
    claim = Claim(Kind.SUPERIORITY, 0.02)
    once, looked = (decide(claim, arms(0.03), generator(), share) for share in (1.0, 0.25))
    assert looked.confidence == pytest.approx(0.9875)
    assert looked.interval.low < once.interval.low
    assert looked.p_supported == once.p_supported


def over(
    *ahead: float, margins: tuple[float, ...] = (0.02, 0.02, 0.02)
) -> tuple[dict[str, Claim], dict[str, Differences]]:
    names = "abc"[: len(ahead)]
    claims = {name: Claim(Kind.SUPERIORITY, margin) for name, margin in zip(names, margins, strict=False)}
    return claims, {name: arms(x, task) for task, (name, x) in enumerate(zip(names, ahead, strict=True))}


def test_over_tasks_each_counts_the_same_in_its_own_margins() -> None:
    claims, differences = over(0.1, 0.05, 0.0, margins=(0.02, 0.01, 0.05))
    found = decide_overall(claims, differences, generator())
    in_margins = [differences[name].values.mean() / claims[name].margin for name in claims]
    assert found.estimate == pytest.approx(np.mean(in_margins))
    assert (found.verdict, found.tasks, found.n, found.margin) == (Verdict.SUPPORTED, 3, 12, 1.0)
    assert {other.method for other in found.others} >= {
        "stratified bootstrap",
        "interquartile mean, stratified bootstrap",
    }


def test_over_one_task_it_is_the_verdict_of_that_task() -> None:
    claims, differences = over(0.05)
    alone, overall = (
        decide(claims["a"], differences["a"], generator()),
        decide_overall(claims, differences, generator()),
    )
    assert (overall.verdict, overall.p_supported) == (alone.verdict, pytest.approx(alone.p_supported))
    assert overall.estimate == pytest.approx(alone.estimate / 0.02)


def test_over_tasks_one_infinite_score_lets_ranks_decide() -> None:
    claims, differences = over(0.1, 0.1, 0.1)
    lost = differences["b"].values.copy()
    lost[0] = -math.inf
    found = decide_overall(
        claims,
        differences | {"b": replace(differences["b"], values=lost, diverged=(1, 0), has_mean=False)},
        generator(),
    )
    assert (found.verdict, found.statistic) == (Verdict.SUPPORTED, "median over tasks, in margins")
    assert found.diverged == (1, 0)


def test_claims_of_two_kinds_have_no_common_verdict() -> None:
    claims, differences = over(0.1, 0.1)
    with pytest.raises(LorelabError, match="expected one kind and the same tasks"):
        decide_overall(claims | {"b": Claim(Kind.EQUIVALENCE, 0.1)}, differences, generator())
    with pytest.raises(LorelabError, match=r"scores for \['a'\]"):
        decide_overall(claims, {"a": differences["a"]}, generator())


def test_an_identity_holds_within_its_tolerances_or_does_not() -> None:
    tolerances = {"float32": 1e-5, "float64": 1e-12}
    found = decide_exact({"float32": np.array([1e-6, -5e-6]), "float64": np.zeros((2, 2))}, tolerances)
    assert (found.verdict, found.estimate, found.n) == (Verdict.SUPPORTED, pytest.approx(0.5), 2)
    assert found.by_dtype == {"float32": pytest.approx(0.5), "float64": 0.0}
    for bad in (1e-11, math.nan, math.inf):
        refuted = decide_exact({"float32": np.zeros(3), "float64": np.array([0.0, bad])}, tolerances)
        assert refuted.verdict is Verdict.REFUTED
        assert refuted.why.endswith("in float64.")
    bits = {"float32": 0.0, "float64": 0.0}
    assert decide_exact({"float32": np.zeros(3), "float64": np.zeros(3)}, bits).verdict is Verdict.SUPPORTED
    assert decide_exact({"float32": np.zeros(3), "float64": np.array([1e-300])}, bits).verdict is Verdict.REFUTED


def test_an_identity_has_no_verdict_by_statistics() -> None:
    with pytest.raises(LorelabError, match="Judge it with decide_exact"):
        decide(Claim(Kind.EXACT, 1.0), arms(0.0), generator())


def test_an_identity_is_tried_in_both_formats() -> None:
    with pytest.raises(LorelabError, match="both for float32 and float64, none empty"):
        decide_exact({"float32": np.zeros(3), "float64": np.array([])}, {"float32": 1e-5, "float64": 1e-12})
