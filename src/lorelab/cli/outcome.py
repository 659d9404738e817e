"""What ``lorelab train`` prints when a run has ended."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from lorelab.records import RunRecord


def print_outcomes(records: Sequence[RunRecord], console: Console | None = None) -> None:
    """One line per run of a multirun, in the order they ended, and where to look."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading, side in {"run": "left", "status": "left", records[0].monitor: "right", "time": "right"}.items():
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for record in records:
        score = "–" if record.score is None else f"{record.score:.4g}"
        table.add_row(record.name, str(record.status), score, f"{record.seconds:.1f} s")
    console = console or Console(highlight=False, markup=False)
    console.print(table, soft_wrap=True)
    console.print("\nlook: lorelab compare --by PARAMETER --sweep latest | lorelab runs | lorelab ui", soft_wrap=True)


def print_outcome(record: RunRecord, console: Console | None = None) -> None:
    """Score, test metrics, time, name and where to look, on standard output."""
    at = "" if record.best_step is None else f" (best, step {record.best_step})"
    score = "never measured" if record.score is None else f"{record.score:.4g}{at}"
    rows = {"run": record.name, "status": str(record.status), record.monitor: score}
    if record.diverged_at is not None:
        rows["status"] += f" at step {record.diverged_at}"
    per_run = {k: v for k, v in record.metrics.items() if k.startswith("test/") and k.count("/") == 1}
    rows |= {key: f"{value:.4g}" for key, value in per_run.items()}
    rows["time"] = f"{record.seconds:.1f} s, {record.steps} steps"
    rows["where"] = record.location or "not stored (tracker=none)"
    rows["look"] = "lorelab runs | lorelab ui"
    console = console or Console(highlight=False)
    width = max(map(len, rows))
    for key, value in rows.items():
        console.print(f"  {key:<{width}}  {value}", soft_wrap=True, markup=False)
