import math
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from lorelab.studies.differences import Differences
from lorelab.studies.multiplicity import holm, read_together
from lorelab.studies.rules import Claim, Kind, Verdict
from lorelab.studies.verdict import decide, decide_exact


@settings(deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.02, 0.5])), min_size=1, max_size=8))
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    with mock.patch("gc.collect"):  # statsmodels collects garbage at each call: a second, after all the imports
        expected = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(expected)


def test_families_are_corrected_apart_along_the_last_axis() -> None:
    assert holm([[0.01, 0.04, 0.03], [0.5, 0.9, 0.001]]) == pytest.approx(
        np.array([[0.03, 0.06, 0.06], [1.0, 1.0, 0.003]])
    )
    assert holm([]).tolist() == []


def borderline(shift: float = 0.0):
    values = np.array([0.6, -0.2, 0.9, 0.1, 0.5, 0.3, 0.8, -0.1, 0.4, 0.7]) + shift
    return decide(Claim(Kind.SUPERIORITY, 0.1), Differences(values, 0.0, (0, 0)), np.random.default_rng(0))


def test_a_verdict_that_does_not_stand_up_to_its_company_becomes_inconclusive() -> None:
    alone = borderline()
    assert (alone.verdict, math.isnan(alone.holm_supported)) == (Verdict.SUPPORTED, True)
    assert 0.0125 < alone.p_supported < 0.05
    (single,) = read_together([alone])
    assert (single.verdict, single.holm_supported, single.family) == (Verdict.SUPPORTED, alone.p_supported, 1)
    four = read_together([alone] * 4)
    assert [each.verdict for each in four] == [Verdict.INCONCLUSIVE] * 4
    assert four[0].holm_supported == pytest.approx(4 * alone.p_supported)
    assert "Alone it would be supported; among 4 claims read together (Holm) it is not decided" in four[0].why
    assert four[0].more_seeds > 0


def test_strong_claims_make_room_for_weaker_ones_and_identities_do_not_count() -> None:
    exact = decide_exact({"float32": np.zeros(2), "float64": np.zeros(2)}, {"float32": 1.0, "float64": 1.0})
    found = read_together([borderline(5.0), exact, borderline(0.02), borderline(5.0)])
    assert [each.verdict for each in found] == [Verdict.SUPPORTED] * 4
    assert found[2].holm_supported == found[2].p_supported
    assert (found[0].family, found[1]) == (3, exact)


def test_refuted_claims_take_nothing_from_supported_ones() -> None:
    found = read_together([borderline(), borderline(-5.0), borderline(-5.0)])
    assert found[1].verdict is found[2].verdict is Verdict.REFUTED
    assert found[0].holm_supported == pytest.approx(3 * found[0].p_supported)


def test_what_earlier_looks_spent_is_counted_too() -> None:
    (looked,) = read_together([replace(borderline(), share=0.25)])
    assert looked.holm_supported == pytest.approx(4 * looked.p_supported)
    assert looked.verdict is Verdict.INCONCLUSIVE
