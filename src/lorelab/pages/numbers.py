"""How a number is written for a reader: few digits, thousands, a true minus sign, powers of ten as 10⁻⁴."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

NOTHING = "–"
"""Shown where there is no value."""
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 4, signed: bool = False) -> str:
    """``value`` to ``digits`` significant digits without trailing zeros: 0.001234, 49,310, 1.5×10⁻⁷, ∞, NaN.

    Integral values below 10⁷ are written in full. ``signed`` puts a plus before what is above zero.
    """
    if value is None:
        return NOTHING
    if isinstance(value, int) or (math.isfinite(value) and value == int(value) and abs(value) < 1e7):
        return _written(f"{value:,.0f}" if isinstance(value, float) else f"{value:,}", signed and value > 0)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -5 <= power < 7:
        text = _trimmed(f"{value:,.{max(digits - 1 - power, 0)}f}")
    else:
        text = f"{_trimmed(mantissa)}×{power_of_ten(power)}"
    return _written(text, signed and value > 0)


def interval(estimate: float, low: float, high: float, signed: bool = False) -> str:
    """``+0.012 [+0.004, +0.020]``: all three to the decimals that show two digits of the interval's width."""
    values = (estimate, low, high)
    if all(map(math.isfinite, values)) and high > low:
        decimals = max(1 - math.floor(math.log10(high - low)), 0)
        if decimals <= 6 and max(map(abs, values)) < 1e7:
            texts = [_written(f"{value:,.{decimals}f}", signed and value > 0) for value in values]
            return f"{texts[0]} [{texts[1]}, {texts[2]}]"
    texts = [number(value, 3, signed) for value in values]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def power_of_ten(power: int) -> str:
    """10⁻⁴ for -4."""
    return "10" + str(power).translate(_SUPERSCRIPTS)


def tick_labels(ticks: Sequence[float], log: bool = False) -> tuple[str, ...]:
    """Labels of one axis, alike among themselves: as many decimals as the step needs, or powers of ten throughout."""
    if not ticks:
        return ()
    largest = max(map(abs, ticks))
    if log:
        if min(ticks) >= 1e-3 and largest < 1e5:
            return tuple(number(tick, 6) for tick in ticks)
        return tuple(_power_label(tick) for tick in ticks)
    step = min((after - before for before, after in pairwise(ticks)), default=largest)
    decimals = max(-math.floor(math.log10(step) + 1e-9), 0) if step > 0 else 0
    if largest >= 1e7 or largest < 1e-4:
        digits = 6 if step <= 0 else min(math.ceil(math.log10(largest / step)) + 1, 16)
        return tuple(_power_label(tick, digits) for tick in ticks)
    return tuple(_written(f"{tick:,.{decimals}f}", False) for tick in ticks)


def _power_label(tick: float, digits: int = 6) -> str:
    if tick == 0:
        return "0"
    mantissa, exponent = f"{tick:.{digits}e}".split("e")
    short, power = _trimmed(mantissa), power_of_ten(int(exponent))
    return power if short == "1" else f"{short}×{power}".replace("-", "−")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _written(text: str, plus: bool) -> str:
    if text.startswith("-"):
        return "−" + text[1:] if any(digit in "123456789" for digit in text) else text[1:]
    return f"+{text}" if plus else text
