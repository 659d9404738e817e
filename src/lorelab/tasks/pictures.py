"""Pictures of what a model got right and wrong, drawn from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lorelab.tasks.protocol import Net, Task

_CHUNK = 1024
_MOST_NUMBERED = 25
_MOST_POINTS = 5_000
_DPI = 110


def predict_all(task: Task, net: Net, inputs: Tensor) -> np.ndarray:
    """``task.predict`` over a whole split ``(N, *input_shape)``, in chunks, without gradients: float64 on the CPU."""
    with torch.no_grad():
        parts = [task.predict(net, chunk).cpu().double() for chunk in inputs.split(_CHUNK)]
    return torch.cat(parts).numpy()


def confusion(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts ``(classes, classes)``, rows are true classes, columns predicted ones; both arguments ``(N,)`` indices."""
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def draw_confusion(counts: np.ndarray, names: Sequence[str], path: Path, *, title: str) -> None:
    """Writes a PNG: each row coloured by its shares (a row without examples is white), the counts as numbers.

    From 26 classes on there are no numbers and only every k-th name, because they would not be legible.
    """
    classes = len(counts)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(3.6, 0.55 * classes) if classes <= _MOST_NUMBERED else 8.0
    figure = _figure(side + 1.6, side + 0.6)
    axis = figure.subplots()
    image = axis.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
    step = 1 if classes <= _MOST_NUMBERED else -(-classes // _MOST_NUMBERED)
    ticks = list(range(0, classes, step))
    labels = [_short(names[index]) for index in ticks]
    slanted = max(map(len, labels)) > 3
    axis.set_xticks(ticks, labels, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    axis.set_yticks(ticks, labels)
    axis.set(xlabel="predicted", ylabel="true")
    axis.set_title(title, fontsize=11)
    if classes <= _MOST_NUMBERED:
        size = 9 if classes <= 12 else 7
        for row, column in np.argwhere(counts):
            ink = "white" if shares[row, column] > 0.6 else "black"
            axis.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=ink, fontsize=size)
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
    figure.savefig(path, dpi=_DPI)


def draw_predicted_against_true(
    true: np.ndarray, predicted: np.ndarray, path: Path, *, title: str, quantity: str
) -> None:
    """Writes a PNG: one point per example (at most 5,000, evenly spaced through the rows) and the line of no error.

    Both arrays ``(N,)`` in the target's own units; values that are not finite are left out and counted in the title.
    ``quantity`` names the target, with its unit if it has one.
    """
    finite = np.isfinite(true) & np.isfinite(predicted)
    lost = int((~finite).sum())
    true, predicted = true[finite], predicted[finite]
    shown = np.linspace(0, len(true) - 1, min(len(true), _MOST_POINTS)).astype(int)
    figure = _figure(5.4, 5.0)
    axis = figure.subplots()
    axis.scatter(true[shown], predicted[shown], s=9, alpha=0.35 if len(shown) > 300 else 0.7, linewidths=0)
    if len(true):
        ends = [float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))]
        axis.plot(ends, ends, color="0.3", linewidth=1, linestyle="--", label="no error")
        axis.legend(frameon=False, loc="upper left")
    axis.set(xlabel=f"true {quantity}", ylabel=f"predicted {quantity}")
    axis.set_title(title + (f" ({lost} not finite, left out)" if lost else ""), fontsize=11)
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=_DPI)


def _figure(width: float, height: float) -> Figure:
    """A figure with its canvas, without matplotlib's global state, so that any thread may draw."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _short(name: str, most: int = 18) -> str:
    name = name.replace("$", r"\$")  # matplotlib would read a formula
    return name if len(name) <= most else f"{name[: most - 1]}…"
