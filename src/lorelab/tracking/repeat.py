"""Whether a run repeated another: metric by metric, and what differs in where they come from."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lorelab.tracking.protocol import StoredRun


class Agreement(StrEnum):
    """Of two values of one metric."""

    IDENTICAL = "identical"
    WITHIN = "within the seed-to-seed spread"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Compared:
    """One metric of the two runs."""

    name: str
    before: float | None
    again: float | None
    spread: float | None
    """Sample standard deviation over the seeds; None below three."""
    agreement: Agreement


def compare_metrics(
    before: Mapping[str, float], again: Mapping[str, float], over_seeds: Mapping[str, Sequence[float]]
) -> list[Compared]:
    """Identical means equal bits. Within the spread: no further apart than two standard deviations of the same config
    over at least three seeds (``over_seeds``, metric → values). A metric that only one run has is different."""
    found = []
    for name in sorted(before.keys() | again.keys()):
        a, b, values = before.get(name), again.get(name), over_seeds.get(name, ())
        spread = statistics.stdev(values) if len(values) >= 3 else None
        if a == b or repr(a) == repr(b) == "nan":
            agreement = Agreement.IDENTICAL
        elif a is not None and b is not None and spread is not None and abs(a - b) <= 2 * spread:
            agreement = Agreement.WITHIN
        else:
            agreement = Agreement.DIFFERENT
        found.append(Compared(name, a, b, spread, agreement))
    return found


def overall(compared: Sequence[Compared]) -> Agreement:
    """The worst of them."""
    order = list(Agreement)
    return max((each.agreement for each in compared), key=order.index, default=Agreement.IDENTICAL)


def seed_siblings(run: StoredRun, runs: Sequence[StoredRun]) -> list[StoredRun]:
    """One finished run per seed whose parameters are those of ``run`` but for the seed, ``run`` among them."""
    own = {key: value for key, value in run.params.items() if key != "seed"}
    same = [
        other
        for other in runs
        if other.status == "finished" and {key: value for key, value in other.params.items() if key != "seed"} == own
    ]
    return list({other.params.get("seed"): other for other in [*same, run]}.values())


def provenance_differences(before: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """Lines ``what: before → again``; packages one by one. The command is left out."""
    lines = []
    for key in sorted((before.keys() | again.keys()) - {"packages", "command"}):
        a, b = before.get(key), again.get(key)
        if (list(a) if isinstance(a, list | tuple) else a) != (list(b) if isinstance(b, list | tuple) else b):
            lines.append(f"{key}: {a} → {b}")
    old, new = before.get("packages", {}), again.get("packages", {})
    names = sorted(old.keys() | new.keys(), key=str.lower)
    changed = [name for name in names if old.get(name) != new.get(name)]
    return [*lines, *(f"{name}: {old.get(name, 'not there')} → {new.get(name, 'not there')}" for name in changed)]
