"""Writes what the calibration found: tables into README.md, every number into results/calibration.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

from benchmarks.report import HERE, circumstances, replace_section


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first of which names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]

    def markdown(self) -> str:
        """Shares as per cent with one digit; floats only."""
        lines = [f"| {' | '.join(self.columns)} |", "| --- |" + " ---: |" * (len(self.columns) - 1)]
        lines += [
            "| " + " | ".join(f"{c:.1f}" if isinstance(c, float) else str(c) for c in row) + " |" for row in self.rows
        ]
        return "\n".join([f"**{self.title}**", "", *lines])


def publish(tables: Sequence[Table], notes: Sequence[str], studies: int) -> str:
    """Stores everything and returns the text of the section."""
    facts = (
        circumstances() | {name: version(name) for name in ("numpy", "scipy")} | {"simulated studies a cell": studies}
    )
    for name in ("torch", "pytorch-lightning"):
        del facts[name]
    text = "\n\n".join(
        ["; ".join(f"{key} {value}" for key, value in facts.items()), *(t.markdown() for t in tables), *notes]
    )
    content = {"benchmark": "calibration", **facts, "notes": list(notes), "tables": [asdict(table) for table in tables]}
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "calibration.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    replace_section("calibration", text)
    return text
