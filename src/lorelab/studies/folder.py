"""What a study leaves in ``experiments/NAME/``: its table, its verdict, its page, its words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorelab.errors import LorelabError
from lorelab.studies.exact import Proven
from lorelab.studies.judge import Judged
from lorelab.studies.spec import Study
from lorelab.studies.table import Row, as_csv

SPEC, VERDICT, ROWS, CURVES = "study.yaml", "verdict.json", "runs.csv", "curves.csv"
"""What is written once: the declaration as it was, what came of it, its runs and their validation scores over time."""
REPORT, README, PICTURE = "report.html", "README.md", "verdict.svg"
"""What is rendered from these."""


@dataclass(frozen=True)
class Frozen:
    """A reported result, as ``verdict.json`` holds it."""

    study: str
    scale: str
    seeds: int
    """Seeds per arm at which it was decided."""
    claims: Mapping[str, Mapping[str, Any]]
    """``Judged.to_plain`` of each, by name."""
    chosen: Mapping[str, Mapping[str, Any]]
    """``TASK/ARM`` → what tuning chose."""
    facts: Mapping[str, Any]
    """Commits, data fingerprints, versions, machine, cost, and the SHA-256 of the table."""
    identities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """``Proven.to_plain`` of each, by name."""


def freeze(
    study: Study,
    judged: Sequence[Judged],
    rows: Sequence[Row],
    count: int,
    chosen: Mapping[tuple[str, str], Mapping[str, Any]],
    facts: Mapping[str, Any],
    proven: Sequence[Proven] = (),
) -> Frozen:
    """The result that is written once; pages are rendered from it as often as one likes."""
    cost = {
        "runs": len(rows),
        "seconds": round(sum(row.seconds for row in rows), 1),
        "steps": sum(row.steps for row in rows),
        "diverged": sum(row.status == "diverged" for row in rows),
    }
    digest = hashlib.sha256(as_csv(rows).encode()).hexdigest()
    data = {task: sorted({row.fingerprint for row in rows if row.task == task}) for task in study.tasks}
    known = {"commits": sorted({row.commit for row in rows}), "data": data, "cost": cost, "runs_sha256": digest}
    return Frozen(
        study.name,
        study.scale,
        count,
        {each.claim.name: each.to_plain() for each in judged},
        {f"{task}/{arm}": dict(params) for (task, arm), params in chosen.items()},
        {**facts, **known},
        {each.identity.name: each.to_plain() for each in proven},
    )


def write_verdict(folder: Path, frozen: Frozen) -> None:
    """As JSON that any program reads: no NaN, no infinity."""
    text = json.dumps(vars(frozen), indent=1, allow_nan=False, ensure_ascii=False)
    (folder / VERDICT).write_text(text + "\n", encoding="utf-8")


def read_verdict(folder: Path) -> Frozen:
    """What ``write_verdict`` wrote.

    Raises:
        LorelabError: there is none, or it is damaged.
    """
    try:
        return Frozen(**json.loads((folder / VERDICT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise LorelabError(f"{folder / VERDICT}: cannot be read ({error}); lorelab study run writes it") from error
