"""What the evaluation of an identity gives: deviations in both number formats, numbers beside them, curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lorelab.studies.differences import Floats


@dataclass(frozen=True)
class Trace:
    """One curve."""

    series: str
    x: Sequence[float]
    y: Sequence[float]
    """NaN where there is no value."""


@dataclass(frozen=True)
class Plot:
    """Curves over one axis."""

    title: str
    x: str
    """What the axis shows, in words with its unit."""
    y: str
    traces: Sequence[Trace]
    caption: str = ""
    log: Sequence[str] = ()
    """The axes that are logarithmic: "x", "y"."""


@dataclass(frozen=True)
class Evidence:
    """For and against an identity."""

    deviations: Mapping[str, Floats]
    """float64 and float32 → absolute deviations on random inputs, any shape."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What else a reader should know, by name; finite."""
    plots: Sequence[Plot] = ()


Evaluate = Callable[[int], Evidence]
"""An identity: evaluates itself on inputs drawn from a seed."""
