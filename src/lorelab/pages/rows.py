"""Pictures with one row per thing: forest plots of intervals, bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from xml.etree.ElementTree import Element

from lorelab.pages.chart import CROSS, SHAPES
from lorelab.pages.frame import RIGHT, TEXT, WIDTH, Canvas
from lorelab.pages.marks import SIGNS, Axis, Bar, Interval, Row, Rule
from lorelab.pages.nodes import node, safe_href, shorten, width
from lorelab.pages.numbers import interval, number
from lorelab.pages.scale import Scale, fit

ROW = 36.0
"""Height of a row: its label and numbers above, its mark below, so that long labels have the whole width."""
LEFT = 12.0


@dataclass(frozen=True)
class Rows:
    """A picture with one row per thing and one axis below: intervals with the margin around 0, or bars from 0."""

    title: str
    x: Axis
    rows: Sequence[Row]
    margin: float | None = None
    """Smallest difference that matters: lines at minus and plus the margin, the band between them shaded."""
    rules: Sequence[Rule] = ()
    signed: bool = False
    """The numbers are differences: they are written with their sign."""

    def draw(self) -> Element:
        """The ``svg`` element, to stand in a page; ``page.picture`` makes a file of its own of it."""
        canvas = Canvas()
        canvas.head(self.title)
        scale = fit(self._values(), LEFT, WIDTH - RIGHT, self.x.log, self.x.low, self.x.high)
        height = ROW * max(len(self.rows), 1) + 4
        canvas.labels_above(self._references(), scale, height)
        top = canvas.down
        if self.margin is not None:
            left, right = scale.pinned(-self.margin), scale.pinned(self.margin)
            canvas.back.append(node("rect", x=left, y=top, width=right - left, height=height, class_="shade"))
            canvas.back.append(node("path", d=f"M{scale.pinned(0.0):.2f} {top:.2f}v{height:.2f}", class_="axis"))
        canvas.x_axis(self.x, scale, top, top + height)
        for index, row in enumerate(self.rows):
            canvas.front.append(_row(row, scale, top + ROW * index, self.signed))
        if not self.rows:
            canvas.front.append(node("text", "no data", x=LEFT, y=top + 22, class_="text"))
        return canvas.picture(self.title, any(isinstance(row, Interval) and row.href for row in self.rows))

    def _references(self) -> list[Rule]:
        rules = [rule for rule in self.rules if math.isfinite(rule.at)]
        if self.margin is not None:
            rules += [
                Rule(-self.margin, number(-self.margin)),
                Rule(self.margin, f"margin {number(self.margin, signed=True)}"),
            ]
        return rules

    def _values(self) -> list[float]:
        each = chain(*((row.estimate, row.low, row.high) for row in self.rows if isinstance(row, Interval)))
        bars = chain(*((0.0, row.value, row.low or 0.0, row.high or 0.0) for row in self.rows if isinstance(row, Bar)))
        return [*each, *bars, *(rule.at for rule in self._references())]


def _row(row: Row, scale: Scale, top: float, signed: bool) -> Element:
    text, sign = _numbers(row, signed), SIGNS[row.tone] if isinstance(row, Interval) else ""
    tone = row.tone if isinstance(row, Interval) else "s0"
    end = WIDTH - RIGHT
    room = end - LEFT - width(text, TEXT) - 30
    parts = [
        node("rect", x=0.0, y=top + 2, width=WIDTH, height=15.0, class_="strip"),
        node("text", shorten(row.label, TEXT, room), x=LEFT, y=top + 14, class_="text"),
        node("text", text, x=end - (16 if sign else 0), y=top + 14, class_="text number", text_anchor="end"),
        node("text", sign, x=end, y=top + 14, class_="sign", text_anchor="end") if sign else None,
        *(_bar(row, scale, top + 24) if isinstance(row, Bar) else _interval(row, scale, top + 24)),
    ]
    title = "\n".join(part for part in (row.label, row.title, f"{text} {sign}".rstrip()) if part)
    whole = node("g", node("title", title), *parts, class_=f"mark row {tone}")
    if isinstance(row, Interval) and row.href:
        return node("a", whole, href=safe_href(row.href), target="_blank", rel="noopener")
    return whole


def _numbers(row: Row, signed: bool) -> str:
    if isinstance(row, Interval):
        return "diverged" if not math.isfinite(row.estimate) else interval(row.estimate, row.low, row.high, signed)
    if row.low is not None and row.high is not None:
        return interval(row.value, row.low, row.high, signed)
    return number(row.value, 3, signed)


def _interval(row: Interval, scale: Scale, middle: float) -> list[Element]:
    if not math.isfinite(row.estimate):
        return [node("path", d=CROSS, class_="cross", transform=f"translate({scale.start:.2f} {middle:.2f})")]
    low, here, high = (scale.pinned(value) for value in (row.low, row.estimate, row.high))
    if row.overall:
        diamond = (
            f"M{low:.2f} {middle:.2f}L{here:.2f} {middle - 6:.2f}L{high:.2f} {middle:.2f}L{here:.2f} {middle + 6:.2f}z"
        )
        return [node("path", d=diamond, class_="dot")]
    dot = node("path", d=SHAPES[1], class_="dot", transform=f"translate({here:.2f} {middle:.2f})")
    return [_whisker(row.low, row.high, scale, middle), dot]


def _whisker(low: float, high: float, scale: Scale, middle: float) -> Element:
    """From ``low`` to ``high``, with a cap at each end that is on the scale and none where it goes on."""
    d = f"M{scale.pinned(low):.2f} {middle:.2f}H{scale.pinned(high):.2f}"
    d += "".join(f"M{scale(end):.2f} {middle - 4:.2f}v8" for end in (low, high) if scale.holds(end))
    return node("path", d=d, class_="line")


def _bar(row: Bar, scale: Scale, middle: float) -> list[Element]:
    left, right = sorted((scale.pinned(0.0), scale.pinned(row.value)))
    parts = [node("rect", x=left, y=middle - 5, width=right - left, height=10.0, class_="bar")]
    if row.low is not None and row.high is not None:
        parts.append(_whisker(row.low, row.high, scale, middle))
    return parts
