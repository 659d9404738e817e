"""``lorelab study check|reproduce``: whether what was reported follows from its table, and comes out again."""

from __future__ import annotations

import argparse
import math

from lorelab.cli import study_run
from lorelab.cli.study import scale_of
from lorelab.cli.study_report import stored, train_all
from lorelab.cli.study_run import Runner
from lorelab.studies.decision import Decision
from lorelab.studies.folder import Frozen
from lorelab.studies.judge import Judged, from_dict, judge
from lorelab.studies.plain import to_plain


def check(args: argparse.Namespace) -> int:
    """Recomputes every verdict from ``runs.csv``. Returns 1 if a number differs from ``verdict.json``."""
    study, frozen, rows = stored(args)
    again = judge(study, rows, frozen.seeds)
    wrong = []
    for before, now in zip(from_dict(study, frozen.claims), again, strict=True):
        for place, a, b in _pairs(before, now):
            wrong += [f"{before.claim.name}, {place}: {line}" for line in _differences(a, b)]
    for line in wrong:
        print(line)
    count = sum(1 + len(each.by_task) for each in again)
    print(
        f"{study.name}: {count} verdicts recomputed from {len(rows)} runs; "
        + (f"{len(wrong)} numbers differ from verdict.json" if wrong else "every number is the one in verdict.json")
    )
    return int(bool(wrong))


def reproduce(args: argparse.Namespace) -> int:
    """Trains everything again. A number is reproduced if it lies within the reported interval. Returns 1 if one does
    not, or a verdict differs."""
    study, frozen, _ = stored(args)
    overrides = scale_of(args)[1]
    study_run.check(study, overrides)
    found = train_all(study, Runner(f"{study.name}-again", (*overrides, "force=true")))
    lost = 0
    for before, now in zip(from_dict(study, frozen.claims), found.judged, strict=True):
        for place, a, b in _pairs(before, now):
            inside = a.interval.low <= b.estimate <= a.interval.high or _same(a.estimate, b.estimate)
            same = a.verdict is b.verdict
            lost += not (inside and same)
            word = (
                "identical"
                if _same(a.estimate, b.estimate)
                else "within its interval"
                if inside
                else "OUTSIDE its interval"
            )
            verdict = f"{a.verdict} again" if same else f"{a.verdict} → {b.verdict}"
            print(
                f"{before.claim.name}, {place}: {a.estimate:+.5g} → {b.estimate:+.5g}, {word} "
                f"[{a.interval.low:+.5g}, {a.interval.high:+.5g}]; {verdict}"
            )
    print(f"{study.name}: " + (f"{lost} numbers were not reproduced" if lost else "reproduced"))
    _tell_versions(frozen)
    return int(lost > 0)


def _pairs(before: Judged, now: Judged) -> list[tuple[str, Decision, Decision]]:
    single = [(task, decision, now.by_task[task]) for task, decision in before.by_task.items()]
    return [("over all tasks", before.overall, now.overall), *single]


def _differences(a: Decision, b: Decision) -> list[str]:
    old, new = to_plain(a), to_plain(b)
    return [f"{key} is {old[key]}, recomputed {new[key]}" for key in old if not _close(old[key], new[key])]


def _close(a: object, b: object) -> bool:
    """Equal; floats up to what another build of numpy may round otherwise."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_close(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_close, a, b))
    return a == b


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _tell_versions(frozen: Frozen) -> None:
    from lorelab.paths import ROOT
    from lorelab.training.provenance import capture

    now = capture(ROOT).packages
    before = frozen.facts.get("versions", {})
    changed = [f"{name} {old} → {now[name]}" for name, old in before.items() if name in now and now[name] != old]
    if changed:
        print(f"other versions than reported: {', '.join(changed)}")
