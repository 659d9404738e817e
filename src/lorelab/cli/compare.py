"""``lorelab compare``: groups runs by any parameters and aggregates each group over its seeds."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lorelab.cli.runs import (
    ALL_RUNS,
    FILTER_HELP,
    add_store_options,
    empty_table,
    explain_none,
    number,
    open_store,
    show,
    strict,
)
from lorelab.errors import LorelabError

if TYPE_CHECKING:
    from lorelab.tracking.aggregate import Comparison, Group
    from lorelab.tracking.mlflow_store import MLflowStore

STATISTICS = (
    "n",
    "mean",
    "sd",
    "low",
    "high",
    "best",
    "worst",
    "diverged",
    "failed",
    "killed",
    "unfinished",
    "missing",
)


def main(argv: Sequence[str]) -> int:
    """Prints one line per group, and on stderr what makes the comparison unfair. Returns the exit code."""
    args = _parser().parse_intermixed_args(argv)
    from lorelab.tracking.aggregate import compare

    store = open_store(args)
    filters = dict(args.filters)
    if args.sweep:
        filters["lorelab.sweep"] = _latest_sweep(store) if args.sweep == "latest" else args.sweep
    runs = list(store.runs(filters=filters, limit=ALL_RUNS))
    if not runs:
        explain_none(store, filters)
        return 1
    comparison = compare(runs, args.by, args.metric)
    for warning in comparison.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        print(json.dumps(strict(asdict(comparison)), indent=2))
    elif args.csv:
        _write_csv(comparison)
    else:
        _print(comparison)
    if args.picture:
        from lorelab.cli.chart import draw_comparison

        draw_comparison(comparison, args.picture)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "lorelab compare", description="Compares groups of runs over their seeds.", epilog=FILTER_HELP
    )
    add_store_options(parser)
    parser.add_argument(
        "--by", action="append", required=True, metavar="PARAMETER", help="what to group by; repeatable"
    )
    parser.add_argument("--metric", default="score", help="default score; or any metric, e.g. test/accuracy, seconds")
    parser.add_argument("--sweep", metavar="ID", help="only the runs of one command; 'latest' for the newest")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw it: .png, .svg or .pdf")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs, with the warnings")
    form.add_argument("--csv", action="store_true", help="for spreadsheets")
    return parser


def _latest_sweep(store: MLflowStore) -> str:
    for run in store.runs(limit=1000):
        if sweep := run.tags.get("lorelab.sweep"):
            return sweep
    raise LorelabError(
        "--sweep latest: none of the 1000 newest runs belongs to a sweep. Start one: lorelab train -m seed=0,1,2"
    )


def _print(comparison: Comparison) -> None:
    lost = [name for name in STATISTICS[7:] if any(getattr(group, name) for group in comparison.groups)]
    numbers = ["n", "mean", "sd", "95% interval", "best", "worst", *lost]
    table = empty_table([*comparison.by, *numbers], right=[*comparison.by, *numbers])
    for group in comparison.groups:
        table.add_row(*group.values, *_cells(group), *(str(getattr(group, name)) for name in lost))
    show(table)
    print("\n" + footer(comparison))


def _cells(group: Group) -> list[str]:
    interval = "–" if group.low is None else f"[{number(group.low)}, {number(group.high)}]"
    values = [group.mean, group.sd, group.best, group.worst]
    mean, sd, best, worst = map(number, values)
    return [str(group.n), mean, sd, interval, best, worst]


def footer(comparison: Comparison) -> str:
    """How to read the table: what the number is, which way is better, and what was left out of the means."""
    what = comparison.metric
    if what == "score" and comparison.monitor:
        what = f"score is the best {comparison.monitor} of a run"
    better = "higher" if comparison.mode == "max" else "lower"
    lines = [f"{what}; {better} is better. Mean over finished runs, 95 % interval of the mean by Student's t."]
    total = sum(group.total for group in comparison.groups)
    lost = total - sum(group.n for group in comparison.groups)
    if lost:
        lines.append(
            f"{lost} of {total} runs have no part in the means and are counted on the right: "
            "a group that lost runs looks better than it is."
        )
    return "\n".join(lines)


def _write_csv(comparison: Comparison) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow([*comparison.by, *STATISTICS])
    for group in comparison.groups:
        writer.writerow([*group.values, *(getattr(group, name) for name in STATISTICS)])
