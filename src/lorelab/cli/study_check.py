"""``lorelab study check|reproduce``: whether what was reported follows from its table, and comes out again."""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lorelab.cli import study_design
from lorelab.cli.study import scale_of
from lorelab.cli.study_identities import differences, proven
from lorelab.cli.study_report import stored
from lorelab.cli.study_run import Found, Runner, prepare_workers, train_all
from lorelab.errors import ConfigError, LorelabError
from lorelab.studies.decision import Decision
from lorelab.studies.exact import proven_from
from lorelab.studies.folder import SPEC, Frozen, freeze
from lorelab.studies.jobs import choose
from lorelab.studies.judge import Judged, from_dict, judge
from lorelab.studies.spec import Study

DONE = "reproduced.txt"


def check(args: argparse.Namespace) -> int:
    """Recomputes from ``runs.csv`` all that ``verdict.json`` says of it. Returns 1 if a number differs."""
    study, frozen, rows = stored(args)
    judged = judge(study, rows, frozen.seeds)
    exact = proven_from(study, frozen.identities)
    again = freeze(study, judged, rows, frozen.seeds, choose(study, rows), frozen.facts, exact)
    wrong = [*_differences("", vars(frozen), vars(again)), *differences(exact, proven(study))]
    for line in wrong:
        print(line)
    count = sum(1 + len(each.by_task) for each in judged) + len(exact)
    print(
        f"{study.name}: {count} verdicts recomputed from {len(rows)} runs; "
        + (f"{len(wrong)} values differ from verdict.json" if wrong else "every number is the one in verdict.json")
    )
    _tell_if_declared_otherwise(study, frozen)
    return int(bool(wrong))


def reproduce(args: argparse.Namespace) -> int:
    """Trains everything again. A number is reproduced if it lies within the reported interval. Returns 1 if one does
    not, or a verdict differs. Interrupted, it goes on; ended, it begins anew."""
    from lorelab.cli.study_store import study_run
    from lorelab.training.interrupts import interruptible

    study, frozen, _ = stored(args)
    overrides = (*frozen.facts.get("overrides", ()), *scale_of(args)[1])
    prepare_workers(overrides)
    grounds = study_design.check(study, overrides)
    folder, name = _next(grounds.outputs / "studies", study.name)
    declared = (args.results / study.name / SPEC).read_text(encoding="utf-8")
    with interruptible(), study_run(study, grounds, declared, name) as parent:
        found = train_all(study, Runner(name, grounds, (*overrides, "force=true"), parent.run_id))
    lines, lost = _compared(study, frozen, found)
    (folder / DONE).write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))
    return int(lost > 0)


def _next(folder: Path, study: str) -> tuple[Path, str]:
    """Where the first repetition lies that has not ended yet."""
    names = (f"{study}-again-{number}" for number in itertools.count(1))
    name = next(name for name in names if not (folder / name / DONE).is_file())
    return folder / name, name


def _compared(study: Study, frozen: Frozen, found: Found) -> tuple[list[str], int]:
    lines, lost = [], 0
    for before, now in zip(from_dict(study, frozen.claims), found.judged, strict=True):
        for place, a, b in _pairs(before, now):
            inside = a.interval.low <= b.estimate <= a.interval.high or _same(a.estimate, b.estimate)
            same = a.verdict is b.verdict
            lost += not (inside and same)
            word = "within its interval" if inside else "OUTSIDE its interval"
            if _same(a.estimate, b.estimate):
                word = "identical"
            verdict = f"{a.verdict} again" if same else f"{a.verdict} → {b.verdict}"
            lines.append(
                f"{before.claim.name}, {place}: {a.estimate:+.5g} → {b.estimate:+.5g}, {word} "
                f"[{a.interval.low:+.5g}, {a.interval.high:+.5g}]; {verdict}"
            )
    if found.count != frozen.seeds:
        lines.append(f"seeds per arm: {frozen.seeds} → {found.count}")
    lines.append(f"{study.name}: " + (f"{lost} numbers were not reproduced" if lost else "reproduced"))
    return [*lines, *_other_versions(frozen)], lost


def _pairs(before: Judged, now: Judged) -> list[tuple[str, Decision, Decision]]:
    single = [(task, decision, now.by_task[task]) for task, decision in before.by_task.items()]
    return [("over all tasks", before.overall, now.overall), *single]


def _differences(place: str, old: object, new: object) -> Iterator[str]:
    """Leaves that differ; floats up to what another build of numpy may round otherwise."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(f"{place}.{key}".lstrip("."), old.get(key), new.get(key))
    elif isinstance(old, Sequence) and isinstance(new, Sequence) and not isinstance(old, str) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{place}.{index}", a, b)
    elif isinstance(old, float) and isinstance(new, float) and math.isclose(old, new, rel_tol=1e-9, abs_tol=1e-12):
        return
    elif old != new:
        yield f"{place}: verdict.json has {old}, recomputed {new}"


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _tell_if_declared_otherwise(study: Study, frozen: Frozen) -> None:
    try:
        now = study_design.load(study_design.path_of(study.name), frozen.scale)
    except (ConfigError, LorelabError):  # a study of the user's own, declared elsewhere
        return
    if now != study:
        print(f"note: conf/study/{study.name}.yaml has changed since; lorelab study run {study.name} reports it anew")


def _other_versions(frozen: Frozen) -> list[str]:
    from lorelab.paths import ROOT
    from lorelab.training.provenance import capture

    now = capture(ROOT).packages
    before = frozen.facts.get("versions", {})
    changed = [f"{name} {old} → {now[name]}" for name, old in before.items() if name in now and now[name] != old]
    return [f"other versions than reported: {', '.join(changed)}"] if changed else []
