"""A study's README: claim, verdict, one picture, how to repeat it, what would change our mind."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from lorelab.pages.marks import SIGNS
from lorelab.pages.numbers import number
from lorelab.studies.exact import proven_from
from lorelab.studies.folder import PICTURE, Frozen
from lorelab.studies.judge import Judged
from lorelab.studies.proofs import markdown
from lorelab.studies.report import commands, contradicted
from lorelab.studies.spec import Picture, Study
from lorelab.studies.suggested import NEAR, suggestions
from lorelab.studies.table import Row
from lorelab.studies.words import TONES, asked, effect, ruling, where_intervals_disagree, where_tasks_differ


def readme(study: Study, frozen: Frozen, judged: Sequence[Judged], rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [
        f"# {study.title}",
        "",
        f"{study.question}, at scale `{study.scale}`: {frozen.seeds} seeds per arm and task.",
        "",
    ]
    if judged:
        lines += [
            "Effects are A − B, oriented so that larger is better, with the interval that decides. Verdicts read "
            "together are corrected (Holm): where one is inconclusive only for that, the table says what it is alone.",
            "",
        ]
    for each in judged:
        sign, verdict = SIGNS[TONES[each.overall.verdict]], each.overall.verdict
        lines += [f"## {sign} {str(verdict).capitalize()}: {each.claim.says}", ""]
        said = f"{asked(study, each)}. {where_tasks_differ(each)} {where_intervals_disagree(each)}".rstrip()
        lines += [f"Claim ({each.claim.kind}): {said}", ""]
        lines += ["| where | effect | margin | verdict |", "| --- | --- | ---: | --- |"]
        for task, decision in each.by_task.items():
            metric = each.claim.measured(study.tasks[task]).metric
            lines.append(f"| {task} ({metric}) | {effect(decision)} | {decision.margin:g} | {ruling(decision)} |")
        whole = ruling(each.overall, each.hidden)
        lines += [f"| over all tasks, in margins | {effect(each.overall)} | 1 | {whole} |", ""]
    lines += markdown(proven_from(study, frozen.identities))
    lines += _suggestions(study, rows)
    for drawn in study.pictures:
        lines += _means(study, drawn, rows)
    lines += [f"![{study.title}]({PICTURE})", ""] if judged else []
    lines += ["## Repeat it", "", "```console"]
    lines += [f"$ {line}" for line in commands(study, frozen).splitlines()]
    lines += ["```", "", "## What would change our mind", "", study.change or contradicted(judged), ""]
    cost, commits = frozen.facts["cost"], ", ".join(map(_short, frozen.facts["commits"]))
    spent = f"{cost['runs']} runs, {cost['seconds'] / 60:.0f} minutes of training, {cost['diverged']} diverged"
    lines.append(f"{spent}; commit {commits}. Every number can be recomputed from `runs.csv`; the page: `report.html`.")
    lines.append("")
    return "\n".join(lines)


def _short(commit: str) -> str:
    known, dirty, _ = str(commit).partition("+dirty")
    return known[:12] + (" with uncommitted files" if dirty else "")


def _suggestions(study: Study, rows: Sequence[Row]) -> list[str]:
    found = suggestions(study, rows)
    if not found:
        return []
    near, runs = sum(each.near for each in found), sum(each.runs for each in found)
    said = f"{near} of {runs} suggestions of the range test lie within a factor of {NEAR:g} of the tuned learning rate."
    lines = [f"## {said}", "", "| task | suggested (median) | tuned | near |", "| --- | ---: | ---: | ---: |"]
    for each in found:
        median = "none" if each.median is None else f"{each.median:.2g}"
        lines.append(f"| {each.task} | {median} | {each.optimum:.2g} | {each.near} of {each.runs} |")
    return [*lines, ""]


def _means(study: Study, picture: Picture, rows: Sequence[Row]) -> list[str]:
    """What a declared picture shows, as numbers."""
    places = sorted(picture.tasks, key=picture.tasks.__getitem__)
    lines = [f"## {picture.title}", "", *([picture.says, ""] if picture.says else [])]
    lines += [f"| mean of {picture.metric} | {' | '.join(places)} |", "| --- |" + " ---: |" * len(places)]
    for name, arm in study.arms.items():
        found = []
        for task in places:
            mine = [row.value(picture.metric) for row in rows if (row.task, row.arm, row.role) == (task, name, "final")]
            finite = [value for value in mine if math.isfinite(value)]
            found.append(number(statistics.fmean(finite)) if finite else "–")
        lines.append(f"| {arm.label.replace('|', '∣')} | {' | '.join(found)} |")
    return [*lines, ""]
