"""The tables of a study's page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lorelab.pages.table import Cell, Table
from lorelab.studies.folder import Frozen
from lorelab.studies.judge import Judged
from lorelab.studies.location import student_t
from lorelab.studies.pictures import Link
from lorelab.studies.spec import Study, StudyTask
from lorelab.studies.table import Row
from lorelab.studies.words import TONES, effect


def arms_table(study: Study, frozen: Frozen, rows: Sequence[Row]) -> Table:
    """What each arm scored on each task, what tuning chose for it, what diverged and what it cost."""
    lines = []
    for task in study.tasks.values():
        for arm in study.arms.values():
            mine = [row for row in rows if row.task == task.name and row.arm == arm.name]
            n, mean, low, high = summary_of_arm(rows, task, arm.name)
            lost = sum(row.status == "diverged" for row in mine if row.role == "final")
            chosen = frozen.chosen.get(f"{task.name}/{arm.name}", {})
            words = " ".join(
                f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in chosen.items()
            )
            lines.append(
                (
                    task.name,
                    arm.label,
                    task.metric,
                    mean,
                    low,
                    high,
                    n,
                    lost,
                    words or "–",
                    sum(row.role == "tune" for row in mine),
                    sum(row.seconds for row in mine),
                )
            )
    columns = ("task", "arm", "metric", "mean", "95 % low", "high", "runs", "diverged", "chosen", "trials", "seconds")
    return Table(columns, lines)


def summary_of_arm(rows: Sequence[Row], task: StudyTask, arm: str) -> tuple[int, float, float, float]:
    """n, mean and 95 % interval (t) of an arm's finite test scores on a task; NaN where there are too few."""
    finals = [row.value(task.metric) for row in rows if (row.task, row.arm, row.role) == (task.name, arm, "final")]
    finite = np.array([value for value in finals if math.isfinite(value)])
    if finite.size < 2:
        return len(finals), float(finite.mean()) if finite.size else math.nan, math.nan, math.nan
    low, high = student_t(finite).interval(0.95)
    return len(finals), float(finite.mean()), float(low), float(high)


def numbers_table(judged: Sequence[Judged]) -> Table:
    """What decided each verdict, and what other methods would have said."""
    lines = []
    for each in judged:
        for place, decision in [("over all tasks", each.overall), *each.by_task.items()]:
            others = "; ".join(f"{other.method} [{other.low:.4g}, {other.high:.4g}]" for other in decision.others)
            cell = Cell(str(decision.verdict), tone=TONES[decision.verdict])
            lines.append(
                (
                    each.claim.name,
                    place,
                    cell,
                    effect(decision),
                    decision.interval.method,
                    decision.p_supported,
                    decision.holm_supported,
                    decision.p_refuted,
                    decision.holm_refuted,
                    others,
                    ", ".join(decision.disagree) or "–",
                )
            )
    columns = (
        "claim",
        "where",
        "verdict",
        "effect",
        "decided by",
        "p supported",
        "Holm",
        "p refuted",
        "Holm ",
        "beside",
        "would say otherwise",
    )
    return Table(columns, lines)


def provenance_table(known: Mapping[str, Any]) -> Table:
    """Commits, data, versions, machine, cost."""
    return Table(("what", "value"), [(key, _flat(value)) for key, value in known.items()])


def runs_table(study: Study, rows: Sequence[Row], link: Link) -> Table:
    """All of them, each with a link to where it can be looked at."""
    metrics = {name: task.metric for name, task in study.tasks.items()}
    lines = [
        (
            row.task,
            row.arm,
            row.role,
            row.seed,
            row.status,
            row.score,
            row.value(metrics[row.task]),
            " ".join(f"{key}={value}" for key, value in row.params.items()),
            row.seconds,
            Cell(row.run, href=link(row.run_id)),
        )
        for row in rows
    ]
    columns = ("task", "arm", "role", "seed", "status", "validation score", "test", "params", "seconds", "run")
    return Table(columns, lines)


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_flat(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
