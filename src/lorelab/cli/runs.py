"""``lorelab runs``: lists and filters stored runs. Also what it shares with ``compare``: store options and tables."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lorelab.tracking.mlflow_store import KIND
from lorelab.tracking.protocol import StoredRun
from lorelab.tracking.selection import lookup, require_names, tag_name

if TYPE_CHECKING:
    from rich.table import Table

    from lorelab.tracking.mlflow_store import MLflowStore

COLUMNS = ("name", "status", "data", "model", "optimizer", "seed", "score", "seconds", "started", "id")
ALL_RUNS = 100_000


def main(argv: Sequence[str]) -> int:
    """Prints the runs that fit the filters, newest first unless sorted otherwise. Returns the exit code."""
    args = _parser().parse_intermixed_args(argv)
    filters, limit = _with_kind(dict(args.filters)), args.last or ALL_RUNS
    store = open_store(args)
    found = list(store.runs(filters=filters, limit=limit + 1))
    if not found:
        explain_none(store, filters)
        return 1
    if args.json:
        print(json.dumps([strict(asdict(run)) for run in found[:limit]], indent=2))
    else:
        columns = args.columns or list(COLUMNS)
        _require_columns([*columns, args.sort], found)
        show(_table(_sorted(found[:limit], args.sort), columns))
        if len(found) > limit:
            print(f"\nThe {limit} newest runs; --last N for more, --last 0 for all.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lorelab runs", description="Lists stored runs.", epilog=FILTER_HELP)
    add_store_options(parser)
    parser.add_argument(
        "--last", type=_count, default=50, metavar="N", help="the N newest only (default 50, 0 for all)"
    )
    parser.add_argument("--sort", default="started", metavar="WHAT", help="started, score, seconds or any metric")
    parser.add_argument("--columns", type=_names, metavar="A,B", help=f"default {','.join(COLUMNS)}; or any parameter,"
                        " metric or tag")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="everything that is stored of them, for programs")
    return parser


FILTER_HELP = "Filters: any parameter, tag or status, e.g.  optimizer=adam optimizer.lr=0.01 status=finished sweep=ID"


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """What every command that reads runs takes: filters, and which store and experiment."""
    parser.add_argument("filters", nargs="*", type=_filter, default=[], metavar="key=value", help="see below")
    parser.add_argument("--uri", help="the store (default MLFLOW_TRACKING_URI, else mlruns/mlflow.db in the checkout)")
    parser.add_argument("--experiment", default="lorelab", help="MLflow experiment, 'all' for all (default lorelab)")


def open_store(args: argparse.Namespace) -> MLflowStore:
    """The store that ``add_store_options`` describes."""
    from lorelab.tracking.mlflow_store import MLflowStore

    return MLflowStore(args.uri, experiment=None if args.experiment == "all" else args.experiment)


def explain_none(store: MLflowStore, filters: Mapping[str, str]) -> None:
    """Says on stderr that nothing fits. Raises ``StoreError`` if no run of the kind knows a filter's name."""
    kind = {key: value for key, value in filters.items() if tag_name(key) == KIND}
    there = store.runs(filters=kind, limit=200)
    if there:
        require_names(list(filters), there, "filter")
    asked = " ".join(f"{key}={value}" for key, value in filters.items())
    where = f"experiment '{store.experiment}'" if store.experiment else "any experiment"
    none_fits = asked and (there or kind)
    advice = f"No run fits {asked}" if none_fits else "There are no runs yet; train one with lorelab train"
    print(f"{advice} ({where}, store {store.uri}).", file=sys.stderr)


def show(table: Table) -> None:
    """Prints to stdout, as wide as the table is: nothing is cut in a pipe, and a narrow terminal wraps the lines."""
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    console.width = Console(width=10_000).measure(table).maximum
    console.print(table, crop=False)


def empty_table(columns: Sequence[str], right: Sequence[str] = ()) -> Table:
    """A table without rules; ``right`` are the columns of numbers."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return table


def number(value: float | None) -> str:
    """Four significant digits; a dash for None."""
    return "–" if value is None else f"{value:.4g}"


def strict(value: Any) -> Any:
    """Without NaN and infinities, which JSON does not have: None in their place."""
    if isinstance(value, Mapping):
        return {key: strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [strict(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_kind(filters: dict[str, str]) -> dict[str, str]:
    """Only studies have verdicts, and they are found by their kind only."""
    names = [key.removeprefix("tags.").removeprefix("lorelab.") for key in filters]
    if any(name.startswith("verdict.") for name in names) and not any(tag_name(key) == KIND for key in filters):
        return filters | {"kind": "study"}
    return filters


def _table(runs: Sequence[StoredRun], columns: Sequence[str]) -> Table:
    metrics = {name for run in runs for name in run.metrics} | {"score", "seconds"}
    table = empty_table(columns, right=[*metrics, "seed"])
    for run in runs:
        table.add_row(*(_cell(run, column) for column in columns))
    return table


def _cell(run: StoredRun, column: str) -> str:
    from lorelab.tracking.aggregate import measured

    if column == "id":
        return run.run_id[:8]
    if column == "started":
        return datetime.fromtimestamp(run.started).astimezone().strftime("%Y-%m-%d %H:%M")
    if column in run.metrics or column in {"score", "seconds"}:
        return number(measured(run, column))
    return lookup(run, column) or "–"


def _sorted(runs: Sequence[StoredRun], by: str) -> list[StoredRun]:
    """Best first by a metric (as ``compare`` orients it), newest by start; runs without a value last."""
    from lorelab.tracking.aggregate import measured, orientation

    if by == "started":
        return sorted(runs, key=lambda run: -run.started)

    def place(run: StoredRun) -> tuple[bool, float]:
        value = measured(run, by)
        sign = 1.0 if orientation([run], by)[1] == "min" else -1.0
        return (True, 0.0) if value is None or math.isnan(value) else (False, sign * value)

    return sorted(runs, key=place)


def _require_columns(names: Sequence[str], runs: Sequence[StoredRun]) -> None:
    metrics = {name for run in runs for name in run.metrics}
    known = metrics | {*COLUMNS}
    require_names([name for name in names if name not in known], runs, "column", also=known)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is no number of runs; expected 0 (all) or more")
    return int(text)


def _filter(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"'{text}' is no filter; expected key=value, e.g. optimizer.lr=0.01")
    return key, value
