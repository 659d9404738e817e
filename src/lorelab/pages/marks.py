"""What a picture is made of: axes, lines, points, references, rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "good", "bad", "open"]
"""How something ended, as a colour that is never alone: a sign stands beside it (``SIGNS``)."""
SIGNS: dict[Tone, str] = {"plain": "", "good": "✓", "bad": "✗", "open": "?"}


@dataclass(frozen=True)
class Axis:
    """What one axis shows. Ends that are not set follow the values; what lies outside set ends is shown at the edge."""

    label: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    better: Literal["higher", "lower"] = "higher"
    """Which way is better: diverged points stand at the other end."""
    whole: bool = False
    """Only whole numbers are labelled: trials, epochs, seeds."""

    def __post_init__(self) -> None:
        if self.log and any(end is not None and end <= 0 for end in (self.low, self.high)):
            raise ValueError(f"axis {self.label!r}: ends of a log axis must be above 0, got {self.low} and {self.high}")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"axis {self.label!r}: low {self.low} is not below high {self.high}")


@dataclass(frozen=True)
class Line:
    """A curve through ``x``, ``y``; broken where ``y`` is not finite. With ``low`` and ``high``, all of the same
    length, an interval is shaded around it."""

    series: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    step: bool = False
    """Each value holds until the next ``x``, as the best value so far does."""
    scatter: bool = False
    """Its values stand as small dots that nothing joins: a cloud of points that need not say what they are."""

    def __post_init__(self) -> None:
        counts = [len(values) for values in (self.x, self.y, self.low, self.high)]
        if counts[2:] == [0, 0]:
            counts[2:] = []
        if len(set(counts)) > 1:
            raise ValueError(f"line {self.series!r}: x, y, low and high have {counts} values; expected one count")


@dataclass(frozen=True)
class Point:
    """One run or trial."""

    x: float
    y: float
    """Not finite: it diverged, and is shown as a cross in a lane of its own."""
    title: str = ""
    """Said on hovering, above its ``x`` and ``y``: run, seed, config, one to a line."""
    href: str = ""


@dataclass(frozen=True)
class Points:
    """Points of one series. A ``Line`` of the same series shares colour and legend."""

    series: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Rule:
    """A reference: a line across the picture at one value of ``axis``."""

    at: float
    label: str
    axis: Literal["x", "y"] = "x"
    tone: Tone = "plain"
    shade: Literal["", "above", "below"] = ""
    """Which side of it is shaded, e.g. all above a divergence edge."""


Mark = Line | Points | Rule


@dataclass(frozen=True)
class Interval:
    """One row of a forest plot: an estimate and its interval. An estimate that is not finite has diverged."""

    label: str
    estimate: float
    low: float
    high: float
    tone: Tone = "plain"
    title: str = ""
    href: str = ""
    overall: bool = False
    """Drawn as a diamond from ``low`` to ``high``, as a summary of the rows above is."""


@dataclass(frozen=True)
class Bar:
    """One horizontal bar from 0, e.g. an importance; ``low`` and ``high`` draw its interval."""

    label: str
    value: float
    title: str = ""
    low: float | None = None
    high: float | None = None


Row = Interval | Bar
