import math

import numpy as np
import pytest

from lorelab.errors import LorelabError
from lorelab.studies.differences import exceeds, paired, resolution


def test_differences_are_oriented_so_that_larger_is_better_for_the_first_arm() -> None:
    assert paired([0.9, 0.8], [0.7, 0.9], "max").values == pytest.approx([0.2, -0.1])
    assert paired([0.9, 0.8], [0.7, 0.9], "min").values == pytest.approx([-0.2, 0.1])


def test_a_diverged_run_gets_the_worst_possible_value_and_is_counted() -> None:
    found = paired([0.9, math.nan, 0.8], [0.7, 0.6, -math.inf], "max", worst=0.0)
    assert found.values == pytest.approx([0.2, -0.6, 0.8])
    assert found.diverged == (1, 1)
    assert found.has_mean


def test_without_a_worst_value_it_loses_by_infinitely_much_and_draws_with_another_diverged_run() -> None:
    found = paired([1.0, math.inf, math.nan, 2.0], [2.0, 3.0, math.inf, math.nan], "min")
    assert found.values.tolist() == [1.0, -math.inf, 0.0, math.inf]
    assert found.diverged == (2, 2)
    assert not found.has_mean


def test_where_both_arms_diverge_a_draw_is_a_rank_and_no_number_for_a_mean() -> None:
    found = paired([1.0, math.nan], [2.0, math.nan], "min")
    assert (found.values.tolist(), found.has_mean) == ([1.0, 0.0], False)
    assert paired([1.0, math.nan], [2.0, math.nan], "max", worst=0.0).has_mean


def test_the_step_is_the_smallest_gap_between_different_scores_whatever_rounding_does() -> None:
    assert paired([0.3, 0.1 + 0.2, 0.5], [0.1, 0.4, 0.4], "max").step == pytest.approx(0.1)
    assert resolution(np.array([0.5, 0.5])) == resolution(np.array([])) == 0.0


def test_a_difference_by_rounding_alone_exceeds_nothing() -> None:
    assert 0.97 - 0.95 > 0.02
    assert exceeds(np.array([0.97 - 0.95, 0.0201, math.inf, -math.inf]), 0.02).tolist() == [False, True, True, False]


@pytest.mark.parametrize(("a", "b"), [([1.0, 2.0], [1.0]), ([1.0], [1.0]), ([], [])])
def test_arms_without_two_common_seeds_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(
        LorelabError, match=rf"found {len(a)} scores of one arm and {len(b)} of the other; expected the"
    ):
        paired(a, b, "max")


def test_a_score_worse_than_the_worst_is_refused() -> None:
    with pytest.raises(LorelabError, match=r"found a score of -0.5, which is worse than the worst possible value 0 "):
        paired([-0.5, 0.1], [0.2, 0.3], "max", worst=0.0)
    with pytest.raises(LorelabError, match=r"found a score of 9, which is worse than the worst possible value 8 "):
        paired([9.0, 0.1], [0.2, 0.3], "min", worst=8.0)


def test_on_another_scale_the_step_scales_too() -> None:
    found = paired([0.9, 0.8], [0.7, 0.9], "max").in_units_of(0.1)
    assert found.values == pytest.approx([2.0, -1.0])
    assert found.step == pytest.approx(1.0)
