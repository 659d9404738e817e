"""The tables of a study's page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lorelab.pages.table import Cell, Table
from lorelab.studies.decision import Decision
from lorelab.studies.folder import Frozen
from lorelab.studies.judge import Judged
from lorelab.studies.location import student_t
from lorelab.studies.pictures import Link
from lorelab.studies.spec import Study, StudyTask
from lorelab.studies.table import Row
from lorelab.studies.words import TONES, effect, ruling, words_of


def arms_table(study: Study, frozen: Frozen, rows: Sequence[Row]) -> Table:
    """What each arm scored on each task, what diverged, what tuning chose for it and what it cost."""
    lines = []
    for task in study.tasks.values():
        for arm in study.arms.values():
            mine = [row for row in rows if row.task == task.name and row.arm == arm.name]
            tuned = [row for row in mine if row.role == "tune"]
            n, mean, low, high = summary_of_arm(rows, task, arm.name)
            lost = [sum(row.status == "diverged" for row in mine if row.role == role) for role in ("final", "tune")]
            chosen = words_of(frozen.chosen.get(f"{task.name}/{arm.name}", {}))
            place = f"{task.name} ({task.metric.removeprefix('test/')})"
            cost = sum(row.seconds for row in mine)
            trials = Cell(len(tuned), f"{len(tuned)} ({lost[1]} diverged)" if lost[1] else "")
            chosen += _at_edge(frozen.chosen.get(f"{task.name}/{arm.name}", {}), tuned)
            lines.append((place, arm.label, mean, low, high, n, lost[0], chosen or "–", trials, cost))
    columns = ("task", "arm", "mean", "95 % low", "high", "runs", "diverged", "chosen", "trials", "seconds")
    return Table(columns, lines)


def _at_edge(chosen: Mapping[str, Any], tuned: Sequence[Row]) -> str:
    """Said of a chosen value than which no larger, or no smaller, one was tried: a better one may lie beyond."""
    ends = []
    for key, value in chosen.items():
        tried = sorted({row.params[key] for row in tuned if not isinstance(row.params.get(key, ""), str)})
        if len(tried) > 2 and value in (tried[0], tried[-1]):
            ends.append("lowest tried" if value == tried[0] else "highest tried")
    return f" ({', '.join(ends)})" if ends else ""


def summary_of_arm(rows: Sequence[Row], task: StudyTask, arm: str) -> tuple[int, float, float, float]:
    """n, mean and 95 % interval (t) of an arm's finite test scores on a task; NaN where there are too few."""
    finals = [row.value(task.metric) for row in rows if (row.task, row.arm, row.role) == (task.name, arm, "final")]
    finite = np.array([value for value in finals if math.isfinite(value)])
    if finite.size < 2:
        return len(finals), float(finite.mean()) if finite.size else math.nan, math.nan, math.nan
    low, high = student_t(finite).interval(0.95)
    return len(finals), float(finite.mean()), float(low), float(high)


def numbers_table(judged: Sequence[Judged]) -> Table:
    """What decided each verdict."""
    lines = [
        (
            each.claim.name,
            place,
            Cell(ruling(decision, each.hidden if decision is each.overall else ()), tone=TONES[decision.verdict]),
            effect(decision),
            decision.interval.method,
            decision.p_supported,
            decision.holm_supported,
            decision.p_refuted,
            decision.holm_refuted,
        )
        for each, place, decision in _decisions(judged)
    ]
    columns = ("claim", "where", "verdict", "effect", "decided by", "p supported", "Holm", "p refuted", "Holm ")
    return Table(columns, lines)


def intervals_table(judged: Sequence[Judged]) -> Table:
    """The intervals that are shown beside those that decided, and what each alone would have said."""
    lines = []
    for each, place, decision in _decisions(judged):
        for other in decision.others:
            verdict = decision.claim.verdict(other.low, other.high)
            word = Cell(str(verdict), tone=TONES[verdict]) if other.method in decision.disagree else "the same"
            lines.append((each.claim.name, place, other.method, other.low, other.high, word))
    return Table(("claim", "where", "interval", "low", "high", "would say"), lines)


def provenance_table(known: Mapping[str, Any]) -> Table:
    """Commits, data, versions, machine, cost."""
    return Table(("what", "value"), [(key, _flat(value)) for key, value in known.items()])


def runs_table(study: Study, rows: Sequence[Row], link: Link) -> Table:
    """All of them, each with a link to where it can be looked at."""
    lines = [
        (
            row.task,
            row.arm,
            row.role,
            row.seed,
            row.status,
            row.score,
            row.value(study.tasks[row.task].metric) if row.role == "final" else None,
            words_of(row.params),
            row.seconds,
            Cell(row.run, href=link(row.run_id)),
        )
        for row in rows
    ]
    columns = ("task", "arm", "role", "seed", "status", "validation score", "test", "params", "seconds", "run")
    return Table(columns, lines)


def _decisions(judged: Sequence[Judged]) -> Iterator[tuple[Judged, str, Decision]]:
    for each in judged:
        for place, decision in [("over all tasks", each.overall), *each.by_task.items()]:
            yield each, place, decision


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_flat(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
