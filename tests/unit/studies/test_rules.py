import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorelab.errors import LorelabError
from lorelab.studies.location import mean_of, median_of
from lorelab.studies.rules import ALPHA, Claim, Kind, Verdict

STATISTICAL = [Kind.SUPERIORITY, Kind.NON_INFERIORITY, Kind.EQUIVALENCE]
S, R, N = Verdict.SUPPORTED, Verdict.REFUTED, Verdict.INCONCLUSIVE
kinds = st.sampled_from(STATISTICAL)
numbers = st.floats(-5, 5)


@pytest.mark.parametrize(
    ("low", "high", "superiority", "non_inferiority", "equivalence"),
    [
        (1.1, 2.0, S, S, R),
        (0.9, 2.0, N, S, N),
        (-0.9, 0.9, R, S, S),
        (-1.1, 0.9, R, N, N),
        (-2.0, -1.1, R, R, R),
        (-1.1, 1.1, N, N, N),
        (1.0, 2.0, N, S, N),  # the margin itself is not beyond it
        (-math.inf, 0.5, R, N, N),
    ],
)
def test_the_table_of_kinds(
    low: float, high: float, superiority: Verdict, non_inferiority: Verdict, equivalence: Verdict
) -> None:
    found = [Claim(kind, 1.0).verdict(low, high) for kind in STATISTICAL]
    assert found == [superiority, non_inferiority, equivalence]


def test_intervals_are_95_percent_for_superiority_and_90_for_the_others() -> None:
    assert [Claim(kind, 1.0).confidence() for kind in STATISTICAL] == pytest.approx([0.95, 0.9, 0.9])
    assert Claim(Kind.SUPERIORITY, 1.0).confidence(share=0.5) == pytest.approx(0.975)


@settings(deadline=None)
@given(kinds, st.floats(0.01, 3), numbers, numbers)
def test_no_interval_supports_and_refutes(kind: Kind, margin: float, a: float, b: float) -> None:
    supported, refuted = Claim(kind, margin).ruling(min(a, b), max(a, b))
    assert not (supported and refuted)


@settings(deadline=None)
@given(
    kinds,
    st.floats(0.01, 3),
    st.lists(st.integers(-6, 6), min_size=2, max_size=14),
    st.sampled_from([1.0, 0.5, 0.0625]),
)
def test_p_values_are_below_five_percent_of_the_share_when_the_interval_rules_so(
    kind: Kind, margin: float, values: list[int], share: float
) -> None:
    claim, values = Claim(kind, margin), np.array(values, float) / 2
    for where in (mean_of(values, 0.5), median_of(values)):
        supported, refuted = claim.ruling(*where.interval(claim.confidence(share)))
        p_supported, p_refuted = claim.p_values(where)
        limit = ALPHA * share * (1 + 1e-9)
        assert (p_supported <= limit, p_refuted <= limit) == (supported, refuted)


@settings(deadline=None)
@given(st.floats(0.01, 3), st.lists(st.integers(-6, 6), min_size=2, max_size=14))
def test_if_a_beats_b_then_b_does_not_beat_a(margin: float, values: list[int]) -> None:
    claim, differences = Claim(Kind.SUPERIORITY, margin), np.array(values, float)
    ahead = claim.verdict(*mean_of(differences).interval(0.95))
    behind = claim.verdict(*mean_of(-differences).interval(0.95))
    assert ahead is not S or behind is R


def test_two_one_sided_tests_decide_equivalence() -> None:
    values = np.array([0.1, -0.3, 0.2, 0.5, -0.1, 0.0, 0.3, -0.2, 0.4, 0.1])
    where = mean_of(values)
    p_supported, p_refuted = Claim(Kind.EQUIVALENCE, 0.3).p_values(where)
    assert p_supported == max(where.above(-0.3), where.below(0.3))
    assert p_refuted == min(where.above(0.3), where.below(-0.3))


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_a_margin_that_is_no_positive_number_is_refused(margin: float) -> None:
    with pytest.raises(LorelabError, match=r"Margin of a claim of superiority: found .*; expected a positive number"):
        Claim(Kind.SUPERIORITY, margin)
