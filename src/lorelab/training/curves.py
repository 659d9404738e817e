"""Curves as pictures: of one run over its steps, of one range test over its rates."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lorelab.pages.chart import Chart
from lorelab.pages.marks import Axis, Line, Mark, Rule
from lorelab.pages.page import picture

if TYPE_CHECKING:
    from lorelab.training.lr_range import LrRange

Points = Sequence[tuple[int, float]]
MOST = 1_000


def draw_curves(
    history: Mapping[str, Points], folder: Path, *, title: str, monitor: str, best_step: int | None
) -> None:
    """Writes ``loss.svg`` and, of a monitored metric that is no loss, another SVG by its name into ``folder``: a
    hundredth of the time that matplotlib takes, which is most of a short run's end.

    ``history`` maps a metric to its ``(step, value)`` points, of which at most ``MOST`` are drawn; the chosen step is
    marked. Touches no global state, so any thread may call it.
    """
    panels = {"loss": [key for key in ("train/loss", "val/loss") if key in history]}
    if monitor in history and monitor not in panels["loss"]:
        panels[monitor] = [monitor]
    folder.mkdir(parents=True, exist_ok=True)
    for label, keys in panels.items():
        marks: list[Mark] = []
        for key in keys:
            points = history[key][:: -(-len(history[key]) // MOST)]
            marks.append(Line(key, [float(step) for step, _ in points], [value for _, value in points]))
        if best_step is not None:
            marks.append(Rule(best_step, "best checkpoint"))
        chart = Chart(title, Axis("optimiser step", whole=True), Axis(label), marks)
        (folder / f"{label.rpartition('/')[2]}.svg").write_text(picture(chart), encoding="utf-8")


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
