"""A study's page: the verdicts first, readable in ten seconds, then what they stand on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lorelab.pages.page import Code, Details, Figure, Gallery, Heading, Paragraph, Part, Verdict, page
from lorelab.studies.curves import Curve
from lorelab.studies.exact import proven_from
from lorelab.studies.folder import Frozen
from lorelab.studies.judge import Judged, from_dict
from lorelab.studies.measured import measured
from lorelab.studies.pictures import Link, budget_curve, forest, learning, responses, scores_by_seed
from lorelab.studies.proofs import box, parts_of
from lorelab.studies.spec import Study
from lorelab.studies.table import Row
from lorelab.studies.tables import arms_table, intervals_table, numbers_table, provenance_table, runs_table
from lorelab.studies.words import TONES, asked, facts, where_intervals_disagree, where_tasks_differ


def render(study: Study, frozen: Frozen, rows: Sequence[Row], curves: Sequence[Curve] = ()) -> str:
    """The whole document, from what lies in ``experiments/NAME/`` alone."""
    judged, link = from_dict(study, frozen.claims), link_of(frozen)
    proven = proven_from(study, frozen.identities)
    parts = [
        *_verdicts(study, judged),
        *(box(each) for each in proven),
        Heading("Task by task"),
        *(Figure(forest(study, each), each.overall.why) for each in judged),
        Gallery([Figure(scores_by_seed(study, task, rows, link)) for task in study.tasks.values()]),
        *measured(study, rows),
        *parts_of(proven),
        *_training(study, rows, curves),
        *_tuning(study, rows, link),
        Heading("Every arm"),
        arms_table(study, frozen, rows),
        Heading("Repeat it"),
        Code(commands(study, frozen)),
        Heading("What would change our mind"),
        Paragraph(study.change or contradicted(judged)),
        Details("Numbers behind each verdict", [numbers_table(judged), intervals_table(judged)]),
        Details("Provenance", [provenance_table(frozen.facts)]),
        Details(f"All {len(rows)} runs", [runs_table(study, rows, link), *_where_links_lead(frozen)]),
    ]
    scale = "smoke (a try: these verdicts mean nothing)" if study.scale == "smoke" else study.scale
    subtitle = f"{study.question} · scale {scale} · {frozen.seeds} seeds per arm and task"
    return page(study.title, parts, subtitle)


def link_of(frozen: Frozen) -> Link:
    """From a run's id to its page in MLflow's interface on the machine that trained it."""
    base = frozen.facts.get("mlflow", "")
    return lambda run_id: f"{base}/runs/{run_id}" if base and run_id else ""


def contradicted(judged: Sequence[Judged]) -> str:
    """What would change our mind, where the study does not say it."""
    names = ", ".join(each.claim.name for each in judged)
    return f"Runs on other tasks, or at a larger scale, whose intervals contradict those above ({names})."


def commands(study: Study, frozen: Frozen) -> str:
    """What trains, checks and renders it again."""
    return "\n".join(
        [
            " ".join([f"lorelab study run {study.name} scale={study.scale}", *frozen.facts.get("overrides", ())]),
            f"lorelab study check {study.name}",
            f"lorelab study reproduce {study.name}",
            f"lorelab study report {study.name}",
        ]
    )


def _verdicts(study: Study, judged: Sequence[Judged]) -> Iterator[Part]:
    for each in judged:
        whole = each.overall
        said = [("claim", asked(study, each)), *_facts(study, each)]
        yield Verdict(each.claim.says, str(whole.verdict).capitalize(), TONES[whole.verdict], said)
        yield Paragraph(where_tasks_differ(each))
        if disagreement := where_intervals_disagree(each):
            yield Paragraph(disagreement)


def _facts(study: Study, judged: Judged) -> list[tuple[str, str]]:
    """In margins over all tasks; in the metric's own unit where there is but one task."""
    if len(judged.by_task) > 1:
        return facts(judged.overall, "margins, over all tasks", judged.hidden)
    (name, decision), whole = next(iter(judged.by_task.items())), judged.overall
    own = replace(decision, holm_supported=whole.holm_supported, holm_refuted=whole.holm_refuted)
    unit = "decades" if judged.claim.grid else judged.claim.measured(study.tasks[name]).metric
    return facts(own, unit)


def _training(study: Study, rows: Sequence[Row], curves: Sequence[Curve]) -> Iterator[Part]:
    trained = [task for task in study.tasks.values() if any(each.task == task.name for each in curves)]
    if trained:
        yield Heading("While training")
        yield Gallery([Figure(learning(study, task, rows, curves)) for task in trained])
        yield Paragraph(
            "Mean over seeds of the validation score, with 95 % intervals (Student's t), at the steps that two runs or "
            "more reached with a finite score."
        )


def _tuning(study: Study, rows: Sequence[Row], link: Link) -> Iterator[Part]:
    tuned = [task for task in study.tasks.values() if any(row.role == "tune" and row.task == task.name for row in rows)]
    if tuned:
        yield Heading("What tuning saw")
        yield Gallery([Figure(chart) for task in tuned for chart in responses(study, task, rows, link)])
        yield Heading("Score against tuning budget")
        yield Gallery([Figure(budget_curve(study, task, rows)) for task in tuned])
        yield Paragraph(
            "Best validation score after so many trials, averaged over random orders of the trials, with the middle "
            "80 % of them; a search is only as good as its budget. Of errors, what exceeds twice the median stands "
            "hollow at the edge."
        )


def _where_links_lead(frozen: Frozen) -> Iterator[Part]:
    if frozen.facts.get("mlflow"):
        yield Paragraph("Runs link to MLflow's interface on the machine that trained them: start it with lorelab ui.")
