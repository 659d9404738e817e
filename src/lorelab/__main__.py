"""The ``lorelab`` command. Imports nothing heavy: each command's module is loaded when it is called."""

from __future__ import annotations

import atexit
import contextlib
import difflib
import importlib
import os
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from lorelab import __version__
from lorelab.errors import LorelabError
from lorelab.heap import keep_freed_memory
from lorelab.sweeps.fork_server import without_threads

COMMANDS = {
    "train": "train one model from a config, or many with -m (Hydra overrides)",
    "sweep": "list sweeps, show one, go on with one, stop one",
    "study": "plan, run, check and reproduce studies: claims that end in verdicts",
    "runs": "list and filter the runs in the store",
    "lr-range": "the learning-rate range test of a run (Hydra overrides)",
    "lr-curve": "final score against learning rate, over seeds, with the edge of divergence",
    "rerun": "train a stored run again from its record and compare",
    "sync": "deliver what runs kept while their store was away",
    "compare": "group runs by parameters and aggregate over seeds",
    "data": "show what is understood of a data set; write example data",
    "sample": "let a trained language model write",
    "ui": "browse the store in MLflow's web interface, on this machine only",
}
_USAGE = "\n".join(
    [
        "usage: lorelab COMMAND [...]",
        "",
        "Puts the folk wisdom about training neural networks to the test.",
        "",
        *(f"  {name:<10}{about}" for name, about in COMMANDS.items()),
        "",
        "lorelab COMMAND --help tells more; lorelab --version the version.",
    ]
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 done, 1 failed, 2 refused, 128 + n stopped by signal n."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # A user's own modules are found from where they work, but never shadow an installed package.
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.append(str(Path.cwd()))
    if arguments and arguments[0] in ("-sc", "--shell-completion"):
        line = os.environ.get("COMP_LINE", "")
        command = line.split()[1:2]
        if not command or (line.split()[-1:] == command and not line.endswith(" ")):
            print(*(name for name in COMMANDS if name.startswith("".join(command))), sep="\n")
            return 0
        if command != ["train"]:  # the others take no overrides
            return 0
        arguments = ["train", *arguments]
        os.environ["COMP_LINE"] = re.sub(r"^(\S+\s+)train\s", r"\1", line)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_USAGE)
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"lorelab {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else f" Commands: {', '.join(COMMANDS)}."
        print(f"lorelab: no command '{name}'.{hint}", file=sys.stderr)
        return 2
    keep_freed_memory()
    without_threads()
    return _run(name, rest)


def _run(name: str, rest: Sequence[str]) -> int:
    try:
        return int(importlib.import_module(f"lorelab.cli.{name.replace('-', '_')}").main(rest))
    except LorelabError as error:
        print(f"lorelab {name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # outside a run, which closes itself and says so
        print(f"lorelab {name}: stopped by SIGINT", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `lorelab runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as stop:
        if not hasattr(stop, "exit_code"):
            raise
        print(f"lorelab {name}: {stop}", file=sys.stderr)
        return int(stop.exit_code)


def run() -> None:
    """The process ``lorelab``. It ends at once: Python's own end looks through all that there is, which takes seconds
    after a long sweep. One that was asked to end by a signal does not wait for threads that still wait for a store."""
    status = main()
    if status <= 128:
        if any(not each.daemon for each in threading.enumerate() if each is not threading.main_thread()):
            sys.exit(status)
        atexit._run_exitfuncs()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
