"""What ``lorelab train`` prints when a run has ended."""

from __future__ import annotations

from rich.console import Console

from lorelab.records import RunRecord


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
