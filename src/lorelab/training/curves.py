"""Curves as pictures: of one run over its steps, of one range test over its rates."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lorelab.training.lr_range import LrRange

Points = Sequence[tuple[int, float]]


def draw_curves(history: Mapping[str, Points], path: Path, *, title: str, monitor: str, best_step: int | None) -> None:
    """Writes a PNG to ``path``: losses on the left, the monitored metric on the right, the chosen step marked.

    ``history`` maps a metric to its ``(step, value)`` points. Uses matplotlib's object interface, so no global state
    is touched and any thread may call it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout=None)
    figure.subplots_adjust(left=0.07, right=0.985, bottom=0.15, top=0.88, wspace=0.2)  # a layout found costs 0.1 s
    FigureCanvasAgg(figure)
    panels = {"loss": [key for key in ("train/loss", "val/loss") if key in history]}
    if monitor in history and monitor not in panels["loss"]:
        panels[monitor] = [monitor]
    for axis, (label, keys) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for key in keys:
            steps, values = zip(*history[key], strict=True)
            axis.plot(steps, values, label=key, marker="." if len(steps) < 40 else None, linewidth=1.5)
        if best_step is not None:
            axis.axvline(best_step, color="0.5", linestyle=":", label="best checkpoint")
        axis.set(xlabel="optimiser step", ylabel=label)
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=110, pil_kwargs={"compress_level": 1})


def draw_lr_range(found: LrRange, path: Path, *, title: str) -> None:
    """Writes a PNG to ``path``: training loss over the learning rate (log scale), raw faint and smoothed bold, each
    rule's rate, the chosen one and the rate of divergence marked. What climbs far above the fall is cut off."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.plot(found.rates, found.losses, color="C0", alpha=0.3, linewidth=1, label="loss of each step")
    axis.plot(found.rates, found.smoothed, color="C0", linewidth=2, label="smoothed")
    for color, (rule, rate) in zip(("C1", "C4", "C5"), found.suggestion.rates.items(), strict=False):
        near = min(zip(found.rates, found.smoothed, strict=True), key=lambda point: abs(point[0] / rate - 1))
        axis.plot(*near, color=color, marker="o", linestyle="none", label=f"{rule}: {rate:.2g}")
    if (chosen := found.suggestion.chosen) is not None:
        axis.axvline(chosen, color="C2", label=f"suggestion: {chosen:.2g}")
    if (edge := found.diverged_rate) is not None:
        axis.axvline(edge, color="C3", linestyle="--", label=f"diverged: {edge:.2g}")
    axis.set_xscale("log")
    finite = [value for value in found.smoothed if math.isfinite(value)]
    if finite:
        low, top = min(finite), max(finite[: finite.index(min(finite)) + 1])
        height = top - low or abs(top) or 1.0
        axis.set_ylim(low - 0.3 * height, top + 0.7 * height)
    axis.set(xlabel="learning rate", ylabel="training loss")
    axis.grid(alpha=0.3)
    why = "" if chosen else "\n" + textwrap.fill(f"no suggestion: {found.suggestion.reason}", 80)
    axis.set_title(title + why, fontsize=10, parse_math=False)
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)
