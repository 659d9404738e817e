"""What a sweep keeps on disk: who it is, and what was asked of it. Its trials are in its search."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from lorelab.errors import LorelabError, nearest
from lorelab.paths import ROOT
from lorelab.sweeps.trials import Direction

ABOUT, STOP = "sweep.json", "stop"
SWEEPS = ROOT / "outputs" / "sweeps"


@dataclass(frozen=True)
class About:
    """The facts of a sweep that outlive its processes."""

    name: str
    identity: Mapping[str, Any]
    code: str
    direction: Direction
    monitor: str
    total: int
    command: tuple[str, ...]
    """Arguments of ``lorelab train``."""
    cwd: str
    storage: str
    attempts: int
    parent: str = ""
    """Id of the MLflow run that stands for the sweep."""
    created: float = 0.0
    confirm: tuple[int, int] = (0, 0)
    """How many of the best, and on how many fresh seeds each."""
    seed: int = 0
    summed: int = -1
    """So many trials and confirmations had ended when a leader summed the sweep up last."""

    @property
    def worst(self) -> float:
        """What a diverged trial scored."""
        return -math.inf if self.direction == "maximize" else math.inf


def read(folder: Path) -> About:
    """The facts of the sweep in ``folder``.

    Raises:
        LorelabError: there is none.
    """
    try:
        known = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = [path.parent.name for path in folder.parent.glob(f"*/{ABOUT}")]
        advice = nearest(folder.name, there) or "lorelab train -m starts one"
        raise LorelabError(f"{folder.parent}: found no sweep '{folder.name}'; {advice}") from None
    known["command"], known["confirm"] = tuple(known["command"]), tuple(known["confirm"])
    return About(**known)


def write(folder: Path, about: About) -> None:
    """In one piece or not at all."""
    new = folder / f"{ABOUT}.{os.getpid()}"
    new.write_text(json.dumps(asdict(about), indent=1), encoding="utf-8")
    new.replace(folder / ABOUT)


def lock(folder: Path) -> FileLock:
    """Held while the facts change."""
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "sweep.lock")


def leadership(folder: Path) -> FileLock:
    """Held, as long as it lives, by the one process that writes the sweep's own MLflow run and its pages."""
    return FileLock(folder / "leader.lock")


def join(folder: Path, about: About) -> About:
    """The facts in ``folder``, made if there are none, with the totals that ``about`` asks for.

    Raises:
        LorelabError: the sweep there has another config or another space.
    """
    try:
        before = read(folder)
    except LorelabError:
        about = replace(about, created=time.time())
        write(folder, about)
        return about
    if before.identity != about.identity:
        raise LorelabError(
            f"sweep.name={about.name}: there is a sweep of this name in {folder} with another "
            f"{_difference(before.identity, about.identity)}. Expected the command that it was begun with "
            f"(lorelab train {' '.join(before.command)}); choose another sweep.name=..."
        )
    if before.code != about.code:
        print(f"warning: sweep {about.name} was begun with other code; its trials are of several versions",
              file=sys.stderr)  # fmt: skip
    now = replace(before, total=about.total, confirm=about.confirm, command=about.command, attempts=about.attempts)
    if now != before:
        write(folder, now)
    return now


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if before.get("space") != now.get("space"):
        return "space"
    for part in ("config", "search", "options"):
        a, b = before.get(part, {}), now.get(part, {})
        changed = [key for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]
        if changed:
            key = changed[0]
            return f"{part}: {key} was {a.get(key, 'not there')} and is now {b.get(key, 'not there')}"
    return "definition"
