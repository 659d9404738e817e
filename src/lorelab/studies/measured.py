"""What a study measured beside its claims' scores, as pictures: responses to a key at fixed values, declared ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from lorelab.pages.chart import Chart
from lorelab.pages.marks import Axis, Line, Mark, Point, Points
from lorelab.pages.page import Figure, Gallery, Heading, Paragraph, Part
from lorelab.pages.table import Table
from lorelab.studies.location import student_t
from lorelab.studies.spec import Grid, Picture, Study, StudyTask
from lorelab.studies.suggested import NEAR, suggestions
from lorelab.studies.table import Row

SHOWN = 15
"""Margins below the best that the response to a key is shown for."""


def measured(study: Study, rows: Sequence[Row]) -> Iterator[Part]:
    """For a study's page; nothing where there is nothing."""
    grids = {(task, each.grid): None for each in study.claims if each.grid for task in each.tasks}
    if grids:
        yield Heading("Response to fixed values")
        yield Gallery([Figure(response(study, study.tasks[task], grid, rows)) for task, grid in grids])
        yield Paragraph(
            f"Validation score down to {SHOWN} margins below the best: mean over seeds with 95 % intervals (Student's "
            "t) of the runs that did not diverge; where fewer than two are left, the curve is broken, and crosses mark "
            "values at which runs diverged. The range of "
            "good values is measured seed by seed."
        )
    if near := suggestions(study, rows):
        yield Heading("Suggestions of the range test")
        columns = ("task", "range tests", "suggested a rate", "lowest", "median", "highest", "tuned", "near")
        lines = [
            (each.task, each.runs, len(rates), *(rates[:1] or (None,)), each.median, *(rates[-1:] or (None,)),
             each.optimum, f"{each.near} of {each.runs}")
            for each in near
            for rates in [each.suggested]
        ]  # fmt: skip
        yield Table(columns, lines)
        yield Paragraph(
            f"Learning rates. Near: within a factor of {NEAR:g} of the rate that tuning chose on the same task. A test "
            "that suggests none leaves its run at the configured rate."
        )
    drawn = [Figure(declared(study, picture, rows), picture.says) for picture in study.pictures]
    if drawn:
        yield Heading("Mechanism")
        yield Gallery(drawn)


def response(study: Study, task: StudyTask, grid: Grid, rows: Sequence[Row]) -> Chart:
    """Validation score against the key, an arm a series."""
    mine = [
        row for row in rows if (row.role, row.task) == ("grid", task.name) and row.params.get(grid.key) in grid.values
    ]
    lines: list[Line] = []
    lost: list[Mark] = []
    for name, arm in study.arms.items():
        held = [row for row in mine if row.arm == name]
        if held:
            found = [[row.score for row in held if row.params[grid.key] == value] for value in grid.values]
            lines.append(_line(arm.label, grid.values, found))
            lost += _diverged(arm.label, grid.values, found)
    axis = _near_the_best(mine[0].score_name if mine else "score", lines, task)
    return Chart(f"{task.name}: response to {grid.key}", Axis(grid.key, log=True), axis, [*lines, *lost])


def declared(study: Study, picture: Picture, rows: Sequence[Row]) -> Chart:
    """A metric of the runs that decide against what sets the tasks apart, an arm a series."""
    places = sorted(picture.tasks.items(), key=lambda item: item[1])
    marks: list[Mark] = []
    for name, arm in study.arms.items():
        held = [row for row in rows if (row.role, row.arm) == ("final", name)]
        found = [[row.value(picture.metric) for row in held if row.task == task] for task, _ in places]
        marks.append(_line(arm.label, [place for _, place in places], found))
    return Chart(picture.title, Axis(picture.x), Axis(picture.metric), marks)


def _diverged(label: str, values: Sequence[float], found: Sequence[Sequence[float]]) -> Iterator[Points]:
    """A cross at each value at which runs diverged: the edge."""
    counts = [(value, sum(not math.isfinite(score) for score in each), len(each))
              for value, each in zip(values, found, strict=True)]  # fmt: skip
    crosses = [Point(value, math.nan, f"{lost} of {whole} runs diverged") for value, lost, whole in counts if lost]
    if crosses:
        yield Points(label, crosses)


def _near_the_best(label: str, lines: Sequence[Line], task: StudyTask) -> Axis:
    """Some margins from the best mean: far worse ones, of an error without bounds, would flatten all that matters."""
    means = [value for line in lines for value in line.y if math.isfinite(value)]
    if task.mode == "max":
        best = max(means, default=0.0)
        return Axis(label, low=best - SHOWN * task.margin, high=best + 2 * task.margin)
    best = min(means, default=0.0)
    return Axis(label, low=best - 2 * task.margin, high=best + SHOWN * task.margin, better="lower")


def _line(label: str, x: Sequence[float], found: Sequence[Sequence[float]]) -> Line:
    """Mean over the finite ones with a 95 % interval; NaN, which breaks the line, where there are fewer than two."""
    kept = [np.array([value for value in each if math.isfinite(value)]) for each in found]
    ends = [student_t(each).interval(0.95) if each.size > 1 else (math.nan, math.nan) for each in kept]
    mean = [float(each.mean()) if each.size > 1 else math.nan for each in kept]
    return Line(label, list(x), mean, [float(low) for low, _ in ends], [float(high) for _, high in ends])
