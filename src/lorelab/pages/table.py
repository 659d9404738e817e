"""Tables: numbers to the right, sortable where scripts run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from xml.etree.ElementTree import Element

from lorelab.pages.marks import SIGNS, Tone
from lorelab.pages.nodes import node, safe_href
from lorelab.pages.numbers import number


@dataclass(frozen=True)
class Cell:
    """A value with more to it: a link, a tone, words of its own or a title shown on hovering."""

    value: str | bool | float | None
    text: str = ""
    """Shown instead of ``value``, by which the column is still sorted."""
    href: str = ""
    tone: Tone | None = None
    title: str = ""


Value = str | bool | float | None | Cell


@dataclass(frozen=True)
class Table:
    """Rows below column names. A column whose values are numbers or absent (None) stands to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    caption: str = ""

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {index} of table {self.caption!r}: {len(row)} values, {len(self.columns)} columns"
                )

    def draw(self) -> Element:
        """The table in a box of its own, which scrolls where the table is wider than the page."""
        rows = [[value if isinstance(value, Cell) else Cell(value) for value in row] for row in self.rows]
        numeric = [_is_numeric([row[column] for row in rows]) for column in range(len(self.columns))]
        classes = ["number" if right else None for right in numeric]
        names = [
            node("th", name, scope="col", class_=class_) for name, class_ in zip(self.columns, classes, strict=True)
        ]
        body = [node("tr", *map(_cell, row, classes)) for row in rows]
        caption = node("caption", self.caption) if self.caption else None
        table = node("table", caption, node("thead", node("tr", *names)), node("tbody", *body), class_="sortable")
        return node("div", table, class_="scroll", tabindex="0", role="region", aria_label=self.caption or "table")


def _is_numeric(cells: Sequence[Cell]) -> bool:
    values = [cell.value for cell in cells if cell.value is not None]
    return bool(values) and all(_is_number(value) for value in values)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _cell(cell: Cell, class_: str | None) -> Element:
    shown, sort_by = _shown(cell.value)
    shown = cell.text or shown
    content = node("a", shown, href=safe_href(cell.href)) if cell.href else shown
    sign = f"{SIGNS[cell.tone]} " if cell.tone and SIGNS[cell.tone] else ""
    classes = " ".join(part for part in (class_, cell.tone) if part) or None
    return node("td", sign, content, class_=classes, data_value=sort_by, title=cell.title or None)


def _shown(value: str | bool | float | None) -> tuple[str, str | None]:
    """What is written, and for numbers what JavaScript's Number() reads."""
    if isinstance(value, bool):
        return "yes" if value else "no", None
    if value is None or isinstance(value, str):
        return number(None) if value is None else value, None
    return number(value), repr(float(value)).replace("inf", "Infinity").replace("nan", "NaN")
