"""A study in the store of runs: one run with its verdicts as tags and its report as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.studies.folder import README, REPORT, ROWS, VERDICT, Frozen
from lorelab.studies.judge import Judged
from lorelab.studies.spec import Study


def record(study: Study, frozen: Frozen, judged: Sequence[Judged], place: Path, overrides: Sequence[str]) -> None:
    """Writes the study's run, whose children are the sweeps that trained for it (by their tag ``lorelab.study``)."""
    from lorelab.tracking.mlflow_tracker import MLflowTracker

    if any(word.startswith("tracker=none") for word in overrides):
        return
    uri = next((word.partition("=")[2] for word in overrides if word.startswith("tracker.uri=")), None)
    tracker = MLflowTracker(uri)
    params = {
        "study": study.name,
        "scale": study.scale,
        "seeds": str(frozen.seeds),
        "arms": ", ".join(study.arms),
        "tasks": ", ".join(study.tasks),
    }
    tags = {"lorelab.kind": "study", "lorelab.study": study.name, "lorelab.question": study.question}
    tags |= {f"lorelab.verdict.{each.claim.name}": str(each.overall.verdict) for each in judged}
    tags["lorelab.verdict"] = "; ".join(f"{each.claim.name}: {each.overall.verdict}" for each in judged)
    start = RunStart(f"study-{study.name}", params, tags, {"verdict.json": json.dumps(vars(frozen), indent=1)})
    run_id = tracker.start(start)
    try:
        for name in (VERDICT, ROWS, REPORT, README, "verdict.svg"):
            tracker.artifact(place / name)
        tracker.log({f"effect/{each.claim.name}": each.overall.estimate for each in judged}, 0)
        status = RunStatus.FINISHED
    except BaseException:
        status = RunStatus.FAILED
        raise
    finally:
        cost = frozen.facts["cost"]
        tracker.finish(
            RunRecord(
                run_id,
                study.name,
                status,
                "",
                "max",
                steps=cost["steps"],
                seconds=float(frozen.facts.get("wall_seconds", 0.0)),
            )
        )
