import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from lorelab.studies.power import chance, detectable, more_seeds
from lorelab.studies.rules import Claim, Kind

SUPERIORITY, EQUIVALENCE = Claim(Kind.SUPERIORITY, 0.02), Claim(Kind.EQUIVALENCE, 0.02)


def test_the_chance_of_support_is_the_power_of_the_t_test() -> None:
    by_statsmodels = TTestPower().power(0.03 / 0.04, 10, 0.025, alternative="larger")
    assert chance(SUPERIORITY, 0.05, 0.04, 10)[0] == pytest.approx(by_statsmodels)
    assert chance(SUPERIORITY, -0.01, 0.04, 10)[1] == pytest.approx(by_statsmodels)
    assert chance(SUPERIORITY, 0.02, 0.04, 10) == pytest.approx((0.025, 0.025))


def test_equivalence_has_to_pass_both_tests() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.02, (4000, 12))
    half = 1.7959 * values.std(axis=1, ddof=1) / np.sqrt(12)  # t(0.95; 11)
    simulated = np.mean((values.mean(axis=1) + half < 0.02) & (values.mean(axis=1) - half > -0.02))
    assert chance(EQUIVALENCE, 0.0, 0.02, 12)[0] == pytest.approx(simulated, abs=0.02)
    assert chance(EQUIVALENCE, 0.02, 0.02, 12)[1] == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize("n", [2, 5, 20, 200])
@pytest.mark.parametrize("share", [1.0, 0.0625])
def test_a_detectable_effect_is_detected_four_times_in_five(n: int, share: float) -> None:
    distance = detectable(SUPERIORITY, 0.3, n, share)
    assert chance(SUPERIORITY, 0.02 + distance, 0.3, n, share)[0] == pytest.approx(0.8)
    margin = detectable(EQUIVALENCE, 0.3, n, share)
    assert chance(Claim(Kind.EQUIVALENCE, margin), 0.0, 0.3, n, share)[0] == pytest.approx(0.8)


def test_statsmodels_solves_for_the_same_effect() -> None:
    solved = TTestPower().solve_power(nobs=8, alpha=0.025, power=0.8, alternative="larger")
    assert detectable(SUPERIORITY, 1.0, 8) == pytest.approx(solved, rel=1e-4)


def test_more_seeds_follow_from_the_square_root_of_n() -> None:
    # One-sided p 0.05 is z = 1.645; wanted are 1.960 + 0.842 = 2.802: 10 (2.802 / 1.645)^2 = 29.01, 20 more.
    assert more_seeds(SUPERIORITY, 0.1, 1.0, 10) == 20
    assert more_seeds(SUPERIORITY, 1.0, 0.1, 10) == 20
    assert more_seeds(SUPERIORITY, 0.1, 1.0, 10, share=0.25) > 20
    assert more_seeds(SUPERIORITY, 0.0501, 1.0, 100) == 105
    assert more_seeds(SUPERIORITY, 1.0, 1.0, 10) is None
    assert more_seeds(SUPERIORITY, 0.9, 1.0, 10) is None


def test_the_advice_of_simulation_decides_most_of_the_time() -> None:
    rng, needed = np.random.default_rng(1), detectable(SUPERIORITY, 1.0, 30)
    # An effect that thirty seeds detect four times in five, seen without luck at ten: twenty more are advised.
    from scipy import stats

    p_value = 2 * stats.norm.sf(needed * np.sqrt(10))
    advised = more_seeds(SUPERIORITY, p_value, 1.0, 10)
    assert advised == pytest.approx(20, abs=3)
    values = rng.normal(0.02 + needed, 1.0, (2000, 10 + advised))
    t = (values.mean(axis=1) - 0.02) / values.std(axis=1, ddof=1) * np.sqrt(10 + advised)
    assert np.mean(stats.t.sf(t, 9 + advised) < 0.025) == pytest.approx(0.8, abs=0.06)
