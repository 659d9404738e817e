"""A picture of a table of counts: one cell for each pair of a row and a column, the darker the more of its row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from lorelab.pages.frame import RIGHT, SMALL, WIDTH, Canvas
from lorelab.pages.nodes import node, shorten, width

NUMBERED = 25
"""Rows up to which the counts stand in the cells and every row has its name: more would not be legible."""
_NAME, _LARGEST, _DARK = 110.0, 40.0, 0.55


@dataclass(frozen=True)
class Grid:
    """Counts of ``names`` (down) against ``names`` (across); a row without any is left white."""

    title: str
    names: Sequence[str]
    counts: Sequence[Sequence[int]]
    down: str
    across: str
    """What rows and columns are."""

    def draw(self) -> Element:
        """The ``svg`` element."""
        canvas, count = Canvas(), len(self.names)
        canvas.head(self.title)
        stride = 1 if count <= NUMBERED else -(-count // NUMBERED)
        names = [shorten(name, SMALL, _NAME) for name in self.names]
        left = max([24.0, *(width(name, SMALL) + 10 for name in names[::stride])])
        side = min(_LARGEST, (WIDTH - RIGHT - left) / max(1, count))
        canvas.front.append(node("text", self.down, x=4, y=canvas.down + 11, class_="axis-label"))
        top = canvas.down + 18
        for row, counts in enumerate(self.counts):
            whole = sum(counts)
            for column, value in enumerate(counts):
                if value:
                    place = left + column * side, top + row * side
                    canvas.back.append(self._cell(row, column, value / whole, place, side))
        edge = side * count
        canvas.back.append(node("rect", x=left, y=top, width=edge, height=edge, class_="axis"))
        for index in range(0, count, stride):
            middle = (index + 0.5) * side
            canvas.front.append(
                node("text", names[index], x=left - 6, y=top + middle + 4, class_="tick-label", text_anchor="end")
            )
        canvas.down = top + edge
        self._names_below(canvas, names, left, side, stride)
        return canvas.picture(self.title, linked=False)

    def _cell(self, row: int, column: int, share: float, place: tuple[float, float], side: float) -> Element:
        across, down = place
        value = self.counts[row][column]
        said = f"{self.down} {self.names[row]}, {self.across} {self.names[column]}: {value:,} ({share:.1%})"
        parts = [node("title", said), node("rect", x=across, y=down, width=side, height=side, class_="bar")]
        parts[1].set("fill-opacity", f"{share:.3f}")
        if len(self.names) <= NUMBERED:
            text = node("text", f"{value:,}", x=across + side / 2, y=down + side / 2 + 4, text_anchor="middle")
            text.set("class", "number on" if share > _DARK else "number")
            size = min(SMALL, side / max(1.2, width(f"{value:,}", 1.0)) * 0.9)
            text.set("style", f"font-size: {size:.1f}px")
            parts.append(text)
        return node("g", *parts, class_="s0")

    def _names_below(self, canvas: Canvas, names: Sequence[str], left: float, side: float, stride: int) -> None:
        """Slanted where they would touch."""
        widest = max((width(name, SMALL) for name in names[::stride]), default=0.0)
        slanted, bottom = widest + 4 > side * stride, canvas.down
        for index in range(0, len(names), stride):
            middle, down = left + (index + 0.5) * side, bottom + 14
            text = node("text", names[index], class_="tick-label", text_anchor="end" if slanted else "middle")
            text.set("transform", f"translate({middle:.1f} {down:.1f})" + (" rotate(-45)" if slanted else ""))
            canvas.front.append(text)
        canvas.down = bottom + (10 + 0.75 * widest if slanted else 18)
        middle = left + side * len(names) / 2
        canvas.front.append(
            node("text", self.across, x=middle, y=canvas.down + 14, class_="axis-label", text_anchor="middle")
        )
        canvas.down += 22
