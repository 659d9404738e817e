"""A study's page: the verdicts first, readable in ten seconds, then what they stand on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lorelab.pages.chart import Chart
from lorelab.pages.marks import Axis, Interval, Line, Mark, Point, Points
from lorelab.pages.page import Code, Details, Figure, Gallery, Heading, Paragraph, Part, Verdict, page
from lorelab.pages.rows import Rows
from lorelab.pages.table import Cell, Table
from lorelab.studies.folder import Frozen
from lorelab.studies.judge import Judged, from_dict
from lorelab.studies.location import student_t
from lorelab.studies.spec import Study, StudyTask
from lorelab.studies.table import Row
from lorelab.studies.words import TONES, asked, effect, facts, where_tasks_differ

RESAMPLES = 500
"""Orders of the trials over which a tuning curve is averaged."""


def render(study: Study, frozen: Frozen, rows: Sequence[Row]) -> str:
    """The whole document, from the spec, ``verdict.json`` and ``runs.csv`` alone."""
    judged = from_dict(study, frozen.claims)
    parts: list[Part] = []
    for each in judged:
        parts.append(
            Verdict(
                each.claim.says,
                str(each.overall.verdict).capitalize(),
                TONES[each.overall.verdict],
                [("claim", asked(study, each)), *facts(each.overall, "margins, over all tasks")],
            )
        )
        parts.append(Paragraph(where_tasks_differ(each)))
    parts.append(Heading("Task by task"))
    parts += [Figure(forest(study, each), each.overall.why) for each in judged]
    tuned = [task for task in study.tasks.values() if any(row.role == "tune" and row.task == task.name for row in rows)]
    if tuned:
        parts += [
            Heading("What tuning saw"),
            Gallery([Figure(chart) for task in tuned for chart in responses(study, task, rows)]),
        ]
        caption = (
            "Best validation score after so many trials, averaged over random orders of the trials; a search is "
            "only as good as its budget."
        )
        parts += [
            Heading("Score against tuning budget"),
            Gallery([Figure(budget_curve(study, task, rows)) for task in tuned]),
            Paragraph(caption),
        ]
    parts += [Heading("Every arm"), _arms(study, frozen, rows), Heading("Repeat it")]
    parts.append(Code(commands(study)))
    parts.append(Details("Numbers behind each verdict", [_numbers(study, judged)]))
    parts.append(Details("Provenance", [_provenance(frozen.facts)]))
    parts.append(Details(f"All {len(rows)} runs", [_runs(study, rows)]))
    subtitle = f"{study.question} · scale {study.scale} · {frozen.seeds} seeds per arm and task"
    return page(study.title, parts, subtitle)


def forest(study: Study, judged: Judged) -> Rows:
    """Differences in units of the margin, task by task and over all."""
    found = []
    for task, decision in judged.by_task.items():
        unit = decision.margin
        ends = (decision.estimate / unit, decision.interval.low / unit, decision.interval.high / unit)
        title = f"{effect(decision)} {study.tasks[task].metric}\n{decision.why}"
        found.append(Interval(task, *ends, TONES[decision.verdict], title))
    whole = judged.overall
    found.append(
        Interval(
            "over all tasks",
            whole.estimate,
            whole.interval.low,
            whole.interval.high,
            TONES[whole.verdict],
            whole.why,
            overall=True,
        )
    )
    a, b = study.arms[judged.claim.a].label, study.arms[judged.claim.b].label
    return Rows(f"{a} − {b}, in margins", Axis(f"margins (right: {a} is better)"), found, margin=1.0, signed=True)


def responses(study: Study, task: StudyTask, rows: Sequence[Row]) -> list[Chart]:
    """Validation score against each numeric key that was tuned, an arm a series; what diverged is crossed out."""
    mine = [row for row in rows if row.role == "tune" and row.task == task.name]
    keys = sorted({key for row in mine for key, value in row.params.items() if not isinstance(value, str)})
    charts = []
    for key in keys:
        marks: list[Mark] = []
        for name in dict.fromkeys(row.arm for row in mine if key in row.params):
            points = [
                Point(float(row.params[key]), row.score, f"{row.run}\nseed {row.seed}")
                for row in mine
                if row.arm == name and key in row.params
            ]
            marks.append(Points(study.arms[name].label, sorted(points, key=lambda point: point.x)))
        values = [point.x for mark in marks if isinstance(mark, Points) for point in mark.points]
        log = min(values) > 0 and max(values) / min(values) >= 20
        charts.append(
            Chart(f"{task.name}: validation score against {key}", Axis(key, log=log), _score_axis(mine), marks)
        )
    return charts


def budget_curve(study: Study, task: StudyTask, rows: Sequence[Row]) -> Chart:
    """Best score so far over the number of trials, averaged over resampled orders, with the middle 80 % of them."""
    mine = [row for row in rows if row.role == "tune" and row.task == task.name]
    marks: list[Mark] = []
    for name in dict.fromkeys(row.arm for row in mine):
        held = [row for row in mine if row.arm == name]
        mean, low, high = best_so_far([row.score for row in held], held[0].score_mode, np.random.default_rng(0))
        steps = [float(step) for step in range(1, len(held) + 1)]
        marks.append(Line(study.arms[name].label, steps, mean, low, high))
    return Chart(f"{task.name}: best so far", Axis("trials", whole=True), _score_axis(mine), marks)


def best_so_far(
    scores: Sequence[float], mode: str, rng: np.random.Generator
) -> tuple[list[float], list[float], list[float]]:
    """Mean, 10 % and 90 % quantile of the best of the first 1, 2, … trials over bootstrap resamples of their order.
    What diverged counts as the worst score of all."""
    values = np.asarray(scores, float)
    sign = 1.0 if mode == "max" else -1.0
    alive = sign * values[np.isfinite(values)]
    filled = np.where(np.isfinite(values), sign * values, alive.min() if alive.size else math.nan)
    best = np.maximum.accumulate(filled[rng.integers(0, len(values), (RESAMPLES, len(values)))], axis=1)
    ends = np.sort(sign * np.quantile(best, [0.1, 0.9], axis=0), axis=0)
    return list(sign * best.mean(axis=0)), list(ends[0]), list(ends[1])


def commands(study: Study) -> str:
    """What trains, checks and renders it again."""
    return "\n".join(
        [
            f"lorelab study run {study.name} scale={study.scale}",
            f"lorelab study check {study.name}",
            f"lorelab study reproduce {study.name}",
            f"lorelab study report {study.name}",
        ]
    )


def summary_of_arm(rows: Sequence[Row], task: StudyTask, arm: str) -> tuple[int, float, float, float]:
    """n, mean and 95 % interval (t) of an arm's finite test scores on a task; NaN where there are too few."""
    finals = [row.value(task.metric) for row in rows if (row.task, row.arm, row.role) == (task.name, arm, "final")]
    finite = np.array([value for value in finals if math.isfinite(value)])
    if finite.size < 2:
        return len(finals), float(finite.mean()) if finite.size else math.nan, math.nan, math.nan
    low, high = student_t(finite).interval(0.95)
    return len(finals), float(finite.mean()), float(low), float(high)


def _arms(study: Study, frozen: Frozen, rows: Sequence[Row]) -> Table:
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


def _numbers(study: Study, judged: Sequence[Judged]) -> Table:
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


def _provenance(known: Mapping[str, Any]) -> Table:
    return Table(("what", "value"), [(key, _flat(value)) for key, value in known.items()])


def _runs(study: Study, rows: Sequence[Row]) -> Table:
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
            row.run,
        )
        for row in rows
    ]
    columns = ("task", "arm", "role", "seed", "status", "validation score", "test", "params", "seconds", "run")
    return Table(columns, lines)


def _score_axis(rows: Sequence[Row]) -> Axis:
    return Axis("validation score", better="higher" if rows[0].score_mode == "max" else "lower")


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_flat(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
