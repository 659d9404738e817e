"""``lorelab sync``: delivers what runs kept on disk while their store was away."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lorelab.tracking.outbox import OUTBOX


def main(argv: Sequence[str]) -> int:
    """Delivers every run in the outbox. Returns the exit code: 1 if something is left."""
    parser = argparse.ArgumentParser("lorelab sync", description="Delivers what runs kept while their store was away.")
    parser.add_argument("--outbox", type=Path, default=OUTBOX, help="default outputs/outbox in the checkout")
    args = parser.parse_args(argv)
    folders = sorted(path.parent for path in args.outbox.glob("*/about.json"))
    if not folders:
        print(f"Nothing to deliver in {args.outbox}.")
        return 0
    from lorelab.tracking.mlflow_sync import sync

    left = 0
    for folder in folders:
        report = sync(folder)
        left += not report.done
        print(report.text, file=sys.stdout if report.done else sys.stderr)
    return int(left > 0)
