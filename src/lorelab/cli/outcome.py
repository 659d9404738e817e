"""What ``lorelab train`` prints when a run has ended."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from lorelab.cli.runs import empty_table, number, show
from lorelab.records import RunRecord


def print_outcomes(records: Sequence[RunRecord]) -> None:
    """One line per run of a multirun, in the order they ended, and where to look."""
    monitor = records[0].monitor
    table = empty_table(["run", "status", monitor, "time"], right=[monitor, "time"])
    for record in records:
        table.add_row(record.name, str(record.status), number(record.score), f"{record.seconds:.1f} s")
    show(table)
    print("\nlook: lorelab compare --by PARAMETER --sweep latest | lorelab runs | lorelab ui")


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
