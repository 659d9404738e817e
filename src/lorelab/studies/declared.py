"""Parts of a declaration beside arms, tasks and comparisons: identities, other measures, grids, pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lorelab.studies.spec import Grid, Identity, Measure, Picture

TOLERANCES = ("float64", "float32")
Wrong = Callable[[str, object, str], None]
"""Told of what is wrong: key below the part, what was found, what was expected."""


def identity(name: str, node: Mapping[str, Any], wrong: Wrong) -> Identity:
    """A claim of kind exact."""
    function, says = str(node.get("identity", "")), str(node.get("says", "")).strip()
    if "." not in function:
        wrong("identity", function or None, "a dotted path, e.g. lorelab.identities.softmax_offset")
    if not says:
        wrong("says", None, "the sentence that is put to the test")
    given = node.get("tolerances")
    found = {key: _number(value) for key, value in given.items()} if isinstance(given, Mapping) else {}
    if set(found) != set(TOLERANCES) or not all(math.isfinite(value) and value > 0 for value in found.values()):
        wrong("tolerances", given, "a number above 0 for each of " + " and ".join(TOLERANCES))
        found = dict.fromkeys(TOLERANCES, 1.0)
    return Identity(name, says, function, {key: found[key] for key in TOLERANCES})


def measure(node: Mapping[str, Any], wrong: Wrong) -> Measure | None:
    """What a claim compares in place of the tasks' metrics; None if that."""
    if not set(node) & {"metric", "mode", "worst"}:
        return None
    metric, mode, worst = str(node.get("metric", "")), node.get("mode"), node.get("worst")
    if not metric.startswith("test/"):
        wrong("metric", metric or None, "a metric of the test split, e.g. test/calibration_error")
    if mode not in ("max", "min"):
        wrong("mode", mode, "max or min: which way the metric is better")
    if worst is not None and not math.isfinite(_number(worst)):
        wrong("worst", worst, "a score, or null")
    if node.get("margin") is None:
        wrong("margin", None, "the smallest difference that would matter, of a claim with a metric of its own")
    return Measure(metric, "min" if mode == "min" else "max", None if worst is None else _number(worst))


def grid(node: Any, scaled: Callable[[str, Any], Any], wrong: Wrong) -> Grid | None:
    """``over: {KEY: [VALUE, ...]}``, the values for all scales or by scale; None if there is none."""
    if node is None:
        return None
    if not isinstance(node, Mapping) or len(node) != 1:
        wrong("over", node, "one key with its values: {optimizer.lr: [0.001, 0.01, 0.1]}")
        return None
    ((key, given),) = node.items()
    values = scaled(f"over.{key}", given)
    found = tuple(_number(value) for value in values) if isinstance(values, list) else ()
    rising = all(before < after for before, after in zip((0.0, *found), found, strict=False))
    if len(found) < 3 or not rising or not all(map(math.isfinite, found)):
        wrong(f"over.{key}", values, "three values or more, above 0 and ascending")
        return None
    return Grid(str(key), found)


def picture(node: Mapping[str, Any], tasks: Iterable[str], wrong: Wrong) -> Picture:
    """A metric against what sets some tasks apart."""
    for key in ("title", "metric", "x"):
        if not str(node.get(key, "")).strip():
            wrong(key, None, {"metric": "one that the runs measured"}.get(key, "words"))
    given = node.get("tasks")
    places = {str(task): _number(place) for task, place in given.items()} if isinstance(given, Mapping) else {}
    known = list(tasks)
    if not places or not set(places) <= set(known) or not all(map(math.isfinite, places.values())):
        wrong("tasks", given, f"TASK: NUMBER, of {', '.join(known)}")
    title, metric, x = (str(node.get(key, "")) for key in ("title", "metric", "x"))
    return Picture(title, metric, x, places, str(node.get("says", "")))


def _number(value: object) -> float:
    """Also from text: YAML takes 1e-3 for a word. NaN for what is none."""
    try:
        return math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
