"""``lorelab study run|report|list``: trains what is missing, freezes the verdict, renders it."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorelab.cli import study_design
from lorelab.cli.study import scale_of
from lorelab.cli.study_design import Grounds
from lorelab.cli.study_identities import proven
from lorelab.cli.study_run import Runner, of_results, prepare_workers, store_of, train_all
from lorelab.errors import ConfigError, LorelabError, Problem
from lorelab.pages.marks import SIGNS
from lorelab.pages.page import picture
from lorelab.paths import ROOT
from lorelab.studies import folder as folders
from lorelab.studies.curves import Curve, read_curves, write_curves
from lorelab.studies.exact import Proven, proven_from
from lorelab.studies.folder import Frozen
from lorelab.studies.index import render_index
from lorelab.studies.judge import Judged, from_dict
from lorelab.studies.pictures import forest
from lorelab.studies.readme import readme
from lorelab.studies.report import render
from lorelab.studies.rules import Verdict
from lorelab.studies.spec import SCALES, Study
from lorelab.studies.table import Row, as_csv, read_rows
from lorelab.studies.words import TONES, asked, effect, where_tasks_differ


@dataclass(frozen=True)
class _Ready:
    """A study that was checked."""

    study: Study
    declared: str
    grounds: Grounds
    exact: Sequence[Proven]


def run(args: argparse.Namespace) -> int:
    """Tunes, trains on fresh seeds, decides; writes ``experiments/NAME/``. Of several studies, all are checked before
    the first is trained."""
    scale, overrides = scale_of(args)
    paths = list(dict.fromkeys(study_design.path_of(name).resolve() for name in (args.name, *args.more)))
    if len({path.stem for path in paths}) < len(paths):
        found = ", ".join(map(str, paths))
        raise LorelabError(f"study run: found {found}; expected files of different names: results go by them")
    studies = [(study_design.load(path, scale), path.read_text(encoding="utf-8")) for path in paths]
    prepare_workers(overrides)
    ready, problems = list[_Ready](), list[Problem]()
    for each in studies:
        try:
            ready.append(_checked(*each, overrides, args.results))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    for one in ready:
        _run(one, overrides, args.results)
    return 0


def _checked(study: Study, declared: str, overrides: Sequence[str], results: Path) -> _Ready:
    _spare_larger(results / study.name, study.scale)
    grounds = study_design.check(study, overrides)
    _ = grounds.fingerprints  # data that cannot be had are told of before anything is opened
    return _Ready(study, declared, grounds, proven(study))  # that takes a second, and may be wrong


def _run(ready: _Ready, overrides: tuple[str, ...], results: Path) -> None:
    import secrets

    from lorelab.cli.study_store import study_run
    from lorelab.training.interrupts import interruptible

    study, declared, grounds, exact = ready.study, ready.declared, ready.grounds, ready.exact
    mark = secrets.token_hex(2) if "force=true" in overrides else ""
    place = results / study.name
    with interruptible(), study_run(study, grounds, declared, study.name) as parent:
        found = train_all(study, Runner(study.name, grounds, overrides, parent.run_id, mark))
        known = _facts(study, grounds, overrides)
        frozen = folders.freeze(study, found.judged, found.rows, found.count, found.chosen, known, exact)
        place.mkdir(parents=True, exist_ok=True)
        (place / folders.SPEC).write_text(declared, encoding="utf-8")
        (place / folders.ROWS).write_text(as_csv(found.rows), encoding="utf-8", newline="")
        write_curves(place / folders.CURVES, _curves(grounds, found.rows))
        folders.write_verdict(place, frozen)
        _render(study, frozen, found.rows, place)
        parent.decided(frozen, found.judged, sorted(file for file in place.iterdir() if file.is_file()))
    _write_index(results)
    print_verdicts(study, found.judged, place, exact)


def _spare_larger(place: Path, scale: str) -> None:
    """A try at a smaller scale must not take the place of a reported result."""
    if not (place / folders.VERDICT).is_file():
        return
    kept = folders.read_verdict(place).scale
    if SCALES.index(scale) < SCALES.index(kept):
        raise LorelabError(
            f"{place}: found a result at scale {kept}; expected none, or one at scale {scale} at most. Write this one "
            f"elsewhere: --results outputs/{scale}"
        )


def report(args: argparse.Namespace) -> int:
    """Renders again, from what lies in ``experiments/NAME/`` alone."""
    study, frozen, rows = stored(args)
    place = args.results / study.name
    _render(study, frozen, rows, place)
    _write_index(args.results)
    print(place / folders.REPORT)
    return 0


def stored(args: argparse.Namespace) -> tuple[Study, Frozen, list[Row]]:
    """A reported study as it was declared then, its verdicts and its table.

    Raises:
        LorelabError: it was never run.
    """
    scale_of(args)
    place = args.results / (Path(args.name).stem if args.name.endswith((".yaml", ".yml")) else args.name)
    return *_reported(place), read_rows(place / folders.ROWS)


def index(args: argparse.Namespace) -> int:
    """Lists the claims by question, with their verdicts; writes ``index.html``."""
    from lorelab.cli.runs import empty_table, show

    found = _all_reported(args.results)
    if not found:
        print(f"No study was reported in {args.results}. Run one: lorelab study run NAME")
    table = empty_table(["question", "study", "claim", "verdict", "effect, in margins", "scale"])
    for study, frozen in found:
        for each in from_dict(study, frozen.claims):
            word = f"{SIGNS[TONES[each.overall.verdict]]} {each.overall.verdict}"
            table.add_row(study.question, study.name, each.claim.says, word, effect(each.overall), study.scale)
        for one in proven_from(study, frozen.identities):
            word = f"{SIGNS[TONES[one.decision.verdict]]} {one.decision.verdict}"
            table.add_row(study.question, study.name, one.identity.says, word, "exact", study.scale)
    if found:
        show(table)
        _write_index(args.results)
    declared = sorted(path.stem for path in study_design.STUDIES.glob("*.yaml"))
    print(f"Declared: {', '.join(declared) or 'none'}")
    return 0


def print_verdicts(study: Study, judged: Sequence[Judged], place: Path, exact: Sequence[Proven] = ()) -> None:
    """What a reader needs first."""
    print(f"\n{study.title} ({study.scale})")
    for each in judged:
        sign = SIGNS[TONES[each.overall.verdict]]
        print(f"  {sign} {str(each.overall.verdict).upper()}: {each.claim.says}")
        print(f"    {asked(study, each)}; effect {effect(each.overall)} margins. {where_tasks_differ(each)}")
        if each.overall.verdict is Verdict.INCONCLUSIVE and each.overall.more_seeds:
            print(f"    about {each.overall.more_seeds} more seeds would probably decide it")
    for one in exact:
        print(f"  {SIGNS[TONES[one.decision.verdict]]} {str(one.decision.verdict).upper()}: {one.identity.says}")
        print(f"    {one.decision.why}")
    print(f"  {place / folders.REPORT}")


def _render(study: Study, frozen: Frozen, rows: Sequence[Row], place: Path) -> None:
    judged, curves = from_dict(study, frozen.claims), read_curves(place / folders.CURVES)
    (place / folders.REPORT).write_text(render(study, frozen, rows, curves), encoding="utf-8")
    (place / folders.README).write_text(readme(study, frozen, judged, rows), encoding="utf-8")
    if judged:
        (place / folders.PICTURE).write_text(picture(forest(study, judged[0])), encoding="utf-8")


def _reported(place: Path) -> tuple[Study, Frozen]:
    frozen = folders.read_verdict(place)
    path = place / folders.SPEC
    if not path.is_file():
        raise LorelabError(f"{path}: is not there; lorelab study run writes it. Restore it from git.")
    return study_design.load(path, frozen.scale, frozen.study), frozen


def _all_reported(results: Path) -> list[tuple[Study, Frozen]]:
    found = [_reported(path.parent) for path in sorted(results.glob(f"*/{folders.VERDICT}"))]
    return sorted(found, key=lambda pair: (pair[0].question, pair[0].name))


def _write_index(results: Path) -> None:
    (results / "index.html").write_text(render_index(_all_reported(results)), encoding="utf-8")


def _curves(grounds: study_design.Grounds, rows: Sequence[Row]) -> list[Curve]:
    store = store_of(grounds)
    if store is None:
        return []
    return [
        Curve(row.task, row.arm, row.seed, row.score_name, store.history(row.run_id, row.score_name))
        for row in rows
        if row.role == "final" and "-" not in row.run_id
    ]


def _facts(study: Study, grounds: study_design.Grounds, overrides: Sequence[str]) -> dict[str, Any]:
    from lorelab.cli.ui import experiment_page
    from lorelab.training.provenance import capture

    known = capture(ROOT)
    names = ("torch", "pytorch-lightning", "numpy", "scipy", "optuna", "mlflow", "lorelab")
    versions = {name: known.packages[name] for name in names if name in known.packages}
    store = store_of(grounds)
    return {
        "looks": list(study.looks),
        "seed_list": list(study.seeds),
        "overrides": of_results(overrides),
        "versions": versions | {"python": known.python},
        "machine": f"{platform.platform()}, {known.cpu}, {os.cpu_count()} cores",
        "gpus": list(known.gpus),
        "mlflow": "" if store is None else experiment_page(store.uri, store.experiment),
    }
