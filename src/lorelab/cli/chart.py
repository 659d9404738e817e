"""``lorelab compare --picture``: the table as a figure."""

from __future__ import annotations

from pathlib import Path

from lorelab.tracking.aggregate import Comparison, Group


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Mean, 95 % interval and range of each group, written to ``path`` in the format of its suffix.

    One parameter that spans more than a factor of ten is drawn on a logarithmic axis, other numbers on a linear one,
    names side by side. Groups without a finished run are left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = [group for group in comparison.groups if group.mean is not None]
    places, labels = _places(comparison, groups)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    means = [group.mean or 0.0 for group in groups]
    if labels is None:
        axis.plot(places, means, color="C0", linewidth=1, alpha=0.5)
        if min(places) > 0 and max(places) / min(places) > 10:
            axis.set_xscale("log")
    else:
        axis.set_xticks(places, labels)
        axis.margins(x=0.15)
    for place, group, mean in zip(places, groups, means, strict=True):
        ends = (group.low, group.high, group.best, group.worst)
        low, high, best, worst = (mean if end is None else end for end in ends)
        axis.errorbar(place, mean, yerr=[[mean - low], [high - mean]], color="C0", capsize=4, marker="o")
        axis.plot([place, place], [best, worst], linestyle="none", marker="_", color="C1", markersize=12)
    axis.set(xlabel=", ".join(comparison.by), ylabel=comparison.metric)
    counts = sorted({group.n for group in groups})
    runs = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    axis.set_title(f"mean and 95 % interval (blue), best and worst (orange), {runs} each", fontsize=10)
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def _places(comparison: Comparison, groups: list[Group]) -> tuple[list[float], list[str] | None]:
    """Where each group stands on the axis, and its name unless the place says it."""
    if len(comparison.by) == 1:
        try:
            return [float(group.values[0]) for group in groups], None
        except ValueError:
            pass
    return [float(index) for index in range(len(groups))], ["\n".join(group.values) for group in groups]
