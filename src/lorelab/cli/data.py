"""``lorelab data``: what was understood of a data set, and example data in the formats a user brings."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lorelab.errors import LorelabError
from lorelab.paths import ROOT

if TYPE_CHECKING:
    from lorelab.data.splits import DataSplits

_USAGE = """usage: lorelab data COMMAND [...]

  summary [OVERRIDE ...]       what was understood of a data set, e.g. data=table data.path=FILE.csv data.target=COLUMN
  example image_folder|table   writes example data, for experiment=image_folder_example and experiment=table_example

lorelab data COMMAND --help tells more."""


def main(argv: Sequence[str]) -> int:
    """Runs a sub-command and returns the exit code."""
    commands: dict[str, Callable[[Sequence[str]], int]] = {"summary": _summary, "example": _example}
    if not argv or argv[0] in ("-h", "--help"):
        print(_USAGE)
        return 0
    if argv[0] not in commands:
        print(f"lorelab data: no command '{argv[0]}'. Commands: {', '.join(commands)}.", file=sys.stderr)
        return 2
    return commands[argv[0]](argv[1:])


def _summary(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        "lorelab data summary",
        description="Loads the data of a config as a run would, and shows what was understood. Trains nothing.",
        epilog="Overrides are those of lorelab train: data=NAME, data.KEY=VALUE, experiment=NAME.",
    )
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE")
    parser.add_argument(
        "--config-dir", "-cd", type=Path, metavar="DIR", help="a folder with data/NAME.yaml of your own"
    )
    parser.add_argument("--thumbnails", type=Path, metavar="FILE.png", help="write a sheet of images, one class a row")
    parser.add_argument("--json", action="store_true", help="for programs")
    args = parser.parse_intermixed_args(argv)
    splits = _load(args.overrides, args.config_dir)
    from lorelab.data.summary import summarise

    summary = summarise(splits)
    if args.json:
        print(json.dumps(summary.to_dict(), indent=2))
    else:
        from rich.console import Console

        from lorelab.data.summary_text import renderables

        console = Console(soft_wrap=False)
        for part in renderables(summary):
            console.print(part)
    if args.thumbnails:
        from lorelab.data.thumbnails import thumbnails

        thumbnails(splits, args.thumbnails)
        print(f"\nThumbnails: {args.thumbnails}", file=sys.stderr if args.json else sys.stdout)
    return 0


def _load(overrides: Sequence[str], config_dir: Path | None) -> DataSplits:
    """The data of the one config that the overrides compose, with options from ``config_dir`` too."""
    from lorelab.config.overrides import survey
    from lorelab.config.resolvers import register_resolvers
    from lorelab.config.trust import instantiate
    from lorelab.config.validate import validate_all
    from lorelab.data.cautions import DataWarning

    register_resolvers()
    if config_dir and not config_dir.is_dir():
        raise LorelabError(f"--config-dir: found no folder {config_dir.absolute()}; expected one with data/NAME.yaml")
    seen = survey(overrides, config_dir=str(config_dir.absolute()) if config_dir else None)
    validate_all(seen)
    if len(seen.configs) != 1:
        count = len(seen.configs)
        raise LorelabError(f"found overrides for {count} configs; expected one: a summary is of one data set")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the summary says it all again
        splits: DataSplits = instantiate(seen.configs[0].cfg.data)
    return splits


def _example(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        "lorelab data example", description="Writes example data from sets that come with scikit-learn: no download."
    )
    parser.add_argument("what", choices=["image_folder", "table"])
    parser.add_argument("--to", type=Path, metavar="DIR", help="an empty or new folder (default data/examples/WHAT)")
    args = parser.parse_args(argv)
    folder: Path = args.to or ROOT / "data" / "examples" / args.what
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LorelabError(
            f"{folder} is there and not empty; expected a new folder. Remove it, or choose with --to DIR"
        )
    from lorelab.data.examples import write_image_folder, write_table

    print(f"{(write_image_folder if args.what == 'image_folder' else write_table)(folder):,} examples in {folder}")
    where = f"data.root={folder}" if args.what == "image_folder" else f"data.path={folder / 'table.csv'}"
    print(f"Train on them: lorelab train experiment={args.what}_example" + (f" {where}" if args.to else ""))
    return 0
