"""``lorelab lr-curve``: final score against learning rate, with intervals over seeds and the edge of divergence."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lorelab.errors import LorelabError
from lorelab.paths import ROOT


def main(argv: Sequence[str]) -> int:
    """Trains a grid of rates × seeds, as a sweep that goes on where it stopped, and draws it. Returns the exit code.

    Raises:
        LorelabError: a wrong range, or nothing to draw.
    """
    args = _parser().parse_intermixed_args(argv)
    rates = _rates(args)
    words = [word for word in args.overrides if word.partition("=")[0] in ("optimizer.lr", "seed", "sweep.name")]
    if words:
        raise LorelabError(
            f"lr-curve: found {' '.join(words)}; expected the options --low, --high, --points and --seeds."
        )
    from lorelab.cli import train
    from lorelab.training.provenance import code_version

    seeds = ",".join(map(str, range(args.seeds)))
    command = ["-m", *args.overrides, f"optimizer.lr={','.join(rates)}", f"seed={seeds}"]
    digest = hashlib.sha256(" ".join([*command, code_version()]).encode()).hexdigest()[:8]
    name = f"lr-curve-{digest}"
    try:
        status = train.main([*command, f"sweep.name={name}"])
    except SystemExit as end:  # a trial failed; the others are drawn all the same
        status = end.code if isinstance(end.code, int) else 1
        if status > 1:
            raise
    own = [word.partition("=")[2] for word in args.overrides if word.startswith("paths.outputs=")]
    folder = (Path(own[-1]).absolute() if own else ROOT / "outputs") / "sweeps" / name
    _draw(folder, args.metric, f"lorelab lr-curve {' '.join(argv)}")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lorelab lr-curve", description="Final score against learning rate.")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as lorelab train takes them")
    parser.add_argument("--low", type=float, default=1e-5, help="lowest rate (default 1e-5)")
    parser.add_argument("--high", type=float, default=1.0, help="highest rate (default 1)")
    parser.add_argument("--points", type=int, default=11, help="rates, evenly spaced on a log scale (default 11)")
    parser.add_argument("--seeds", type=int, default=3, help="runs at each rate (default 3)")
    parser.add_argument(
        "--metric", help="of the test split, e.g. test/accuracy (default: the score on validation data)"
    )
    return parser


def _rates(args: argparse.Namespace) -> list[str]:
    if not (0 < args.low < args.high and args.points >= 2 and args.seeds >= 1):
        raise LorelabError(
            f"lr-curve: found --low {args.low:g} --high {args.high:g} --points {args.points} --seeds {args.seeds}; "
            "expected 0 < low < high, at least two points and one seed."
        )
    return [f"{rate:.3g}" for rate in np.geomspace(args.low, args.high, args.points)]


def _draw(folder: Path, metric: str | None, command: str) -> None:
    from lorelab.cli.runs import empty_table, number, show
    from lorelab.pages.page import Code, Figure, page, picture
    from lorelab.sweeps.curve import best, draw, edge, responses
    from lorelab.sweeps.summary import summary_of

    summary = summary_of(folder)
    curve, name = responses(summary.trials, metric), metric or summary.monitor
    if not any(each.scores for each in curve):
        known = sorted({key for trial in summary.trials for run in trial.runs for key in run.metrics})
        raise LorelabError(
            f"lr-curve: no run measured '{name}'; expected one of {', '.join(known) or 'none: all failed'}."
        )
    chart = draw(f"{name} against learning rate", name, curve, summary.trials, summary.direction)
    table = empty_table(["learning rate", "n", "mean", "95% interval", "diverged"], ["learning rate", "n", "mean"])
    for each in curve:
        bounds = "–" if each.low != each.low else f"{number(each.low)} to {number(each.high)}"
        mean = "–" if not each.scores else number(each.mean)
        table.add_row(f"{each.rate:.3g}", str(len(each.scores)), mean, bounds, str(each.diverged or ""))
    show(table)
    top, limit = best(curve, summary.direction), edge(curve)
    if top is not None:
        print(f"best: optimizer.lr={top.rate:.3g} ({name} {number(top.mean)})")
    print("divergence edge: " + (f"from {limit:.3g} on" if limit is not None else "none up to the highest rate"))
    files = folder / "lr-curve.html", folder / "lr-curve.svg"
    caption = "Points are runs, the line their mean, the band its 95 % interval; crosses diverged."
    files[0].write_text(
        page(f"Learning rates: {folder.name}", [Figure(chart, caption), Code(command)]), encoding="utf-8"
    )
    files[1].write_text(picture(chart), encoding="utf-8")
    print(f"picture: {files[0]} | {files[1].name}", file=sys.stdout)
