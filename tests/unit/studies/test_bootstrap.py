import math

import numpy as np
import pytest
from scipy import stats

from lorelab.studies.bootstrap import bca, interquartile_mean, mean_of_means, stratified, studentised

VALUES = np.random.default_rng(0).normal(1.0, 2.0, 15)


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("method", [bca, studentised])
def test_equal_generators_give_equal_intervals_that_scale_and_mirror_with_the_values(method) -> None:
    low, high = method(VALUES, 0.9, generator())
    assert method(VALUES, 0.9, generator()) == (low, high)
    assert method(3 * VALUES, 0.9, generator()) == pytest.approx((3 * low, 3 * high))
    assert method(-VALUES, 0.9, generator()) == pytest.approx((-high, -low), rel=0.02)
    assert method(VALUES + 5, 0.9, generator()) == pytest.approx((low + 5, high + 5))


@pytest.mark.parametrize("method", [bca, studentised])
def test_with_many_values_it_is_the_t_interval(method) -> None:
    values = np.random.default_rng(1).normal(size=400)
    t = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert method(values, 0.9, generator()) == pytest.approx((t.low, t.high), abs=0.01)


@pytest.mark.parametrize("method", [bca, studentised])
def test_equal_values_are_an_interval_of_one_point(method) -> None:
    assert method(np.full(6, 0.25), 0.9, generator()) == (0.25, 0.25)


def test_studentised_by_hand() -> None:
    # Of (0, 1) the four resamples are (0, 0), (1, 1): t = -inf, inf; (0, 1), (1, 0): t = 0. Nothing is excluded.
    assert studentised(np.array([0.0, 1.0]), 0.9, generator()) == (-math.inf, math.inf)


def test_where_resamples_have_no_spread_an_end_is_open() -> None:
    # Four of five equal: a third of the resamples has no spread.
    low, high = studentised(np.array([0.0, 0.0, 0.0, 0.0, 1.0]), 0.9, generator())
    assert high == math.inf
    assert 0 < 0.2 - low < 1


def test_the_interquartile_mean_is_that_of_the_middle_half_of_all_tasks() -> None:
    strata = [np.array([0.0, 1.0, 2.0, 3.0]), np.array([100.0, 4.0, 5.0, -50.0])]
    assert interquartile_mean(strata) == pytest.approx((1 + 2 + 3 + 4) / 4)


def test_seeds_are_resampled_within_their_task() -> None:
    # Constant tasks leave nothing to resample, however far they lie apart.
    assert stratified([np.full(5, 1.0), np.full(5, 9.0)], mean_of_means, 0.9, generator()) == (5.0, 5.0)
    one = stratified([VALUES, np.zeros(3)], mean_of_means, 0.9, generator())
    assert one == stratified([VALUES, np.zeros(3)], mean_of_means, 0.9, generator())
    percentile = stats.bootstrap((VALUES,), np.mean, method="percentile", confidence_level=0.9, rng=generator())
    assert one == pytest.approx(np.array(percentile.confidence_interval) / 2, abs=0.03)
