"""Validation scores over training, as a table, so that learning curves can be drawn without the store."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lorelab.errors import LorelabError
from lorelab.studies.location import student_t

COLUMNS = ("task", "arm", "seed", "metric", "step", "value")


@dataclass(frozen=True)
class Curve:
    """Of one run that decides."""

    task: str
    arm: str
    seed: int
    metric: str
    """``val/accuracy``."""
    points: Sequence[tuple[int, float]]
    """Optimiser step and value, in step order."""


@dataclass(frozen=True)
class MeanCurve:
    """Of an arm on a task: mean over seeds with 95 % intervals (Student's t), at the steps that two runs or more have a
    finite value at."""

    steps: Sequence[int]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def write_curves(path: Path, curves: Sequence[Curve]) -> None:
    """As CSV, a line per point."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for each in curves:
            writer.writerows(
                [each.task, each.arm, each.seed, each.metric, step, repr(value)] for step, value in each.points
            )


def read_curves(path: Path) -> list[Curve]:
    """What ``write_curves`` wrote; none where there is no file.

    Raises:
        LorelabError: a line is not what it should be.
    """
    if not path.is_file():
        return []
    found: dict[tuple[str, str, int, str], list[tuple[int, float]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, line in enumerate(csv.DictReader(file), start=2):
            try:
                key = (line["task"], line["arm"], int(line["seed"]), line["metric"])
                found.setdefault(key, []).append((int(line["step"]), float(line["value"])))
            except (KeyError, ValueError, TypeError) as error:
                raise LorelabError(
                    f"{path}, line {number}: found {type(error).__name__}: {error}; expected {', '.join(COLUMNS)}. "
                    "Restore the file from git."
                ) from error
    return [Curve(*key, points) for key, points in found.items()]


def mean_curve(curves: Sequence[Curve]) -> MeanCurve:
    """Over runs of one arm on one task."""
    at: dict[int, list[float]] = {}
    for each in curves:
        for step, value in each.points:
            if math.isfinite(value):
                at.setdefault(step, []).append(value)
    known: Mapping[int, np.ndarray] = {step: np.array(at[step]) for step in sorted(at) if len(at[step]) >= 2}
    ends = {step: student_t(values).interval(0.95) for step, values in known.items()}
    return MeanCurve(
        list(known),
        [float(values.mean()) for values in known.values()],
        [float(ends[step][0]) for step in known],
        [float(ends[step][1]) for step in known],
    )
