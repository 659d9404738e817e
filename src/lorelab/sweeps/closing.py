"""What is printed when a sweep has ended, or when somebody asks how it stands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lorelab.pages.numbers import number
from lorelab.sweeps.folder import SWEEPS
from lorelab.sweeps.summary import Summary, confirmed_line, words_of
from lorelab.sweeps.trials import ENDED, Trial, TrialStatus, best_first

MOST = 20
"""Trials shown: all of a small sweep, the best of a large one."""


def print_summary(summary: Summary, folder: Path, console: Console | None = None) -> None:
    """A table of trials, the best, its confirmation, and where to look."""
    console = console or Console(markup=False, highlight=False)
    shown = list(summary.trials)
    if len(shown) > MOST:
        shown = best_first(summary.trials, summary.direction)[:MOST]
    keys = [each.key for each in summary.dimensions]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("trial", "status", summary.monitor, *keys, "time"):
        table.add_column(column, justify="left" if column == "status" else "right", no_wrap=True)
    for trial in shown:
        seconds = sum(run.seconds for run in trial.runs)
        values = [_cell(trial.params.get(key)) for key in keys]
        table.add_row(str(trial.number), str(trial.status), _cell(trial.value), *values, f"{seconds:.1f} s")
    console.width = Console(width=10_000).measure(table).maximum
    console.print(table, crop=False)
    lines = [f"({len(shown)} best of {len(summary.trials)})"] if len(shown) < len(summary.trials) else []
    lines.append(f"{summary.name}: " + ", ".join(f"{count} {status}" for status, count in summary.counts().items()))
    over_seeds = "seed" in keys  # the best of several seeds is luck
    if summary.best is not None and summary.dimensions and not over_seeds:
        lines.append(f"best: trial {summary.best.number}, {words_of(summary.best)}")
    runs = [run for trial in summary.trials for run in trial.runs]
    if spared := sum(run.spared for run in runs):
        lines.append(f"{spared} of {len(runs)} runs had been trained before and were not again (force=true does that)")
    lines += [confirmed_line(each, summary.monitor) for each in summary.confirmed]
    lines += [f"note: {line}" for line in summary.near_edge()]
    if summary.preset and not over_seeds:
        lines.append(f"train with it: {summary.preset}")
    missing = summary.total - sum(trial.status in ENDED for trial in summary.trials)
    there = "" if folder.parent == SWEEPS else f" --folder {shlex.quote(str(folder.parent))}"
    if missing > 0:
        lines.append(f"not whole: {missing} of {summary.total} trials have not ended; go on: "
                     f"lorelab sweep resume{there} {summary.name}")  # fmt: skip
    lines.append(f"look: {folder / 'sweep.html'} | lorelab sweep show{there} {summary.name} | "
                 f"lorelab compare --by PARAMETER --sweep {summary.name} | lorelab ui")  # fmt: skip
    for line in lines:
        console.print(line, soft_wrap=True)


def failures(trials: Sequence[Trial], folder: Path) -> list[str]:
    """A line per failed trial: its number, the last line of what went wrong, and where the rest lies."""
    lines = []
    for trial in trials:
        if trial.status is TrialStatus.FAILED:
            last = trial.error.strip().splitlines()[-1] if trial.error.strip() else "no reason given"
            lines.append(f"trial {trial.number} failed: {last} ({folder / 'trials' / str(trial.number)})")
    return lines


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return number(value) if isinstance(value, float) else str(value)
