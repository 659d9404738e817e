"""The learning-rate response curve: final score against learning rate, over seeds, with the edge of divergence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lorelab.pages.chart import Chart
from lorelab.pages.marks import Axis, Line, Mark, Point, Points, Rule
from lorelab.studies.location import student_t
from lorelab.sweeps.trials import Trial, TrialStatus

RATE = "optimizer.lr"


@dataclass(frozen=True)
class Response:
    """What one learning rate gave."""

    rate: float
    scores: tuple[float, ...]
    """Of the seeds that ended with one."""
    diverged: int
    mean: float
    """NaN if every seed diverged."""
    low: float
    high: float
    """95 % interval of the mean (Student's t) over the seeds that ended; NaN below two."""


def responses(trials: Sequence[Trial], metric: str | None = None) -> list[Response]:
    """One per learning rate, ascending. ``metric``: of the test split; None: the score that runs are judged by."""
    by_rate: dict[float, list[Trial]] = {}
    for trial in trials:
        if RATE in trial.params and trial.status in (TrialStatus.FINISHED, TrialStatus.DIVERGED):
            by_rate.setdefault(float(trial.params[RATE]), []).append(trial)
    found = []
    for rate, held in sorted(by_rate.items()):
        scores = tuple(score for trial in held if (score := _score(trial, metric)) is not None)
        low, high = (math.nan, math.nan)
        if len(scores) > 1:
            low, high = map(float, student_t(np.array(scores)).interval(0.95))
        mean = float(np.mean(scores)) if scores else math.nan
        found.append(Response(rate, scores, sum(t.status is TrialStatus.DIVERGED for t in held), mean, low, high))
    return found


def edge(curve: Sequence[Response]) -> float | None:
    """The lowest rate from which on at least half of the seeds diverge at every rate; None if there is none."""
    found = None
    for each in reversed(curve):
        if each.diverged * 2 < each.diverged + len(each.scores):
            break
        found = each.rate
    return found


def best(curve: Sequence[Response], direction: str) -> Response | None:
    """The rate with the best mean, among those at which no seed diverged if there are any."""
    alive = [each for each in curve if each.scores and not each.diverged] or [each for each in curve if each.scores]
    sign = 1.0 if direction == "maximize" else -1.0
    return max(alive, key=lambda each: sign * each.mean, default=None)


def draw(title: str, name: str, curve: Sequence[Response], trials: Sequence[Trial], direction: str) -> Chart:
    """The picture. ``name``: of what is on the y axis. Runs that diverged are crosses."""
    alive = [each for each in curve if each.scores]
    xs, ys = [each.rate for each in alive], [each.mean for each in alive]
    banded = all(math.isfinite(each.low) for each in alive)
    band = ([each.low for each in alive], [each.high for each in alive]) if banded else ((), ())
    metric = name if name.startswith("test/") else None
    marks: list[Mark] = [Line("mean over seeds", xs, ys, *band)]
    points = []
    for trial in trials:
        if RATE in trial.params and trial.status in (TrialStatus.FINISHED, TrialStatus.DIVERGED):
            score = _score(trial, metric)
            words = f"trial {trial.number}, seed {trial.params.get('seed', trial.runs[0].seed if trial.runs else '–')}"
            points.append(Point(float(trial.params[RATE]), math.nan if score is None else score, words))
    marks.append(Points("runs", points))
    if (top := best(curve, direction)) is not None:
        marks.append(Rule(top.rate, f"best {top.rate:.3g}", tone="good"))
    if (limit := edge(curve)) is not None:
        marks.append(Rule(limit, "diverges", tone="bad", shade="above"))
    better = "higher" if direction == "maximize" else "lower"
    return Chart(title, Axis("learning rate", log=True), Axis(name, better=better), marks)  # type: ignore[arg-type]


def _score(trial: Trial, metric: str | None) -> float | None:
    if trial.status is TrialStatus.DIVERGED:
        return None
    if metric is None:
        return trial.value
    found = [run.metrics[metric] for run in trial.runs if metric in run.metrics]
    return float(np.mean(found)) if found else None
