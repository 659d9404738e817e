"""The page of all claims, by question, with their verdicts."""

from __future__ import annotations

from collections.abc import Iterable

from lorelab.pages.page import Heading, Paragraph, Part, Verdict, page
from lorelab.studies.exact import proven_from
from lorelab.studies.folder import REPORT, Frozen
from lorelab.studies.judge import from_dict
from lorelab.studies.proofs import box
from lorelab.studies.spec import Study
from lorelab.studies.words import TONES, effect, where_tasks_differ


def render_index(reported: Iterable[tuple[Study, Frozen]]) -> str:
    """One self-contained document, to lie beside the folders of the studies."""
    parts: list[Part] = []
    question = None
    for study, frozen in sorted(reported, key=lambda pair: (pair[0].question, pair[0].name)):
        if study.question != question:
            question = study.question
            parts.append(Heading(question or "No question named"))
        for each in from_dict(study, frozen.claims):
            facts = [
                ("effect, in margins", effect(each.overall)),
                ("scale", f"{study.scale}, {frozen.seeds} seeds"),
                ("by task", where_tasks_differ(each)),
            ]
            parts.append(
                Verdict(each.claim.says, str(each.overall.verdict).capitalize(), TONES[each.overall.verdict], facts)
            )
        parts += [box(each) for each in proven_from(study, frozen.identities)]
        parts.append(Paragraph("", f"{study.name}/{REPORT}", f"The whole report: {study.title}"))
    return page("Claims and verdicts", parts, "by question")
