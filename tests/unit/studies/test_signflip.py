import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lorelab.studies.signflip import sign_flip, subset_means

few_integers = st.lists(st.integers(-4, 4), min_size=2, max_size=8)


@settings(deadline=None)
@given(few_integers, st.integers(-3, 3))
def test_p_is_the_share_of_all_sign_patterns_whose_sum_is_at_least_the_observed(values: list[int], at: int) -> None:
    shifted = [value - at for value in values]
    sums = [
        sum(s * v for s, v in zip(signs, shifted, strict=True))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    flips = sign_flip(np.array(values, float))
    assert flips.above(at) == pytest.approx(np.mean([total >= sum(shifted) for total in sums]))
    assert flips.below(at) == pytest.approx(np.mean([total <= sum(shifted) for total in sums]))


def test_it_is_scipys_permutation_test_of_one_sample() -> None:
    values = np.random.default_rng(0).normal(0.4, 1, 11)
    scipys = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    assert sign_flip(values).above(0.0) == pytest.approx(scipys.pvalue)


def test_the_interval_holds_the_thresholds_that_the_test_does_not_reject() -> None:
    values = np.random.default_rng(1).normal(size=9)
    flips = sign_flip(values)
    low, high = flips.interval(0.95)
    assert flips.above(low - 1e-6) <= 0.025 < flips.above(low + 1e-6)
    assert flips.below(high + 1e-6) <= 0.025 < flips.below(high - 1e-6)


def test_five_seeds_cannot_reach_95_percent_but_90() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert sign_flip(values).interval(0.95) == (-np.inf, np.inf)
    assert sign_flip(values).interval(0.9) == (1.0, 5.0)  # 15/16 in truth: the least p-value of a side is 1 in 32


def test_many_differences_are_sampled_near_the_exact_answer_and_equal_generators_give_equal_ones() -> None:
    values = np.random.default_rng(2).normal(0.3, 1, 17)
    exact = np.mean(
        [np.dot(1 - 2 * (np.arange(2**17) >> i & 1)[:, None], values[i : i + 1]) for i in range(17)], axis=0
    )
    p_value = np.mean(exact >= values.mean() - 1e-12)
    sampled = sign_flip(values, np.random.default_rng(3))
    assert sampled.above(0.0) == pytest.approx(p_value, abs=4 * np.sqrt(p_value / 2**16))
    assert np.array_equal(sampled.means, subset_means(values, np.random.default_rng(3)))
    assert sign_flip(values + 100, np.random.default_rng(3)).above(0.0) == pytest.approx(2**-16, rel=0.01)


def test_sampling_asks_for_a_generator() -> None:
    with pytest.raises(ValueError, match="17 differences: found no generator"):
        sign_flip(np.zeros(17))
