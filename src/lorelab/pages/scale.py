"""Scales: from values to pixels, linear or logarithmic, with ticks at round values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST = 1e100
"""Values beyond it (on a log scale also below its inverse) are off every scale: a loss of 1e120 has diverged."""


@dataclass(frozen=True)
class Scale:
    """Maps ``low``..``high`` (finite, low < high; both above 0 if ``log``) onto pixels ``start``..``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Pixel of ``value``. What has no place (NaN, or 0 and below on a log scale) is put at ``low``.

        Values far outside are brought to ten lengths from the scale, because browsers draw no larger coordinates.
        """
        if math.isnan(value) or (self.log and value <= 0):
            return self.start
        low, high, here = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        share = min(max((here - low) / (high - low), -10.0), 11.0)
        return self.start + share * (self.end - self.start)

    def pinned(self, value: float) -> float:
        """Pixel of ``value``, or of the nearer end where it lies outside."""
        return self(min(max(value, self.low), self.high))

    def holds(self, value: float) -> bool:
        """Whether ``value`` has a place of its own on the scale."""
        return self.low <= value <= self.high

    def ticks(self, count: int) -> tuple[float, ...]:
        """At most about ``count`` round values from ``low`` to ``high``, rising.

        On a log scale whole decades where there are enough of them, else also their double and fivefold, and within
        less than half a decade the ticks of a linear scale.
        """
        if not self.log:
            return _linear_ticks(self.low, self.high, count)
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        decades = last - first + 1
        if decades >= 3:
            stride = math.ceil(decades / count)
            return tuple(float(f"1e{power}") for power in range(first, last + 1) if power % stride == 0)
        finer = [float(f"{digit}e{power}") for power in range(first - 1, last + 1) for digit in (1, 2, 5)]
        inside = tuple(tick for tick in finer if self.low <= tick <= self.high)
        return inside if len(inside) >= 2 else _linear_ticks(self.low, self.high, count)

    def minor_ticks(self) -> tuple[float, ...]:
        """Twofold to ninefold of each decade on a log scale of up to eight decades, to show that it is one."""
        if not self.log or self.high / self.low > 1e8:
            return ()
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)))
        every = [float(f"{digit}e{power}") for power in powers for digit in range(2, 10)]
        return tuple(tick for tick in every if self.low <= tick <= self.high)


def fit(
    values: Iterable[float],
    start: float,
    end: float,
    log: bool = False,
    low: float | None = None,
    high: float | None = None,
) -> Scale:
    """The scale that shows all ``values`` with a little room around them, except where ``low`` or ``high`` is set.

    Values that are not finite (or not above 0 on a log scale) have no say. One value stands in the middle; no value
    gives 0..1, or 0.1..1 on a log scale. No room is added across zero: what is
    never negative starts at 0 at the lowest.
    """
    usable = [v for v in values if (1 / LARGEST if log else -LARGEST) < v < LARGEST]
    bottom, top = _range(usable, log)
    if low is not None:
        bottom, top = low, max(top, low)
    if high is not None:
        bottom, top = (bottom if low is not None else min(bottom, high)), high
    if top - bottom <= max(1e-9 * max(abs(top), abs(bottom)), 1 / LARGEST if not log else 0.0):
        apart = math.sqrt(10) if log else 0.1 * abs(top) if abs(top) > 10 / LARGEST else 1.0
        wider = (bottom / apart, top * apart) if log else (bottom - apart, top + apart)
        bottom, top = bottom if low is not None else wider[0], top if high is not None else wider[1]
    return Scale(bottom, top, start, end, log)


def _range(usable: list[float], log: bool) -> tuple[float, float]:
    """Ends of the values with 4 % of room; of no values a range to look at."""
    if not usable:
        return (0.1, 1.0) if log else (0.0, 1.0)
    least, most = min(usable), max(usable)
    if log:
        room = (most / least) ** 0.04
        return least / room, most * room
    room = 0.04 * (most - least)
    return (least - room if least < 0 or least > room else 0.0), (most + room if most > 0 or -most > room else 0.0)


def _linear_ticks(low: float, high: float, count: int) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten, each the nearest float to its decimal form (0.3, not 0.1 + 0.2)."""
    raw = (high - low) / count
    power = math.floor(math.log10(raw))
    digit = next(digit for digit in (1, 2, 5, 10) if digit * 10.0**power >= raw * (1 - 1e-9))
    step = digit * 10.0**power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(float(f"{index * digit}e{power}") for index in range(first, last + 1))
