"""``lorelab sweep``: lists sweeps, shows one, goes on with one, stops one."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from lorelab.cli.runs import empty_table, number, show
from lorelab.errors import LorelabError
from lorelab.sweeps.folder import ABOUT, STOP, SWEEPS, read


def main(argv: Sequence[str]) -> int:
    """Runs one of the four. Returns the exit code.

    Raises:
        LorelabError: there is no such sweep.
    """
    args, more = _parser().parse_known_args(argv)  # overrides on both sides of an option
    wrong = [word for word in more if word.startswith("-") or "=" not in word or args.command != "resume"]
    if wrong:
        raise LorelabError(f"sweep {args.command}: found {' '.join(wrong)}; expected what lorelab sweep --help lists")
    if more:
        args.overrides = [*args.overrides, *more]
    commands = {"list": _list, "show": _show, "resume": _resume, "stop": _stop}
    return commands[args.command](args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lorelab sweep", description="Sweeps: lorelab train -m starts one.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|show|resume|stop")
    about = {
        "list": "all sweeps, the newest first",
        "show": "one sweep as it stands: its trials, the best, what confirmation made of it",
        "resume": "do what is missing, with the command it was started with; further overrides come on top",
        "stop": "end it after the trials under way, or at once; resume goes on with it",
    }
    for name, help_text in about.items():
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument("--folder", type=Path, default=SWEEPS, help="default outputs/sweeps in the checkout")
        if name != "list":
            command.add_argument("name", metavar="NAME")
        if name == "resume":
            command.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="e.g. search.trials=60")
        if name == "stop":
            command.add_argument("--now", action="store_true", help="interrupt the trials under way, too")
    return parser


def _list(args: argparse.Namespace) -> int:
    from lorelab.sweeps.summary import summary_of

    folders = sorted((path.parent for path in args.folder.glob(f"*/{ABOUT}")), key=lambda path: -read(path).created)
    if not folders:
        print(f"There are no sweeps in {args.folder}. Start one: lorelab train -m seed=0,1,2")
        return 1
    table = empty_table(["name", "trials", "score", "best", "begun"], right=["trials", "score"])
    for folder in folders:
        summary = summary_of(folder)
        counts = ", ".join(f"{count} {status}" for status, count in summary.counts().items())
        begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(read(folder).created))
        best = "" if summary.best is None else f"trial {summary.best.number}"
        table.add_row(summary.name, f"{counts} of {summary.total}", number(summary.score), best, begun)
    show(table)
    return 0


def _show(args: argparse.Namespace) -> int:
    from lorelab.sweeps.closing import failures, print_summary
    from lorelab.sweeps.report import write_pages
    from lorelab.sweeps.summary import summary_of

    folder = args.folder / args.name
    summary = summary_of(folder)
    write_pages(summary, folder)
    print_summary(summary, folder)
    for line in failures(summary.trials, folder):
        print(line)
    return 0


def _resume(args: argparse.Namespace) -> int:
    from lorelab.cli import train

    about = read(args.folder / args.name)
    new = {word.lstrip("+~").partition("=")[0] for word in args.overrides}
    kept = [word for word in about.command if word.lstrip("+~").partition("=")[0] not in {*new, "sweep.name"}]
    os.chdir(about.cwd)  # its paths are relative to where it was started
    return train.main([*kept, *args.overrides, f"sweep.name={about.name}"])


def _stop(args: argparse.Namespace) -> int:
    folder = args.folder / args.name
    about = read(folder)
    (folder / STOP).touch()
    stopped = _interrupt(folder) if args.now else 0
    what = f"{stopped} processes were told to end" if args.now else "it ends after the trials under way"
    print(f"{about.name}: {what}; lorelab sweep resume {about.name} goes on with it")
    return 0


def _interrupt(folder: Path) -> int:
    """SIGTERM to the processes of this host that work on a trial: each closes its run with a checkpoint."""
    import signal

    from lorelab.sweeps.search import Search

    about = read(folder)
    found = Search.of(folder, about).processes_here()
    for pid in found:
        try:
            os.kill(pid, signal.SIGTERM)
        except OSError as error:
            raise LorelabError(f"process {pid} of sweep {about.name} cannot be told to end: {error}") from error
    return len(found)
