"""A summary of data as rich shows it, and as plain text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lorelab.data.summary import Summary

_MOST_ROWS = 24
_WIDTH = 110


def as_text(summary: Summary) -> str:
    """Plain text, 110 columns wide."""
    out = io.StringIO()
    console = Console(file=out, width=_WIDTH, color_system=None)
    console.print(Group(*renderables(summary)))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def renderables(summary: Summary) -> Iterator[RenderableType]:
    """The facts, then what there is to tell of classes, targets and columns, then the cautions."""
    yield _facts(summary)
    sizes = list(summary.sizes)
    if summary.classes:
        yield from _table("Classes", ["class", *sizes, "share of train"], _class_rows(summary))
    if summary.target_values:
        rows = [[name, *map(_number, values.values())] for name, values in summary.target_values.items()]
        yield from _table("Targets, in their own units", ["split", "mean", "std", "min", "max"], rows)
    if summary.missing:
        by_most = sorted(summary.missing.items(), key=lambda item: -sum(item[1].values()))
        rows = [[name, *(f"{counts[split]:,}" for split in sizes)] for name, counts in by_most]
        yield from _table("Missing values", ["column", *sizes], rows)
    if summary.cautions:
        yield Text("\nTake care", style="bold yellow")
        grid = _grid()
        for caution in summary.cautions:
            grid.add_row(Text("!", style="bold yellow"), Text(caution))
        yield grid


def _facts(summary: Summary) -> RenderableType:
    grid = _grid()
    facts = {
        "data": summary.name,
        "from": summary.source,
        "examples": ", ".join(f"{split} {count:,}" for split, count in summary.sizes.items()),
        "inputs": summary.inputs,
        "target": summary.targets,
        "fits": summary.task,
        "characters": _characters(summary),
        "vocabulary": f"{summary.vocabulary} symbols, one of them for unknown characters" if summary.vocabulary else "",
        "missing": "none" if summary.missing == {} else "",
        "duplicates": _duplicates(summary),
        "fingerprint": summary.fingerprint,
    }
    for name, value in facts.items():
        if value:
            grid.add_row(Text(name, style="bold"), Text(value, overflow="fold"))
    for note in summary.notes:
        grid.add_row(Text("note", style="bold"), Text(note))
    return grid


def _characters(summary: Summary) -> str:
    if not summary.characters:
        return ""
    unknown = ", ".join(f"{split} {count:,}" for split, count in summary.unknown.items())
    return f"{summary.characters:,} in all; unknown among the targets: {unknown}"


def _number(value: float) -> str:
    """Five digits, and never less than the whole number."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.5g}"


def _duplicates(summary: Summary) -> str:
    found = summary.duplicates
    if found is None:
        return "not searched: windows of a text are no examples of their own"
    repeated = [f"{count:,} within {split}" for split, count in found.within.items() if count]
    shared = [f"{count:,} in {pair.replace('/', ' and ')}" for pair, count in found.across.items() if count]
    return ", ".join([*repeated, *shared]) or "none"


def _class_rows(summary: Summary) -> list[list[str]]:
    total = max(1, summary.sizes["train"])
    return [
        [name, *(f"{counts[split]:,}" for split in summary.sizes), f"{counts['train'] / total:.1%}"]
        for name, counts in summary.classes.items()
    ]


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[RenderableType]:
    """At most 24 rows: the first and the last."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    short = len(rows) > _MOST_ROWS
    half = _MOST_ROWS // 2
    for row in rows[:half] if short else rows:
        table.add_row(*map(Text, row))
    if short:
        table.add_row(Text(f"… {len(rows) - 2 * half} more", style="dim"))
        for row in rows[-half:]:
            table.add_row(*map(Text, row))
    yield Text(f"\n{title}", style="bold")
    yield table


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid
