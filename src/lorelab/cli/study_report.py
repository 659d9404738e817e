"""``lorelab study run|report|list``: trains what is missing, freezes the verdict, renders it."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorelab.cli import study_run
from lorelab.cli.study import scale_of
from lorelab.cli.study_run import Runner
from lorelab.errors import LorelabError
from lorelab.pages.marks import SIGNS
from lorelab.pages.page import Paragraph, Part, Verdict, page, picture
from lorelab.paths import ROOT
from lorelab.studies import folder as folders
from lorelab.studies import jobs
from lorelab.studies.folder import Frozen
from lorelab.studies.judge import Judged, from_dict, judge
from lorelab.studies.readme import readme
from lorelab.studies.report import forest, render
from lorelab.studies.rules import Verdict as Word
from lorelab.studies.sequential import next_look
from lorelab.studies.spec import Study
from lorelab.studies.table import Row, read_rows, write_rows
from lorelab.studies.words import TONES, asked, effect, where_tasks_differ


@dataclass(frozen=True)
class Found:
    """What running a study gave."""

    rows: Sequence[Row]
    judged: Sequence[Judged]
    count: int
    chosen: Mapping[tuple[str, str], jobs.Params]


def run(args: argparse.Namespace) -> int:
    """Tunes, trains on fresh seeds, decides; writes ``experiments/NAME/``."""
    scale, overrides = scale_of(args)
    study = study_run.load(args.name, scale)
    study_run.check(study, overrides)
    begun = time.monotonic()
    found = train_all(study, Runner(study.name, overrides))
    facts = _facts(study, time.monotonic() - begun)
    frozen = folders.freeze(study, found.judged, found.rows, found.count, found.chosen, facts)
    place = args.results / study.name
    place.mkdir(parents=True, exist_ok=True)
    write_rows(place / folders.ROWS, found.rows)
    folders.write_verdict(place, frozen)
    _render(study, frozen, found.rows, place)
    from lorelab.cli.study_store import record

    record(study, frozen, found.judged, place, overrides)
    _write_index(args.results)
    print_verdicts(study, found.judged, place)
    return 0


def train_all(study: Study, runner: Runner) -> Found:
    """Every run that the study needs, in as many looks as it takes.

    Raises:
        LorelabError: a run has no result.
    """
    tuned = runner.run(jobs.tuning(study, study_run.draws), "tune")
    chosen = jobs.choose(study, tuned)
    count: int | None = study.looks[0]
    while count is not None:
        final = runner.run(jobs.deciding(study, chosen, study.seeds[:count]), "final")
        judged, done = judge(study, [*tuned, *final], count), count
        count = next_look(study.looks, done, [each.overall for each in judged])
        if count is not None:
            print(f"{study.name}: not all is decided at {done} seeds per arm; going on to {count}")
    return Found([*tuned, *final], judged, done, chosen)


def report(args: argparse.Namespace) -> int:
    """Renders again, from the spec, the table and the frozen verdict alone."""
    study, frozen, rows = stored(args)
    place = args.results / study.name
    _render(study, frozen, rows, place)
    _write_index(args.results)
    print(place / folders.REPORT)
    return 0


def stored(args: argparse.Namespace) -> tuple[Study, Frozen, list[Row]]:
    """A reported study with its spec at the scale it was reported at.

    Raises:
        LorelabError: it was never run.
    """
    scale_of(args)
    name = Path(args.name).stem if args.name.endswith((".yaml", ".yml")) else args.name
    frozen = folders.read_verdict(args.results / name)
    return study_run.load(args.name, frozen.scale), frozen, read_rows(args.results / name / folders.ROWS)


def index(args: argparse.Namespace) -> int:
    """Lists the claims by question, with their verdicts; writes ``index.html``."""
    from lorelab.cli.runs import empty_table, show

    found = _reported(args.results)
    if not found:
        print(f"No study was reported in {args.results}. Run one: lorelab study run NAME")
    table = empty_table(["question", "study", "claim", "verdict", "effect, in margins", "scale"])
    for study, frozen in found:
        for each in from_dict(study, frozen.claims):
            word = f"{SIGNS[TONES[each.overall.verdict]]} {each.overall.verdict}"
            table.add_row(study.question, study.name, each.claim.says, word, effect(each.overall), study.scale)
    if found:
        show(table)
        _write_index(args.results)
    declared = sorted(path.stem for path in (study_run.CONF / "study").glob("*.yaml"))
    print(f"Declared: {', '.join(declared) or 'none'}")
    return 0


def print_verdicts(study: Study, judged: Sequence[Judged], place: Path) -> None:
    """What a reader needs first."""
    print(f"\n{study.title} ({study.scale})")
    for each in judged:
        sign = SIGNS[TONES[each.overall.verdict]]
        print(f"  {sign} {str(each.overall.verdict).upper()}: {each.claim.says}")
        print(f"    {asked(study, each)}; effect {effect(each.overall)} margins. {where_tasks_differ(each)}")
        if each.overall.verdict is Word.INCONCLUSIVE and each.overall.more_seeds:
            print(f"    about {each.overall.more_seeds} more seeds would probably decide it")
    print(f"  {place / folders.REPORT}")


def _render(study: Study, frozen: Frozen, rows: Sequence[Row], place: Path) -> None:
    judged = from_dict(study, frozen.claims)
    (place / folders.REPORT).write_text(render(study, frozen, rows), encoding="utf-8")
    (place / folders.README).write_text(readme(study, frozen, judged), encoding="utf-8")
    (place / "verdict.svg").write_text(picture(forest(study, judged[0])), encoding="utf-8")


def _reported(results: Path) -> list[tuple[Study, Frozen]]:
    found = []
    for path in sorted(results.glob(f"*/{folders.VERDICT}")):
        frozen = folders.read_verdict(path.parent)
        try:
            found.append((study_run.load(frozen.study, frozen.scale), frozen))
        except LorelabError:  # a study of the user's own, declared elsewhere
            continue
    return sorted(found, key=lambda pair: (pair[0].question, pair[0].name))


def _write_index(results: Path) -> None:
    parts: list[Part] = []
    for study, frozen in _reported(results):
        for each in from_dict(study, frozen.claims):
            facts = [
                ("study", f"{study.question} · {study.title}"),
                ("effect, in margins", effect(each.overall)),
                ("scale", f"{study.scale}, {frozen.seeds} seeds"),
                ("by task", where_tasks_differ(each)),
            ]
            word, tone = str(each.overall.verdict).capitalize(), TONES[each.overall.verdict]
            parts.append(Verdict(each.claim.says, word, tone, facts))
        parts.append(Paragraph("", f"{study.name}/{folders.REPORT}", f"{study.title}: the whole report"))
    if parts:
        (results / "index.html").write_text(page("Claims and verdicts", parts, "by question"), encoding="utf-8")


def _facts(study: Study, wall: float) -> dict[str, Any]:
    from lorelab.training.provenance import capture

    known = capture(ROOT)
    names = ("torch", "pytorch-lightning", "numpy", "scipy", "optuna", "mlflow", "lorelab")
    versions = {name: known.packages[name] for name in names if name in known.packages}
    machine = f"{platform.platform()}, {known.cpu}, {os.cpu_count()} cores"
    return {
        "looks": list(study.looks),
        "seed_list": list(study.seeds),
        "versions": versions | {"python": known.python},
        "machine": machine,
        "gpus": list(known.gpus),
        "wall_seconds": round(wall, 1),
    }
