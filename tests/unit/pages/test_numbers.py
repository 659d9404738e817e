import math

import pytest

from lorelab.pages.numbers import interval, number, tick_labels


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (0.1 + 0.2, "0.3"),
        (0.00123456, "0.001235"),
        (-1.5, "−1.5"),
        (49310.2, "49,310"),
        (1234567.0, "1,234,567"),
        (123456789, "123,456,789"),
        (123456789.5, "1.235×10⁸"),
        (1.5e-7, "1.5×10⁻⁷"),
        (-2e-12, "−2×10⁻¹²"),
        (0.99999, "1"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "NaN"),
        (None, "–"),
    ],
)
def test_a_number_is_written_with_four_digits_and_no_noise(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_difference_carries_its_sign_and_zero_none() -> None:
    assert [number(value, signed=True) for value in (0.5, -0.5, 0.0, 3)] == ["+0.5", "−0.5", "0", "+3"]


def test_an_interval_is_written_to_two_digits_of_its_width() -> None:
    assert interval(0.0123, 0.0061, 0.0184, signed=True) == "+0.012 [+0.006, +0.018]"
    assert interval(49312.3, 49120.9, 49500.1) == "49,312 [49,121, 49,500]"
    assert interval(0.0123, -math.inf, 0.0184) == "0.0123 [−∞, 0.0184]"
    assert interval(0.5, 0.5, 0.5) == "0.5 [0.5, 0.5]"
    assert interval(-0.0001, -0.02, 0.02) == "0.000 [−0.020, 0.020]"


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ((0.0, 0.5, 1.0), ("0.0", "0.5", "1.0")),
        ((0.0, 20.0, 40.0), ("0", "20", "40")),
        ((-0.01, 0.0, 0.01), ("−0.01", "0.00", "0.01")),
        ((0.0, 50_000.0, 100_000.0), ("0", "50,000", "100,000")),
        ((0.0, 2e7, 4e7), ("0", "2×10⁷", "4×10⁷")),
        ((-1e-7, 0.0, 1e-7), ("−1×10⁻⁷", "0", "10⁻⁷")),
        ((1.0000001, 1.0000002), ("1.0000001", "1.0000002")),
        ((1e9 + 1, 1e9 + 2), ("1.000000001×10⁹", "1.000000002×10⁹")),
        ((3.0,), ("3",)),
        ((), ()),
    ],
)
def test_linear_ticks_have_the_decimals_of_their_step(ticks: tuple[float, ...], labels: tuple[str, ...]) -> None:
    assert tick_labels(ticks) == labels


def test_log_ticks_are_powers_throughout_or_not_at_all() -> None:
    assert tick_labels((1e-4, 1e-2, 1.0), log=True) == ("10⁻⁴", "10⁻²", "10⁰")
    assert tick_labels((0.01, 0.1, 1.0, 10.0), log=True) == ("0.01", "0.1", "1", "10")
    assert tick_labels((1e-4, 2e-4, 5e-4), log=True) == ("10⁻⁴", "2×10⁻⁴", "5×10⁻⁴")
