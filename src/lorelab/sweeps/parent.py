"""The run in the store that stands for a whole sweep, with its trials as children."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from lorelab.errors import StoreError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.sweeps.folder import About
from lorelab.sweeps.space import Dimension
from lorelab.sweeps.trials import Trial, TrialStatus, best_first
from lorelab.tracking.protocol import Tracker


class Parent:
    """Opened when a process begins to lead the sweep, finished when it has seen its end."""

    def __init__(
        self, tracker: Tracker, about: About, dimensions: Sequence[Dimension], tags: Mapping[str, str]
    ) -> None:
        """``tags``: those that every trial has, whole names."""
        self.tracker, self.about = tracker, about
        start = RunStart(
            name=about.name,
            params={f"space.{each.key}": describe(each) for each in dimensions}
            | {"trials": str(about.total), "command": f"lorelab train {' '.join(about.command)}"},
            tags={**tags, **_marks(about)},
            files={"sweep.json": json.dumps(asdict(about), indent=1)},
        )
        try:
            self.run_id = tracker.start(replace(start, resume=about.parent or _begun_before(tracker, about)))
        except StoreError:
            if not about.parent:
                raise
            self.run_id = tracker.start(start)  # it was begun on another store
        self._begun = time.monotonic()

    def finish(self, trials: Sequence[Trial], status: RunStatus, score: float | None, files: Sequence[Path]) -> None:
        """Stores the values by trial as they ended, the files, and how the sweep ended."""
        best: float | None = None
        for step, trial in enumerate(sorted((t for t in trials if t.ended), key=lambda t: t.ended or 0.0), start=1):
            if trial.value is None:
                continue
            best = _better(best, trial, self.about.direction)
            points = {"trial/value": trial.value, "trial/number": float(trial.number)}
            self.tracker.log(points | ({} if best is None else {"trial/best": best}), step)
        for file in files:
            self.tracker.artifact(file)
        ends = [str(trial.status) for trial in trials]
        # All of them: an earlier process may have counted otherwise.
        self.tracker.tag({f"lorelab.trials.{end}": str(ends.count(end)) for end in map(str, TrialStatus)})
        first = next(iter(best_first(trials, self.about.direction)), None)
        if first is not None:
            self.tracker.tag({"lorelab.best_trial": str(first.number)})
        self.tracker.finish(
            RunRecord(
                self.run_id,
                self.about.name,
                status,
                self.about.monitor,
                "max" if self.about.direction == "maximize" else "min",
                score=score,
                steps=len(trials),
                seconds=time.monotonic() - self._begun,
            )
        )


def _marks(about: About) -> dict[str, str]:
    return {"lorelab.kind": "sweep", "lorelab.sweep": about.name, "lorelab.sweep_began": f"{about.created:.3f}"}


def _begun_before(tracker: Tracker, about: About) -> str:
    """Id of the run that a process began for this sweep and died before it could write down which; "" if none did."""
    try:
        return next((run.run_id for run in tracker.begun(_marks(about))), "")
    except StoreError:  # ``start`` will say so
        return ""


def describe(each: Dimension) -> str:
    """A dimension in a few words."""
    if each.kind == "choice":
        text = ", ".join(each.choices)
    else:
        step = f" in steps of {each.step:g}" if each.step and each.kind == "float" else ""
        text = f"{each.kind} from {each.low:g} to {each.high:g}{step}{' (log)' if each.log else ''}"
    return text if each.condition is None else f"{text} where {each.condition[0]}={','.join(each.condition[1])}"


def _better(best: float | None, trial: Trial, direction: str) -> float | None:
    if not trial.counts or trial.value is None:
        return best
    if best is None:
        return trial.value
    return max(best, trial.value) if direction == "maximize" else min(best, trial.value)
