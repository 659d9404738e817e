"""``lorelab study plan``: what a study would train, cost and detect, before it trains anything."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence

from lorelab.cli import study_design
from lorelab.cli.study import scale_of
from lorelab.cli.study_run import own_seconds, store_of
from lorelab.studies.jobs import deciding, tuning
from lorelab.studies.power import detectable
from lorelab.studies.sequential import shares
from lorelab.studies.spec import Study, StudyTask
from lorelab.tracking.protocol import RunStore, StoredRun
from lorelab.training.progress import clock


def plan(args: argparse.Namespace) -> int:
    """Checks the whole study and prints its plan."""
    from lorelab.cli.runs import empty_table, show

    scale, overrides = scale_of(args)
    study = study_design.load(study_design.path_of(args.name), scale)
    grounds = study_design.check(study, overrides)
    _ = grounds.fingerprints  # data that cannot be had are told of here, too
    searches, finals = tuning(study, study_design.draws), deciding(study, {}, study.seeds)
    earlier = {task: _earlier(task, store_of(grounds)) for task in study.tasks.values()}
    print(f"{study.title} ({study.question}, scale {study.scale})\n")
    print(f"arms:   {', '.join(arm.label for arm in study.arms.values())}")
    print(f"seeds:  {', then '.join(map(str, study.looks))} per arm and task")
    print(f"runs:   {len(searches)} that tune (validation only) + {len(finals)} at most that decide\n")
    table = empty_table(["task", "runs", "steps each", "time each", "in all", "sd over seeds", "detects, if sd holds"])
    total, unknown = 0.0, []
    for task, runs in earlier.items():
        count = sum(job.task == task.name for job in (*searches, *finals))
        known = [seconds for run in runs if (seconds := own_seconds(run)) is not None]
        seconds = statistics.median(known) if known else None
        steps = runs[0].tags.get("lorelab.steps", "–") if runs else "–"
        spread = _spread(task, runs)
        if seconds is None:
            unknown.append(task.name)
        total += count * (seconds or 0.0)
        table.add_row(
            task.name,
            str(count),
            steps,
            "–" if seconds is None else clock(seconds),
            "–" if seconds is None else clock(count * seconds),
            "–" if spread is None else f"{spread:.3g}",
            "–" if spread is None else _smallest(study, task, spread),
        )
    show(table)
    if len(unknown) < len(study.tasks):
        print(f"\nexpected: {clock(total)} of training in one process on this machine, from earlier runs in the store")
    if unknown:
        print(
            f"no earlier run of {', '.join(unknown)}: not in that time; one run tells: "
            f"lorelab train {' '.join(study.tasks[unknown[0]].overrides)}"
        )
    return 0


def _earlier(task: StudyTask, store: RunStore | None) -> list[StoredRun]:
    """Finished runs of the task's preset and budget in the store."""
    if store is None:
        return []
    words = [word.partition("=") for word in task.overrides if "=" in word and not word.startswith(("~", "+"))]
    wanted: Mapping[str, str] = {key.replace("/", "."): value for key, _, value in words}
    return [
        run
        for run in store.runs(filters={**wanted, "status": "finished"}, limit=2000)
        if "lorelab.rerun_of" not in run.tags
    ]


def _spread(task: StudyTask, runs: Sequence[StoredRun]) -> float | None:
    """Standard deviation of the metric over seeds, pooled over the configurations that have three or more."""
    groups: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for run in runs:
        if task.metric in run.metrics:
            key = tuple(sorted((k, v) for k, v in run.params.items() if k != "seed"))
            groups.setdefault(key, []).append(run.metrics[task.metric])
    known = [statistics.variance(values) for values in groups.values() if len(values) >= 3]
    return None if not known else statistics.fmean(known) ** 0.5


def _smallest(study: Study, task: StudyTask, spread: float) -> str:
    """The effect beyond the bound that would be found with 80 % chance, and the margin beside it."""
    claims = [claim for claim in study.claims if task.name in claim.tasks]
    if not claims:
        return "–"
    read_together = sum(len(claim.tasks) for claim in study.claims)  # Holm's first step, at the last of all looks
    share = shares(study.looks)[-1] / read_together
    worst = max(detectable(claim.rule(task.name), 2**0.5 * spread, study.looks[-1], share) for claim in claims)
    return f"{worst:.3g} (margin {task.margin:g})"
