"""Pictures of what a model got right and wrong, drawn from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lorelab.pages.chart import Chart
from lorelab.pages.grid import Grid
from lorelab.pages.marks import Axis, Line
from lorelab.pages.page import picture

_MOST_POINTS = 2_000


def confusion(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts ``(classes, classes)``, rows are true classes, columns predicted ones; both arguments ``(N,)`` indices."""
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def draw_confusion(counts: np.ndarray, names: Sequence[str], path: Path, *, title: str) -> None:
    """Writes an SVG: each cell as dark as its share of the row, which is the true class; see ``pages.grid``."""
    path.write_text(picture(Grid(title, names, counts.tolist(), "true", "predicted")), encoding="utf-8")


def draw_predicted_against_true(
    true: np.ndarray, predicted: np.ndarray, path: Path, *, title: str, quantity: str
) -> None:
    """Writes an SVG: one point per example (at most 2,000, evenly spaced through the rows) and the line of no error.

    Both arrays ``(N,)`` in the target's own units; values that are not finite are left out and counted in the title.
    ``quantity`` names the target, with its unit if it has one.
    """
    finite = np.isfinite(true) & np.isfinite(predicted)
    lost = int((~finite).sum())
    true, predicted = true[finite], predicted[finite]
    shown = np.linspace(0, len(true) - 1, min(len(true), _MOST_POINTS)).astype(int)
    marks = [Line("examples", true[shown].tolist(), predicted[shown].tolist(), scatter=True)]
    if len(true):
        ends = [float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))]
        marks.append(Line("no error", ends, ends))
    title += f" ({lost} not finite, left out)" if lost else ""
    chart = Chart(title, Axis(f"true {quantity}"), Axis(f"predicted {quantity}"), marks, height=320)
    path.write_text(picture(chart), encoding="utf-8")
