"""``lorelab lr-range``: the learning-rate range test of the run that ``lorelab train`` would begin."""

from __future__ import annotations

import argparse
import shlex
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lorelab.config.overrides import Composed, survey, sweeps
from lorelab.config.resolvers import register_resolvers
from lorelab.errors import LorelabError
from lorelab.paths import ROOT
from lorelab.records import RunRecord, RunStart, RunStatus

if TYPE_CHECKING:
    from lorelab.config.build import Parts
    from lorelab.training.lr_range import LrRange, RangeOptions

KIND = "lr-range"
"""Value of the tag ``lorelab.kind``, which no training run has."""


def main(argv: Sequence[str]) -> int:
    """Checks the command line as ``lorelab train`` does, tests, prints suggestions. Exit code 1: no suggestion."""
    args = _parser().parse_intermixed_args(argv)
    register_resolvers()
    composed = _composed(args)
    from lorelab.config.build import build
    from lorelab.training.lr_range import RangeOptions

    try:
        options = RangeOptions(start=args.start, end=args.end, steps=args.steps)
    except ValueError as error:
        raise LorelabError(f"--{error}") from error
    parts = build(composed.cfg, composed.origin)
    found = _tracked(composed, parts, options)
    _show(found, options, args, composed, parts.tracker.location)
    return 0 if found.suggestion.chosen else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "lorelab lr-range",
        description="The learning-rate range test: the run begins while its rate grows exponentially until the loss "
        "diverges. Nothing is kept of that training but its curve, with a suggestion where the curve supports one.",
        epilog="Exit status: 0 a rate is suggested, 1 none is (the reason is said), 2 refused.",
        allow_abbrev=False,
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="as for lorelab train, e.g. experiment=...")
    parser.add_argument("--start", type=float, default=1e-6, help="first learning rate (default 1e-6)")
    parser.add_argument("--end", type=float, default=10.0, help="last learning rate (default 10)")
    parser.add_argument("--steps", type=int, default=200, help="optimiser steps from start to end (default 200)")
    parser.add_argument("--config-dir", "-cd", metavar="FOLDER", help="your own YAML, as for lorelab train")
    parser.add_argument("-m", "--multirun", action="store_true", help=argparse.SUPPRESS)
    return parser


def _composed(args: argparse.Namespace) -> Composed:
    """The one config of the command line."""
    searched = [word for word in args.overrides if word.lstrip("+").startswith("search=")]
    swept = [*["-m"] * args.multirun, *searched, *sweeps(args.overrides)]
    if swept:
        raise LorelabError(
            f"found {' '.join(swept)}, a sweep; expected one value of each key: a range test is of one config. "
            "Call it once for each, or sweep the rate itself with lorelab train -m."
        )
    if resumed := [word for word in args.overrides if word.startswith("resume=")]:
        raise LorelabError(f"found {resumed[0]}; expected a run that begins. Give its overrides instead.")
    from lorelab.config.validate import validate_all

    seen = survey(args.overrides, config_dir=args.config_dir)
    validate_all(seen)
    (composed,) = seen.configs
    return composed


def _tracked(composed: Composed, parts: Parts, options: RangeOptions) -> LrRange:
    """The test as a run of its own in the store, closed however it ends."""
    from lorelab.training.interrupts import interruptible
    from lorelab.training.lr_range import lr_range
    from lorelab.training.opened import broken_off
    from lorelab.training.progress import ProgressLine

    start, tracker, progress = _start(composed, parts), parts.tracker, ProgressLine(composed.cfg.progress)
    clock, seed = time.perf_counter(), composed.cfg.seed

    def report(points: Mapping[str, float], step: int) -> None:
        points = {f"lr_range/{name}": value for name, value in points.items()}
        tracker.log(points, step)
        progress.update(points, step)

    with interruptible() as signals, tempfile.TemporaryDirectory(prefix="lorelab-") as folder:
        signals.held = True  # a run that is opened is closed
        run_id = tracker.start(start)
        record = RunRecord(run_id, start.name, RunStatus.RUNNING, "lr_range/loss_smoothed", "min")
        try:
            signals.release()
            progress.start(start.name, options.steps, record.monitor)
            found = lr_range(parts.learner, parts.data, parts.settings, seed=seed, options=options, report=report)
            _store(found, parts, start.name, Path(folder))
            record = replace(record, status=RunStatus.FINISHED, steps=len(found.rates), metrics=_metrics(found))
        except BaseException as error:
            record = broken_off(record, error)
            raise
        finally:
            signals.held = True
            tracker.finish(replace(record, seconds=time.perf_counter() - clock, location=tracker.location))
        signals.release()
    progress.finish(replace(record, seconds=time.perf_counter() - clock))
    return found


def _start(composed: Composed, parts: Parts) -> RunStart:
    """As of the run itself, but for what would let it be taken for one: its signature, and a place to go on from."""
    from lorelab.config.describe import describe, resolved
    from lorelab.config.trust import targets_of
    from lorelab.training.provenance import capture, code_version

    code = code_version(targets_of(resolved(composed.cfg)))
    dataset, tags = parts.data.splits.record, {"lorelab.kind": KIND}
    start = describe(composed.cfg, composed.origin, capture(ROOT), dataset, code=code, tags=tags)
    own = {key: value for key, value in start.tags.items() if key not in ("lorelab.signature", "lorelab.checkpoints")}
    return replace(start, name=f"{KIND}-{start.name}", tags=own)


def _store(found: LrRange, parts: Parts, title: str, folder: Path) -> None:
    import pandas as pd

    from lorelab.training.curves import draw_lr_range

    columns = {"lr": found.rates, "loss": found.losses, "loss_smoothed": found.smoothed}
    pd.DataFrame(columns).to_csv(folder / "lr_range.csv", index_label="step")
    draw_lr_range(found, folder / "lr_range.png", title=title)
    for file in sorted(folder.iterdir()):
        parts.tracker.artifact(file)
    parts.tracker.tag({"lorelab.suggestion": f"{found.suggestion.chosen or 'none'}: {found.suggestion.reason}"})


def _metrics(found: LrRange) -> dict[str, float]:
    further = {"suggestion": found.suggestion.chosen, "diverged_lr": found.diverged_rate}
    rates: dict[str, float | None] = {**found.suggestion.rates, **further}
    return {f"lr_range/{name}": rate for name, rate in rates.items() if rate is not None}


def _show(found: LrRange, options: RangeOptions, args: argparse.Namespace, composed: Composed, where: str) -> None:
    from lorelab.cli.runs import empty_table, show

    table = empty_table(["rule", "rate"], right=["rate"])
    for name, rate in found.suggestion.rates.items():
        table.add_row(name, f"{rate:.2g}")
    if found.diverged_at is not None:
        table.add_row(f"diverged (step {found.diverged_at} of {options.steps})", f"{found.diverged_rate:.2g}")
    if table.row_count:
        show(table)
    chosen, reason = found.suggestion.chosen, found.suggestion.reason
    print(f"\nsuggestion: {f'{chosen:.2g}, ' if chosen else 'none: '}{reason}")
    if chosen:
        key = "optimizer.lr" if "lr" in composed.cfg.optimizer else "+optimizer.lr"
        kept = [word for word in args.overrides if word.lstrip("+").partition("=")[0] != "optimizer.lr"]
        folder = ["--config-dir", args.config_dir] if args.config_dir else []
        print("use it:     " + shlex.join(["lorelab", "train", *folder, *kept, f"{key}={chosen:.2g}"]))
    print(f"where:      {where or 'not stored (tracker=none)'}")
