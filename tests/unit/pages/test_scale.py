import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorelab.pages.scale import Scale, fit


def test_a_linear_scale_maps_its_ends_and_its_middle() -> None:
    scale = Scale(0.0, 10.0, 100.0, 300.0)
    assert [scale(value) for value in (0.0, 5.0, 10.0, 12.5)] == [100.0, 200.0, 300.0, 350.0]


def test_a_scale_may_run_upwards_as_y_axes_do() -> None:
    assert [Scale(0.0, 4.0, 200.0, 0.0)(value) for value in (0.0, 1.0, 4.0)] == [200.0, 150.0, 0.0]


def test_a_log_scale_gives_each_decade_the_same_room() -> None:
    scale = Scale(1e-4, 1.0, 0.0, 400.0, log=True)
    assert [scale(value) for value in (1e-4, 1e-3, 1e-2, 0.1, 1.0)] == pytest.approx([0, 100, 200, 300, 400])


def test_what_has_no_place_is_put_at_the_lower_end() -> None:
    scale = Scale(0.1, 10.0, 50.0, 150.0, log=True)
    assert [scale.pinned(value) for value in (math.nan, 0.0, -3.0, -math.inf)] == [50.0] * 4
    assert not any(scale.holds(value) for value in (math.nan, 0.0, -3.0, math.inf))
    assert scale.pinned(math.inf) == 150.0


def test_coordinates_stay_small_however_far_a_value_lies() -> None:
    assert Scale(0.0, 1.0, 0.0, 100.0)(1e300) == 1100.0
    assert Scale(0.0, 1.0, 0.0, 100.0)(-math.inf) == -1000.0


@pytest.mark.parametrize(
    ("low", "high", "count", "ticks"),
    [
        (0.0, 1.0, 5, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (0.0, 0.4, 4, (0.0, 0.1, 0.2, 0.3, 0.4)),
        (-3.0, 7.0, 5, (-2.0, 0.0, 2.0, 4.0, 6.0)),
        (0.0, 97.0, 6, (0.0, 20.0, 40.0, 60.0, 80.0)),
        (1000.0, 1003.0, 3, (1000.0, 1001.0, 1002.0, 1003.0)),
    ],
)
def test_linear_ticks_are_round_and_free_of_noise(low: float, high: float, count: int, ticks: tuple) -> None:
    assert Scale(low, high, 0.0, 1.0).ticks(count) == ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (8e-6, 3.0, (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)),
        (1e-12, 1.0, (1e-12, 1e-9, 1e-6, 1e-3, 1.0)),
        (0.008, 0.3, (0.01, 0.02, 0.05, 0.1, 0.2)),
        (1.0, 1.3, (1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3)),
    ],
)
def test_log_ticks_are_decades_then_finer(low: float, high: float, ticks: tuple) -> None:
    assert Scale(low, high, 0.0, 1.0, log=True).ticks(6) == ticks


def test_minor_ticks_show_that_a_scale_is_logarithmic() -> None:
    assert Scale(0.5, 30.0, 0.0, 1.0, log=True).minor_ticks() == (
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        *map(float, range(2, 10)),
        20,
        30,
    )
    assert Scale(0.5, 30.0, 0.0, 1.0).minor_ticks() == ()


def test_a_fit_leaves_room_but_none_across_zero() -> None:
    scale = fit([0.0, 50.0, 100.0], 0.0, 1.0)
    assert (scale.low, scale.high) == (0.0, 104.0)
    scale = fit([50.0, 100.0], 0.0, 1.0)
    assert (scale.low, scale.high) == (48.0, 102.0)
    scale = fit([-100.0, -1.0], 0.0, 1.0)
    assert (scale.low, scale.high) == pytest.approx((-103.96, 0.0))


def test_values_that_are_not_finite_have_no_say_in_a_fit() -> None:
    assert fit([50.0, math.nan, math.inf, -math.inf, 1e200, 100.0], 0.0, 1.0) == fit([50.0, 100.0], 0.0, 1.0)
    assert fit([0.0, -1.0, 1e-3, 1e-1], 0.0, 1.0, log=True) == fit([1e-3, 1e-1], 0.0, 1.0, log=True)


def test_one_value_stands_in_the_middle() -> None:
    assert fit([5.0, 5.0], 0.0, 100.0)(5.0) == pytest.approx(50.0)
    assert fit([0.0], 0.0, 100.0)(0.0) == pytest.approx(50.0)
    scale = fit([1e-3], 0.0, 100.0, log=True)
    assert scale(1e-3) == pytest.approx(50.0)
    assert scale.ticks(6) == (5e-4, 1e-3, 2e-3)


def test_no_value_gives_a_scale_all_the_same() -> None:
    assert (fit([], 0.0, 1.0).low, fit([math.nan], 0.0, 1.0).high) == (0.0, 1.0)
    assert fit([-1.0], 0.0, 1.0, log=True).ticks(6) == (0.1, 0.2, 0.5, 1.0)


def test_ends_that_are_set_stay_whatever_the_values_are() -> None:
    scale = fit([0.1, 900.0], 0.0, 1.0, low=0.0, high=2.0)
    assert (scale.low, scale.high) == (0.0, 2.0)
    scale = fit([0.1, 0.2], 0.0, 1.0, low=0.5)
    assert scale.low == 0.5 < scale.high
    scale = fit([5.0], 0.0, 1.0, high=2.0)
    assert scale.low < 2.0 == scale.high


@given(st.lists(st.floats(), max_size=6), st.booleans())
def test_any_values_give_a_usable_scale(values: list[float], log: bool) -> None:
    scale = fit(values, 10.0, 90.0, log)
    assert scale.low < scale.high
    ticks = scale.ticks(6)
    assert 1 <= len(ticks) <= 14
    assert list(ticks) == sorted(set(ticks))
    assert all(10.0 - 1e-3 <= scale(tick) <= 90.0 + 1e-3 for tick in ticks)
    assert all(10.0 <= scale.pinned(value) <= 90.0 for value in values)
