"""What surrounds the marks of every picture: title, legend, axes, grid and the labels of references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from lorelab.pages.marks import Axis, Rule
from lorelab.pages.nodes import node, shorten, width, wrap
from lorelab.pages.numbers import number, tick_labels
from lorelab.pages.scale import Scale

WIDTH = 400.0
"""Of every picture, in its own units: text is above 9 px on a phone 360 px wide and a third larger on a wide page."""
TITLE, TEXT, SMALL = 13.0, 11.5, 11.0
RIGHT = 18.0
"""Margin that half of the last tick's label needs."""


@dataclass
class Canvas:
    """A picture under construction: elements from back to front, and how far down it is filled."""

    back: list[Element] = field(default_factory=list)
    front: list[Element] = field(default_factory=list)
    down: float = 0.0

    def head(self, title: str) -> None:
        """Write the title at the top."""
        for line in wrap(title, TITLE * 1.06, WIDTH - 8):
            self.down += 17
            self.front.append(node("text", line, x=4, y=self.down - 3, class_="title"))
        self.down += 4

    def legend(self, entries: Sequence[tuple[str, str, Element]]) -> None:
        """Name, class and swatch (drawn around 0, 0) of each series, in as many lines as they take."""
        across = 4.0
        self.down += 16 if entries else 0
        for name, class_, swatch in entries:
            text = shorten(name, TEXT, WIDTH - 40)
            if across > 4 and across + 34 + width(text, TEXT) > WIDTH:
                across, self.down = 4.0, self.down + 16
            swatch.set("transform", f"translate({across + 12:.4g} {self.down - 5:.5g})")
            label = node("text", text, x=across + 28, y=self.down - 1, class_="text")
            self.front.append(node("g", swatch, label, class_=class_))
            across += 40 + width(text, TEXT)
        self.down += 5 if entries else 0

    def labels_above(self, rules: Sequence[Rule], scale: Scale, bottom: float, corner: str = "") -> None:
        """Rules on x with their labels above the picture, in as many lines as keep them apart.

        ``corner``, the label of the y axis, stands at the left of the lowest line. The rules reach down to ``bottom``
        pixels below the labels.
        """
        ends = [4 + width(corner, SMALL) + 12 if corner else 0.0]
        places = []
        for rule in sorted(rules, key=lambda rule: scale.pinned(rule.at)):
            room = width(rule.label, SMALL)
            left = min(max(scale.pinned(rule.at) - room / 2, 2), WIDTH - room - 2)
            line = next((index for index, end in enumerate(ends) if end <= left), len(ends))
            ends[line:] = [left + room + 10, *ends[line + 1 :]]
            places.append((rule, left, line))
        top, self.down = self.down, self.down + (14 * len(ends) + 4 if rules or corner else 4)
        if corner:
            self.front.append(node("text", corner, x=4, y=self.down - 9, class_="axis-label"))
        feet = [top + 14 * (len(ends) - line) for _, _, line in places]
        for (rule, _, _), foot in zip(places, feet, strict=True):
            self._vertical(rule, scale, foot - 2, self.down + bottom)
        for (rule, left, _), foot in zip(places, feet, strict=True):
            self.front.append(node("text", rule.label, x=left, y=foot - 5, class_=f"rule-label {rule.tone}"))

    def _vertical(self, rule: Rule, scale: Scale, top: float, bottom: float) -> None:
        place = scale.pinned(rule.at)
        if rule.shade:
            left, right = (place, scale.end) if rule.shade == "above" else (scale.start, place)
            area = node("rect", x=left, y=self.down, width=right - left, height=bottom - self.down, class_="shade")
            self.back.append(area)
        self.front.append(_reference(rule, node("path", d=f"M{place:.2f} {top:.2f}V{bottom:.2f}")))

    def x_axis(self, axis: Axis, scale: Scale, top: float, bottom: float) -> None:
        """Grid, ticks and label of a horizontal axis at ``bottom``; ``down`` moves below them."""
        ticks = ticks_of(axis, scale)
        for tick in scale.minor_ticks():
            self.back.append(node("path", d=f"M{scale(tick):.2f} {bottom:.2f}v3", class_="tick"))
        taken = -WIDTH
        for tick, label in zip(ticks, tick_labels(ticks, axis.log), strict=True):
            place, half = scale(tick), width(label, SMALL) / 2
            self.back.append(node("path", d=f"M{place:.2f} {top:.2f}V{bottom:.2f}", class_="grid"))
            self.back.append(node("path", d=f"M{place:.2f} {bottom:.2f}v5", class_="tick"))
            if place - half > taken + 4:
                at = min(place, WIDTH - half)
                self.front.append(node("text", label, x=at, y=bottom + 16, class_="tick-label", text_anchor="middle"))
                taken = place + half
        self.back.append(node("path", d=f"M{scale.start:.2f} {bottom:.2f}H{scale.end:.2f}", class_="axis"))
        middle, label = (scale.start + scale.end) / 2, shorten(axis.label, SMALL, WIDTH - 20)
        room = width(label, SMALL) / 2
        middle = min(max(middle, room + 4), WIDTH - room - 4)
        self.front.append(node("text", label, x=middle, y=bottom + 31, class_="axis-label", text_anchor="middle"))
        self.down = bottom + 37

    def y_axis(self, axis: Axis, scale: Scale, left: float) -> None:
        """Grid and ticks of a vertical axis."""
        ticks = ticks_of(axis, scale)
        for tick, label in zip(ticks, tick_labels(ticks, axis.log), strict=True):
            place = scale(tick)
            self.back.append(node("path", d=f"M{left:.2f} {place:.2f}H{WIDTH - RIGHT:.2f}", class_="grid"))
            text = node("text", label, x=left - 6, y=place + 4, class_="tick-label", text_anchor="end")
            self.front.append(text)

    def rules_across(self, rules: Sequence[Rule], scale: Scale, left: float) -> None:
        """Rules on y, each with its label above its line at the right, or left of a label that is in the way."""
        right, taken, end = WIDTH - RIGHT, -WIDTH, 0.0
        for rule in sorted(rules, key=lambda rule: scale.pinned(rule.at)):
            place = scale.pinned(rule.at)
            if rule.shade:
                top, foot = sorted((place, scale.end if rule.shade == "above" else scale.start))
                area = node("rect", x=left, y=top, width=right - left, height=foot - top, class_="shade")
                self.back.append(area)
            self.front.append(_reference(rule, node("path", d=f"M{left:.2f} {place:.2f}H{right:.2f}")))
            down = place - 4 if place - 15 > scale.end else place + 12
            end = end if abs(down - taken) < 13 else right - 4
            class_ = f"rule-label {rule.tone}"
            self.front.append(node("text", rule.label, x=end, y=down, text_anchor="end", class_=class_))
            taken, end = down, end - width(rule.label, SMALL) - 8

    def picture(self, title: str, linked: bool) -> Element:
        """The whole as an ``svg`` element: an image to screen readers, unless links in it must stay reachable."""
        # A viewBox and no size: the picture takes the width of the page it is on.
        return node(
            "svg",
            *self.back,
            *self.front,
            xmlns="http://www.w3.org/2000/svg",
            class_="chart",
            viewBox=f"0 0 {WIDTH:g} {self.down:.0f}",
            role="group" if linked else "img",
            aria_label=title,
        )


def ticks_of(axis: Axis, scale: Scale) -> tuple[float, ...]:
    """Values at which the axis is labelled: up to about six."""
    ticks = scale.ticks(6)
    return tuple(tick for tick in ticks if tick == int(tick)) if axis.whole else ticks


def _reference(rule: Rule, line: Element) -> Element:
    return node("g", node("title", f"{rule.label}: {number(rule.at)}"), line, class_=f"mark rule {rule.tone}")
