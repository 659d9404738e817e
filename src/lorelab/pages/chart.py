"""A picture with two axes: curves with intervals, points that say what they are, references."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from xml.etree.ElementTree import Element

from lorelab.pages.frame import RIGHT, SMALL, WIDTH, Canvas, ticks_of
from lorelab.pages.marks import Axis, Line, Mark, Point, Points, Rule
from lorelab.pages.nodes import node, safe_href, width
from lorelab.pages.numbers import interval, number, tick_labels
from lorelab.pages.scale import LARGEST, Scale, fit

COLOURS = 6
SHAPES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "M-3.6 -3.6h7.2v7.2h-7.2z",
    "M0 -4.8L4.6 3.4H-4.6z",
    "M0 -5.2L5.2 0L0 5.2L-5.2 0z",
    "M0 4.8L4.6 -3.4H-4.6z",
    "M-1.6 -4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
    "M-4.2 -4.2H4.2L-4.2 4.2H4.2z",
)
"""Markers, one a series; seven, which with six colours tell 42 series apart."""
CROSS = "M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5"
BEADS = 9
"""Markers on a line that has no points of its own."""
LANE, GAP = 18.0, 6.0
"""Height of the lane beyond the worse end of the y axis in which diverged points stand, and its distance from it."""


@dataclass(frozen=True)
class Chart:
    """A picture with two axes. Series take colours and markers in the order in which ``marks`` first name them,
    and later marks lie over earlier ones."""

    title: str
    x: Axis
    y: Axis
    marks: Sequence[Mark]
    height: float = 200.0
    """Of the area between the axes; the width is 400 with all labels."""

    def draw(self) -> Element:
        """The ``svg`` element, to stand in a page; ``page.picture`` makes a file of its own of it."""
        return _draw(self)


@dataclass(frozen=True)
class _Plot:
    """Where things are: the two scales and the lane of what diverged."""

    chart: Chart
    x: Scale
    y: Scale
    lane: float
    series: tuple[str, ...]

    def class_of(self, series: str) -> str:
        return f"s{self.series.index(series) % COLOURS}"

    def shape_of(self, series: str) -> str:
        return SHAPES[self.series.index(series) % len(SHAPES)]


def _draw(chart: Chart) -> Element:
    canvas = Canvas()
    lines = [mark for mark in chart.marks if isinstance(mark, Line)]
    clouds = [mark for mark in chart.marks if isinstance(mark, Points)]
    rules = [mark for mark in chart.marks if isinstance(mark, Rule) and math.isfinite(mark.at)]
    series = tuple(dict.fromkeys(mark.series for mark in chart.marks if not isinstance(mark, Rule)))
    canvas.head(chart.title)
    lost = any(_diverged(point) for cloud in clouds for point in cloud.points)
    plot = _layout(chart, series, lines, clouds, rules, lost)
    canvas.legend([_entry(plot, name, lines, clouds) for name in series] if len(series) > 1 else [])
    lane_above = lost and chart.y.better == "lower"
    height = chart.height + (LANE + GAP if lost else 0)
    canvas.labels_above([rule for rule in rules if rule.axis == "x"], plot.x, height, chart.y.label)
    plot = _moved(plot, canvas.down + (LANE + GAP if lane_above else 0), lane_above)
    if lost:
        _lane(canvas, plot)
    canvas.y_axis(chart.y, plot.y, plot.x.start)
    canvas.x_axis(chart.x, plot.x, canvas.down, canvas.down + height)
    canvas.back.append(_clipped(plot, [_band(plot, line) for line in lines if len(line.low)]))
    canvas.rules_across([rule for rule in rules if rule.axis == "y"], plot.y, plot.x.start)
    canvas.back.extend(chain(*(_elements(plot, mark) for mark in chart.marks)))
    if not any(len(line.x) for line in lines) and not any(len(cloud.points) for cloud in clouds):
        canvas.front.append(node("text", "no data", x=plot.x.start + 12, y=plot.y.end + 24, class_="text"))
    linked = any(point.href for cloud in clouds for point in cloud.points)
    return canvas.picture(chart.title, linked)


def _elements(plot: _Plot, mark: Mark) -> Iterator[Element]:
    """A curve, with beads unless points of its series mark it or it is a staircase; or points."""
    if isinstance(mark, Line) and mark.scatter:
        places = zip(map(plot.x, mark.x), map(plot.y, mark.y), strict=True)
        d = "".join(f"M{across:.1f} {down:.1f}h0" for across, down in places)
        yield node("path", d=d, class_=f"cloud {plot.class_of(mark.series)}")
    elif isinstance(mark, Line):
        yield _clipped(plot, [_curve(plot, mark)])
        marked = any(isinstance(other, Points) and other.series == mark.series for other in plot.chart.marks)
        if not marked and not mark.step:
            yield from _beads(plot, mark)
    elif isinstance(mark, Points):
        yield from (_point(plot, mark.series, point) for point in mark.points)


def _layout(
    chart: Chart, series: tuple[str, ...], lines: list[Line], clouds: list[Points], rules: list[Rule], lost: bool
) -> _Plot:
    """Scales over all that is drawn; y still hangs at 0, because the labels above decide where the picture begins."""
    points = [point for cloud in clouds for point in cloud.points]
    across = chain(*(line.x for line in lines), (point.x for point in points), _at(rules, "x"))
    upwards = chain(
        *(chain(line.y, line.low, line.high) for line in lines), (point.y for point in points), _at(rules, "y")
    )
    y = fit(upwards, chart.height, 0.0, chart.y.log, chart.y.low, chart.y.high)
    labels = [*tick_labels(ticks_of(chart.y, y), chart.y.log), *(["diverged"] if lost else [])]
    left = max([24.0, *(width(label, SMALL) + 10 for label in labels)])
    x = fit(across, left, WIDTH - RIGHT, chart.x.log, chart.x.low, chart.x.high)
    return _Plot(chart, x, y, 0.0, series)


def _moved(plot: _Plot, top: float, lane_above: bool) -> _Plot:
    height = plot.chart.height
    y = Scale(plot.y.low, plot.y.high, top + height, top, plot.y.log)
    lane = top - GAP - LANE / 2 if lane_above else top + height + GAP + LANE / 2
    return _Plot(plot.chart, plot.x, y, lane, plot.series)


def _at(rules: list[Rule], axis: str) -> Iterator[float]:
    return (rule.at for rule in rules if rule.axis == axis)


def _diverged(point: Point) -> bool:
    return not abs(point.y) < LARGEST


def _entry(plot: _Plot, name: str, lines: list[Line], clouds: list[Points]) -> tuple[str, str, Element]:
    swatch = node("g")
    if any(line.series == name and not line.scatter for line in lines):
        swatch.append(node("path", d="M-10 0H10", class_="line"))
    if not any(line.series == name and line.step for line in lines) or any(cloud.series == name for cloud in clouds):
        swatch.append(node("path", d=plot.shape_of(name), class_="dot"))
    return name, plot.class_of(name), swatch


def _lane(canvas: Canvas, plot: _Plot) -> None:
    left = plot.x.start
    box = node("rect", x=left, y=plot.lane - LANE / 2, width=plot.x.end - left, height=LANE, class_="lane")
    canvas.back.append(box)
    label = node("text", "diverged", x=left - 6, y=plot.lane + 4, class_="tick-label", text_anchor="end")
    canvas.front.append(label)


def _clipped(plot: _Plot, parts: list[Element]) -> Element:
    """An inner ``svg`` of the same coordinates cuts off what leaves the axes, without an id that could clash."""
    top, height = plot.y.end - 2, plot.y.start - plot.y.end + 4
    box = node("svg", *parts, x=plot.x.start, y=top, width=plot.x.end - plot.x.start, height=height)
    box.set("viewBox", f"{plot.x.start:.2f} {top:.2f} {plot.x.end - plot.x.start:.2f} {height:.2f}")
    return box


def _curve(plot: _Plot, line: Line) -> Element:
    steps = [_path(plot, line, piece) for piece in _pieces(line.x, line.y)]
    path = node("path", d="".join(steps), class_="line")
    return node("g", node("title", line.series), path, class_=f"mark {plot.class_of(line.series)}")


def _beads(plot: _Plot, line: Line) -> Iterator[Element]:
    """Some of a line's own values as markers that say what they are; each series at places of its own."""
    stride = max(-(-len(line.x) // BEADS), 1)
    for index in range(plot.series.index(line.series) * stride // len(plot.series), len(line.x), stride):
        if math.isfinite(line.y[index]) and plot.x.holds(line.x[index]) and plot.y.holds(line.y[index]):
            said = number(line.y[index])
            if len(line.low):
                said = interval(line.y[index], line.low[index], line.high[index])
            yield _marker(plot, line.series, line.x[index], plot.y(line.y[index]), line.series, said, "dot")


def _pieces(*columns: Sequence[float]) -> Iterator[list[int]]:
    """Indices of each unbroken piece, over which every column is finite."""
    piece: list[int] = []
    for index, values in enumerate(zip(*columns, strict=True)):
        if all(map(math.isfinite, values)):
            piece.append(index)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _path(plot: _Plot, line: Line, piece: list[int]) -> str:
    places = [(plot.x(line.x[index]), plot.y(line.y[index])) for index in piece]
    first, *others = places
    join = "H{:.1f}V{:.1f}" if line.step else "L{:.1f} {:.1f}"
    # A lone value is a line of no length, which its round cap shows as a dot.
    return "M{:.1f} {:.1f}".format(*first) + "".join(join.format(*place) for place in others or [first])


def _band(plot: _Plot, line: Line) -> Element:
    """Along the upper ends and back along the lower ones; in stairs where the line is."""
    d = ""
    for piece in _pieces(line.x, line.low, line.high):
        outline = _edge(plot, line, piece, line.high) + _edge(plot, line, piece, line.low)[::-1]
        d += "M" + "L".join(f"{across:.1f} {down:.1f}" for across, down in outline) + "z"
    return node("path", d=d, class_=f"band {plot.class_of(line.series)}")


def _edge(plot: _Plot, line: Line, piece: list[int], values: Sequence[float]) -> list[tuple[float, float]]:
    places = [(plot.x(line.x[index]), plot.y(values[index])) for index in piece]
    if line.step:
        corners = zip(places[1:], places, strict=False)
        places[1:] = chain(*(((after[0], before[1]), after) for after, before in corners))
    return places


def _point(plot: _Plot, series: str, point: Point) -> Element:
    """A point with its title. Outside the ends of an axis it stands hollow at the edge; diverged, it is a cross."""
    diverged = _diverged(point)
    kind = "cross" if diverged else "dot" if plot.x.holds(point.x) and plot.y.holds(point.y) else "dot outside"
    down = plot.lane if diverged else plot.y.pinned(point.y)
    mark = _marker(plot, series, point.x, down, point.title or series, number(point.y), kind)
    if not point.href:
        return mark
    return node("a", mark, href=safe_href(point.href), target="_blank", rel="noopener")


def _marker(plot: _Plot, series: str, x: float, down: float, title: str, said: str, kind: str) -> Element:
    title = f"{title}\n{plot.chart.x.label}: {number(x)}\n{plot.chart.y.label}: {said}"
    place = f"translate({plot.x.pinned(x):.2f} {down:.2f})"
    shape = node("path", d=CROSS if kind == "cross" else plot.shape_of(series), class_=kind, transform=place)
    return node("g", node("title", title), shape, class_=f"mark {plot.class_of(series)}")
