"""``lorelab study new``: a commented study of the user's own, ready to be changed and run."""

from __future__ import annotations

import argparse
from pathlib import Path

from lorelab.errors import LorelabError, nearest
from lorelab.paths import CONF

TEMPLATES = CONF / "study" / "templates"


def new(args: argparse.Namespace) -> int:
    """Writes ``NAME.yaml`` in the current folder (or at the path that NAME is). Overwrites nothing.

    Raises:
        LorelabError: there is a file already, or no such template.
    """
    if args.name is None:
        raise LorelabError("study new: found no NAME; expected one, e.g. lorelab study new my_claim --from two-arms")
    template = TEMPLATES / f"{args.template}.yaml"
    if not template.is_file():
        known = sorted(path.stem for path in TEMPLATES.glob("*.yaml"))
        raise LorelabError(f"--from {args.template}: found no such template; {nearest(args.template, known)}")
    path = Path(args.name if args.name.endswith((".yaml", ".yml")) else f"{args.name}.yaml")
    if path.exists():
        raise LorelabError(f"{path}: is there already; expected a new name. Remove it, or choose another.")
    path.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{path}: change it, then: lorelab study plan {path} scale=smoke | lorelab study run {path} scale=smoke")
    return 0
