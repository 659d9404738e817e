"""The pictures of a study's page, from its declaration, its table and its verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from lorelab.pages.chart import Chart
from lorelab.pages.marks import Axis, Interval, Line, Mark, Point, Points
from lorelab.pages.rows import Rows
from lorelab.studies.curves import Curve, mean_curve
from lorelab.studies.judge import Judged
from lorelab.studies.spec import Study, StudyTask
from lorelab.studies.table import Row
from lorelab.studies.words import TONES, effect, words_of

RESAMPLES = 500
"""Orders of the trials over which a tuning curve is averaged."""
FAR = 2.0
"""Times the median: errors above it stand at the edge of the picture."""
Link = Callable[[str], str]
"""From a run's id to where it can be looked at; "" if nowhere."""


def forest(study: Study, judged: Judged) -> Rows:
    """Differences in units of the margin, task by task and over all."""
    found = []
    for task, decision in judged.by_task.items():
        unit = decision.margin
        ends = (decision.estimate / unit, decision.interval.low / unit, decision.interval.high / unit)
        metric = judged.claim.measured(study.tasks[task]).metric
        title = f"{effect(decision)} {metric}\n{decision.why}"
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
    a, b = study.labels(judged.claim)
    of = f" of {judged.claim.measure.metric}" if judged.claim.measure else ""
    of = f" of decades of {judged.claim.grid.key}" if judged.claim.grid else of
    return Rows(f"{a} − {b}, in margins{of}", Axis(f"margins (right: {a} is better)"), found, margin=1.0, signed=True)


def scores_by_seed(study: Study, task: StudyTask, rows: Sequence[Row], link: Link) -> Chart:
    """The test score of every run that decides, seed by seed, an arm a series; what diverged is crossed out."""
    mine = [row for row in rows if row.role == "final" and row.task == task.name]
    marks: list[Mark] = []
    for name, arm in study.arms.items():
        held = sorted((row for row in mine if row.arm == name), key=lambda row: row.seed)
        marks.append(Points(arm.label, [_point(row.seed, row.value(task.metric), row, link) for row in held]))
    axis = Axis(task.metric, better="higher" if task.mode == "max" else "lower")
    return Chart(f"{task.name}: every run", Axis("seed", whole=True), axis, marks)


def learning(study: Study, task: StudyTask, rows: Sequence[Row], curves: Sequence[Curve]) -> Chart:
    """Mean validation score over the steps, an arm a series, with 95 % intervals over seeds."""
    marks: list[Mark] = []
    for name, arm in study.arms.items():
        mean = mean_curve([each for each in curves if (each.task, each.arm) == (task.name, name)])
        if mean.steps:
            marks.append(Line(arm.label, [float(step) for step in mean.steps], mean.mean, mean.low, mean.high))
    mine = [row for row in rows if row.task == task.name]
    return Chart(f"{task.name}: while training", Axis("optimiser steps", whole=True), _score_axis(mine), marks)


def responses(study: Study, task: StudyTask, rows: Sequence[Row], link: Link) -> list[Chart]:
    """Validation score against each numeric key that was tuned, an arm a series; what diverged is crossed out."""
    mine = [row for row in rows if row.role == "tune" and row.task == task.name]
    keys = sorted({key for row in mine for key, value in row.params.items() if not isinstance(value, str)})
    charts = []
    for key in keys:
        marks: list[Mark] = []
        for name in dict.fromkeys(row.arm for row in mine if key in row.params):
            points = [
                _point(float(row.params[key]), row.score, row, link)
                for row in mine
                if row.arm == name and key in row.params
            ]
            marks.append(Points(study.arms[name].label, sorted(points, key=lambda point: point.x)))
        values = [point.x for mark in marks if isinstance(mark, Points) for point in mark.points]
        log = min(values) > 0 and max(values) / min(values) >= 20
        charts.append(Chart(f"{task.name}: score against {key}", Axis(key, log=log), _score_axis(mine), marks))
    return charts


def budget_curve(study: Study, task: StudyTask, rows: Sequence[Row]) -> Chart:
    """Best score so far over the number of trials, averaged over resampled orders, with the middle 80 % of them; what
    is not tuned as a level, the mean of its runs."""
    mine = [row for row in rows if row.role == "tune" and row.task == task.name]
    marks: list[Mark] = []
    for name in dict.fromkeys(row.arm for row in mine):
        held = [row for row in mine if row.arm == name]
        mean, low, high = best_so_far([row.score for row in held], held[0].score_mode, np.random.default_rng(0))
        steps = [float(step) for step in range(1, len(held) + 1)]
        marks.append(Line(study.arms[name].label, steps, mean, low, high))
    most = max((mark.x[-1] for mark in marks if isinstance(mark, Line)), default=1.0)
    for name, arm in study.arms.items():
        level = [row.score for row in rows if (row.role, row.task, row.arm) == ("final", task.name, name)]
        if arm.search is None and level and math.isfinite(flat := float(np.mean(level))):
            marks.append(Line(f"{arm.label} (not tuned)", [1.0, most], [flat, flat]))
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


def _point(x: float, y: float, row: Row, link: Link) -> Point:
    said = f"{row.run}\nseed {row.seed}{', ' if row.params else ''}{words_of(row.params)}"
    return Point(float(x), y, said, link(row.run_id))


def _score_axis(rows: Sequence[Row]) -> Axis:
    """Of an error, which has no worst value, up to twice the median: one run that all but diverged would flatten the
    rest."""
    if rows[0].score_mode == "max":
        return Axis(rows[0].score_name, better="higher")
    finite = [row.score for row in rows if math.isfinite(row.score)]
    most = FAR * float(np.median(finite)) if finite else math.inf
    return Axis(rows[0].score_name, better="lower", high=most if 0 < most < max(finite, default=0.0) else None)
