"""A sweep as a page with pictures and as a table of its trials."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from lorelab.pages.chart import Chart
from lorelab.pages.marks import Axis, Bar, Line, Point, Points, Rule, Tone
from lorelab.pages.numbers import number
from lorelab.pages.page import Code, Figure, Gallery, Heading, Paragraph, Part, Verdict, page
from lorelab.pages.rows import Rows
from lorelab.pages.table import Cell, Table
from lorelab.sweeps.space import Dimension
from lorelab.sweeps.summary import Summary, confirmed_line, words_of
from lorelab.sweeps.trials import Trial, TrialStatus


def render(summary: Summary) -> str:
    """The sweep as a page that needs nothing but a browser."""
    best, counts = summary.best, ", ".join(f"{count} {status}" for status, count in summary.counts().items())
    facts = [("trials", counts), ("total asked for", str(summary.total))]
    if best is not None:
        facts += [("selected", number(best.value))]
    if summary.confirmed:
        first = summary.confirmed[0]
        facts += [("confirmed", f"{number(first.mean)} on {len(first.scores)} fresh seeds"),
                  ("winner's curse", number(first.curse, signed=True))]  # fmt: skip
    word = "Nothing finished" if best is None else words_of(best)
    parts: list[Part] = [
        Verdict(f"Best {summary.monitor} ({summary.direction})", word, "open" if best is None else "good", facts),
        *(Paragraph(f"Note: {line}.") for line in summary.near_edge()),
        *(Paragraph(confirmed_line(each, summary.monitor) + ".") for each in summary.confirmed),
    ]
    if summary.preset:
        parts += [Heading("Train with it"), Code(summary.preset)]
    parts += [Heading("Best value so far"), Figure(_best_so_far(summary), "Trials in the order they ended.")]
    responses = [Figure(chart) for each in summary.dimensions if (chart := _response(summary, each))]
    if responses:
        parts += [Heading("Response"), Gallery(responses)]
    if len(summary.importances) > 1:
        bars = [Bar(key, value) for key, value in summary.importances.items()]
        parts += [Figure(Rows("Importance of each key (PED-ANOVA)", Axis("share"), bars), "Of the finished trials.")]
    parts += [Heading("Trials"), _table(summary), Heading("Go on with it"), Code(summary.command)]
    return page(f"Sweep {summary.name}", parts, summary.monitor)


def _best_so_far(summary: Summary) -> Chart:
    ended = sorted((t for t in summary.trials if t.value is not None and t.ended), key=lambda t: t.ended or 0.0)
    steps: list[float] = []
    best: list[float] = []
    for step, trial in enumerate(ended, start=1):
        if trial.counts and trial.value is not None:
            known = [*best[-1:], trial.value]
            steps.append(float(step))
            best.append(max(known) if summary.direction == "maximize" else min(known))
    groups: dict[str, list[Point]] = {}
    for step, trial in enumerate(ended, start=1):
        groups.setdefault(_series(trial), []).append(Point(step, _shown(trial), _said(trial)))
    marks: list[Points | Line | Rule] = [Points(name, held) for name, held in groups.items()]
    marks.append(Line("best so far", steps, best, step=True))
    return Chart("Value by trial", Axis("trials that ended", whole=True), _axis(summary), marks)


def _response(summary: Summary, each: Dimension) -> Chart | None:
    if each.kind == "choice" and not all(_is_number(choice) for choice in each.choices):
        return None
    groups: dict[str, list[Point]] = {}
    for trial in summary.trials:
        value = trial.params.get(each.key)
        if value is None or trial.value is None:
            continue
        words = [str(v) for k, v in trial.params.items() if k in _categories(summary) and k != each.key]
        groups.setdefault(_series(trial, *words), []).append(Point(float(value), _shown(trial), _said(trial)))
    if not groups:
        return None
    xs = [point.x for points in groups.values() for point in points]
    log = each.log or (each.kind == "choice" and min(xs) > 0 and max(xs) / min(xs) >= 30)
    marks: list[Points | Line | Rule] = [Points(name, sorted(held, key=lambda p: p.x)) for name, held in groups.items()]
    if summary.best is not None and each.key in summary.best.params:
        marks.append(Rule(float(summary.best.params[each.key]), "best", tone="good"))
    return Chart(f"{summary.monitor} against {each.key}", Axis(each.key, log=log), _axis(summary), marks)


def _categories(summary: Summary) -> set[str]:
    """Keys whose few values tell the series of a picture apart."""
    choices = [each for each in summary.dimensions if each.kind == "choice" and 1 < len(each.choices) <= 6]
    return {each.key for each in choices if not all(map(_is_number, each.choices))}


def _series(trial: Trial, *words: str) -> str:
    """What diverged has a lane of its own, and needs no series."""
    return " ".join([*words, *(["pruned"] if trial.status is TrialStatus.PRUNED else [])]) or "trials"


def _said(trial: Trial) -> str:
    """Of a trial, on hovering: how it ended, what it tried, and what each seed scored."""
    seeds = [f"seed {run.seed}: {'no score' if run.score is None else number(run.score)}" for run in trial.runs]
    return "\n".join([f"trial {trial.number}, {trial.status}", words_of(trial), *(seeds if len(seeds) > 1 else [])])


def _table(summary: Summary) -> Table:
    keys = [each.key for each in summary.dimensions]
    tones: dict[TrialStatus, Tone] = {
        TrialStatus.FINISHED: "good", TrialStatus.FAILED: "bad", TrialStatus.DIVERGED: "bad",
    }  # fmt: skip
    rows: list[list[Cell | str | float | None]] = []
    for trial in summary.trials:
        reason = trial.error.strip().splitlines()[-1:]
        status = Cell(str(trial.status), tone=tones.get(trial.status, "plain"), title="".join(reason))
        runs = Cell(", ".join(str(run.seed) for run in trial.runs), title="\n".join(run.name for run in trial.runs))
        seconds = sum(run.seconds for run in trial.runs)
        rows.append([trial.number, status, trial.value, *(trial.params.get(key) for key in keys), seconds, runs])
    return Table(("trial", "status", summary.monitor, *keys, "seconds", "seeds"), rows)


def _shown(trial: Trial) -> float:
    return math.nan if trial.status is TrialStatus.DIVERGED or trial.value is None else trial.value


def _axis(summary: Summary) -> Axis:
    return Axis(summary.monitor, better="higher" if summary.direction == "maximize" else "lower")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def write_pages(summary: Summary, folder: Path) -> list[Path]:
    """``sweep.html`` and ``trials.csv`` in ``folder``."""
    html, table = folder / "sweep.html", folder / "trials.csv"
    html.write_text(render(summary), encoding="utf-8")
    keys = [each.key for each in summary.dimensions]
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["trial", "status", "value", *keys, "seconds", "run_ids"])
        for trial in summary.trials:
            cells = [trial.number, trial.status, "" if trial.value is None else repr(trial.value)]
            cells += [trial.params.get(key, "") for key in keys]
            seconds = sum(run.seconds for run in trial.runs)
            rows.writerow([*cells, f"{seconds:.3f}", " ".join(run.run_id for run in trial.runs)])
    return [html, table]
