"""Hydra's override grammar as a search space: which keys vary, and between which values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from lorelab.errors import ConfigError, Problem

Value = str | int | float


@dataclass(frozen=True)
class Dimension:
    """One key that varies."""

    key: str
    """``optimizer.lr``, or a group: ``optimizer``."""
    kind: Literal["choice", "int", "float"]
    choices: tuple[str, ...] = ()
    """Of a choice, as Hydra writes them in an override."""
    low: float = 0.0
    high: float = 0.0
    """Largest value, itself included."""
    step: float | None = None
    """None: anything between ``low`` and ``high``."""
    log: bool = False
    condition: tuple[str, tuple[str, ...]] | None = None
    """Another key and the values of it that this one needs."""

    @property
    def finite(self) -> bool:
        """Whether a grid can go through it."""
        return self.kind == "choice" or self.step is not None

    def values(self) -> list[Value]:
        """All values of a finite dimension, in their order."""
        if self.kind == "choice":
            return list(self.choices)
        assert self.step is not None
        count = round((self.high - self.low) / self.step) + 1
        found = [self.low + index * self.step for index in range(count)]
        return [round(value) for value in found] if self.kind == "int" else list(found)

    def render(self, value: Value) -> str:
        """The override that sets ``value``."""
        return f"{self.key}={value}"

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, for the sweep's identity."""
        return {key: value for key, value in asdict(self).items() if value not in (None, ()) and value is not False}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Dimension:
        """Back from ``to_dict``, through JSON."""
        other = known.get("condition")
        condition = (str(other[0]), tuple(map(str, other[1]))) if other else None
        return cls(**{**known, "choices": tuple(known.get("choices", ())), "condition": condition})


def dimension(override: Override, condition: str | None = None) -> Dimension:
    """The dimension that a sweep override describes. ``condition``: ``OTHER=VALUE[,VALUE…]``.

    Raises:
        ConfigError: a shuffled sweep, a logarithmic one that reaches zero or is no interval.
    """
    other, _, values = (condition or "").partition("=")
    needs = (other.strip(), tuple(value.strip() for value in values.split(","))) if condition else None
    key, sweep = override.get_key_element(), override.value()
    log = "log" in getattr(sweep, "tags", ())
    if getattr(sweep, "shuffle", False):
        raise _refused(override, "shuffle(...)", "an order that is the same after a restart", "leave out shuffle")
    if log and not isinstance(sweep, IntervalSweep):
        raise _refused(override, "tag(log, ...) of single values", "tag(log, interval(low, high))", "leave out the tag")
    if isinstance(sweep, IntervalSweep):
        low, high = sweep.start, sweep.end
        assert low is not None and high is not None
        kind: Literal["int", "float"] = "int" if isinstance(low, int) and isinstance(high, int) else "float"
        if not low < high or (log and low <= 0):
            expected = "a start below the end" + (", both above 0 on a logarithmic scale" if log else "")
            raise _refused(override, f"interval from {low} to {high}", expected, "")
        return Dimension(key, kind, low=low, high=high, step=1 if kind == "int" and not log else None, log=log,
                         condition=needs)  # fmt: skip
    if isinstance(sweep, RangeSweep):
        numbers: list[Any] = list(override.sweep_iterator())
        if len(numbers) > 1 and all(isinstance(number, int | float) for number in numbers):
            low, high = min(numbers), max(numbers)
            kind = "int" if all(isinstance(number, int) for number in numbers) else "float"
            return Dimension(key, kind, low=low, high=high, step=abs(sweep.step), condition=needs)
    return Dimension(key, "choice", tuple(override.sweep_string_iterator()), condition=needs)


def draw(
    dimensions: Sequence[Dimension], fixed: Mapping[str, str], suggest: Callable[[Dimension], Value]
) -> dict[str, Value]:
    """One value for each dimension whose condition holds, those that others wait for first.

    ``fixed``: values of keys that do not vary, which conditions may name.
    """
    values: dict[str, Value] = {}
    waiting = list(dimensions)
    while waiting:
        open_keys = {each.key for each in waiting}
        ready = [each for each in waiting if each.condition is None or each.condition[0] not in open_keys]
        if not ready:  # they wait for each other
            break
        for each in ready:
            waiting.remove(each)
            if _holds(each.condition, {**fixed, **values}):
                values[each.key] = suggest(each)
    return values


def spread(dimensions: Sequence[Dimension], fixed: Mapping[str, str], count: int, seed: int) -> list[dict[str, Value]]:
    """``count`` draws that cover the space evenly, (log-)uniform over each dimension: a scrambled Halton sequence
    (scipy). More draws go on where fewer ended."""
    from scipy.stats import qmc

    points = qmc.Halton(len(dimensions), scramble=True, rng=np.random.default_rng(seed)).random(count)
    found = []
    for point in points:
        shares = dict(zip((each.key for each in dimensions), point, strict=True))
        found.append(draw(dimensions, fixed, lambda each, shares=shares: _at(each, shares[each.key])))  # type: ignore[misc]
    return found


def _at(each: Dimension, share: float) -> Value:
    """The value so far along a dimension; ``share`` in [0, 1)."""
    if each.finite:
        values = each.values()
        return values[int(share * len(values))]
    if each.log:
        low, high = np.log(each.low), np.log(each.high)
        found = float(np.exp(low + share * (high - low)))
        return min(round(found), round(each.high)) if each.kind == "int" else found
    return float(each.low + share * (each.high - each.low))


def grid(dimensions: Sequence[Dimension], fixed: Mapping[str, str]) -> list[dict[str, Value]]:
    """Every combination, the last key varying fastest, as Hydra's own sweeper numbers its jobs; a conditional key is
    there only where its condition holds.

    Raises:
        ConfigError: a dimension has no end of values.
    """
    endless = [each.key for each in dimensions if not each.finite]
    if endless:
        found = f"{', '.join(endless)}: an interval"
        advice = "choice(...) or range(start, stop, step); or a search, e.g. search=default"
        raise ConfigError([Problem("grid", found, "values that a grid can go through", advice)])
    kept: dict[str, dict[str, Value]] = {}
    for values in itertools.product(*(each.values() for each in dimensions)):
        whole = dict(zip((each.key for each in dimensions), values, strict=True))
        left = draw(dimensions, fixed, lambda each, whole=whole: whole[each.key])  # type: ignore[misc]
        kept.setdefault(repr(left), {key: left[key] for key in whole if key in left})
    return list(kept.values())


def _holds(condition: tuple[str, tuple[str, ...]] | None, values: Mapping[str, Value]) -> bool:
    return condition is None or str(values.get(condition[0])) in condition[1]


def _refused(override: Override, found: str, expected: str, advice: str) -> ConfigError:
    return ConfigError([Problem(f"override {override.input_line}", found, expected, advice)])
