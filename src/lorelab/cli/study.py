"""``lorelab study``: plans a study, runs it, checks, renders and reproduces what it found."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from lorelab.errors import LorelabError
from lorelab.paths import ROOT

EXPERIMENTS = ROOT / "experiments"
COMMANDS = {
    "list": "the studies there are, and what they found",
    "plan": "what a study would train, what it would cost, and what it could detect; trains nothing",
    "run": "tune, train on fresh seeds, decide; goes on where it stopped; takes several names",
    "report": "render the pages again from runs.csv and verdict.json",
    "check": "recompute the verdicts from runs.csv and compare them with verdict.json",
    "reproduce": "train everything again and say, number by number, whether the reported result came out",
    "new": "write a commented study of your own",
}


def main(argv: Sequence[str]) -> int:
    """Runs one of them. Returns the exit code: 1 if a check fails or a reproduction differs.

    Raises:
        LorelabError: what was asked for is not there or cannot be done.
    """
    args = _parser().parse_intermixed_args(argv)
    if args.command == "run":
        args.more = [word for word in args.overrides if not _is_override(word)]
        args.overrides = [word for word in args.overrides if _is_override(word)]
    return _commands()[args.command](args)


def _commands() -> dict[str, Callable[[argparse.Namespace], int]]:
    from lorelab.cli import study_check, study_new, study_plan, study_report

    return {
        "list": study_report.index,
        "plan": study_plan.plan,
        "run": study_report.run,
        "report": study_report.report,
        "check": study_check.check,
        "reproduce": study_check.reproduce,
        "new": study_new.new,
    }


def _parser() -> argparse.ArgumentParser:
    told = "\n".join(f"  {name:<10}{about}" for name, about in COMMANDS.items())
    parser = argparse.ArgumentParser(
        "lorelab study",
        description=f"Claims that end in verdicts.\n\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=list(COMMANDS), metavar="COMMAND")
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="conf/study/NAME.yaml, or a path to a YAML file; of run, several"
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="scale=smoke|laptop|full; or Hydra overrides for every run, over the study's: trainer.max_epochs=1",
    )
    parser.add_argument("--results", type=Path, default=EXPERIMENTS, help="default experiments in the checkout")
    parser.add_argument("--from", dest="template", default="two-arms", help="of new: the template (two-arms)")
    return parser


def _is_override(word: str) -> bool:
    return "=" in word or word.startswith("~")


def scale_of(args: argparse.Namespace) -> tuple[str, tuple[str, ...]]:
    """The scale (laptop unless said otherwise), and the overrides that are for the runs.

    Raises:
        LorelabError: no name was given, or a word is no override.
    """
    if args.name is None or "=" in args.name:
        raise LorelabError(f"study {args.command}: found no NAME; expected one of conf/study/, see lorelab study list")
    if wrong := [word for word in args.overrides if not _is_override(word)]:
        raise LorelabError(f"study {args.command}: found {' '.join(wrong)}; expected KEY=VALUE")
    named = [word.partition("=")[2] for word in args.overrides if word.startswith("scale=")]
    return (named or ["laptop"])[-1], tuple(word for word in args.overrides if not word.startswith("scale="))
