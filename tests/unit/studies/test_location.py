import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lorelab.studies.location import FEW, Location, mean_of, mean_over_tasks, median_of, student_t

values = st.lists(st.integers(-5, 5), min_size=2, max_size=14).map(lambda drawn: np.array(drawn, float))
confidences = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999])


def locations(values: np.ndarray) -> list[Location]:
    return [
        student_t(values, 1.0),
        mean_of(values, 1.0),
        median_of(values),
        mean_over_tasks([values, 2 * values], [1, 2]),
    ]


def test_t_is_scipys() -> None:
    values = np.random.default_rng(0).normal(0.5, 1, 12)
    scipys = stats.ttest_1samp(values, 0.1, alternative="greater")
    assert student_t(values).above(0.1) == pytest.approx(scipys.pvalue)
    ends = stats.ttest_1samp(values, 0.1).confidence_interval(0.9)
    assert student_t(values).interval(0.9) == pytest.approx((ends.low, ends.high))


@settings(deadline=None)
@given(values, confidences, st.integers(-12, 12).map(lambda k: k / 2 + 0.123))
def test_p_values_and_intervals_say_the_same(values: np.ndarray, confidence: float, threshold: float) -> None:
    for where in locations(values):
        low, high = where.interval(confidence)
        tail = (1 - confidence) / 2 * (1 + 1e-9)
        assert bool(low > threshold) == bool(where.above(threshold) <= tail)
        assert bool(high < threshold) == bool(where.below(threshold) <= tail)


@settings(deadline=None)
@given(values, confidences)
def test_exchanging_the_arms_mirrors_everything(values: np.ndarray, confidence: float) -> None:
    for where, mirrored in zip(locations(values), locations(-values), strict=True):
        low, high = where.interval(confidence)
        assert mirrored.interval(confidence) == pytest.approx((-high, -low))
        assert mirrored.above(0.7) == pytest.approx(where.below(-0.7))


def test_equal_values_leave_room_for_one_step_as_often_as_they_would_hide_it() -> None:
    # With a share q of values one step away, five in a row are equal with probability (1 - q)^5 = 2.5 % at q = 0.522.
    low, high = student_t(np.full(5, 0.3), step=0.01).interval(0.95)
    assert (low, high) == pytest.approx((0.3 - 0.01 * (1 - 0.025**0.2), 0.3 + 0.01 * (1 - 0.025**0.2)))
    assert student_t(np.zeros(5), step=0.0).interval(0.95) == (0.0, 0.0)


def test_below_ten_seeds_the_wider_interval_decides_and_t_from_then_on() -> None:
    values = np.array([1.0, 1.1, 1.2, 1.3, 4.0])
    t_low, t_high = student_t(values).interval(0.9)
    assert mean_of(values).interval(0.9) == (min(t_low, 1.0), max(t_high, 4.0))
    steady = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean_of(steady).interval(0.5)[0] == student_t(steady).interval(0.5)[0]
    ten = np.arange(FEW) ** 2.0
    assert mean_of(ten).interval(0.9) == student_t(ten).interval(0.9)


def test_order_statistics_bound_the_median_as_in_the_tables_of_the_sign_test() -> None:
    # n = 10: P(Binomial(10, 1/2) <= 1) = 11/1024 = 1.1 %, <= 2: 5.5 %; so the second least and second largest at 95 %.
    where = median_of(np.array([10.0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
    assert where.interval(0.95) == (2.0, 9.0)
    assert where.estimate == 5.5
    assert where.above(1.5) == pytest.approx(11 / 1024)
    assert where.above(1.0) == pytest.approx(11 / 1024), "a tie counts against"
    assert median_of(np.arange(5.0)).interval(0.95) == (-math.inf, math.inf)


def test_the_median_stands_infinite_differences() -> None:
    where = median_of(np.array([-math.inf, 1, 2, 3, 4, 5, 6, math.inf, math.inf, 9]))
    assert where.interval(0.95) == (1.0, math.inf)
    assert where.above(0.0) == pytest.approx(11 / 1024)
    assert math.isnan(median_of(np.array([-math.inf, math.inf])).estimate)


def test_over_tasks_it_is_welchs_interval_for_two() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(1, 1, 8), rng.normal(2, 3, 12)
    welch = stats.ttest_ind(a, -b, equal_var=False).confidence_interval(0.95)  # of mean(a) + mean(b)
    where = mean_over_tasks([a, b], [0, 0])
    assert where.estimate == pytest.approx((a.mean() + b.mean()) / 2)
    assert where.interval(0.95) == pytest.approx((welch.low / 2, welch.high / 2))


def test_tasks_without_any_spread_do_not_divide_by_zero() -> None:
    where = mean_over_tasks([np.zeros(5), np.zeros(5)], [0.1, 0.2])
    assert where.interval(0.95)[1] == pytest.approx(0.2 * (1 - 0.025**0.1))


def test_many_studies_at_once_are_each_as_alone() -> None:
    together = np.random.default_rng(2).integers(-2, 3, (6, 7)).astype(float)
    for make in (student_t, mean_of, median_of):
        low, high = make(together).interval(0.9)
        for i, alone in enumerate(together):
            assert make(alone).interval(0.9) == (low[i], high[i])
            assert make(alone).above(0.3) == make(together).above(0.3)[i]
