"""Trains what a study asks for, as sweeps of named jobs: the same runs, skip rule, workers and store as always."""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorelab.cli import train
from lorelab.cli.study_design import Grounds, draws
from lorelab.errors import LorelabError
from lorelab.records import VOLATILE, lies_below
from lorelab.studies import jobs as wanted
from lorelab.studies.jobs import Job
from lorelab.studies.judge import Judged, judge
from lorelab.studies.sequential import next_look
from lorelab.studies.spec import Study
from lorelab.studies.table import Row
from lorelab.sweeps.folder import ABOUT, read
from lorelab.sweeps.fork_server import prepare_fork_server
from lorelab.sweeps.search import Search as Trials
from lorelab.sweeps.trials import Trial, TrialRun, TrialStatus
from lorelab.tracking.mlflow_store import MLflowStore
from lorelab.tracking.protocol import StoredRun
from lorelab.training.interrupts import Interrupted

KEPT = ("test/", "mechanism/", "lr_range/")
"""What of a run's metrics stands in the table."""


@dataclass(frozen=True)
class Runner:
    """How a study's runs are trained."""

    study: str
    grounds: Grounds
    overrides: tuple[str, ...] = ()
    """The user's, for every run, in place of what the study says: ``trainer.max_epochs=1``."""
    parent: str = ""
    """Id of the run in the store that stands for the study."""
    mark: str = ""
    """Sets sweeps apart that would otherwise go on with each other."""

    def run(self, jobs: Sequence[Job], role: str) -> list[Row]:
        """Trains those of ``jobs`` that are not finished and returns one row per job, in their order.

        Raises:
            LorelabError: a run failed (its traceback is kept), or the sweep was stopped before its end.
            Interrupted: by a signal.
        """
        if not jobs:
            return []
        own, others = of_results(self.overrides), [word for word in self.overrides if _is_volatile(word)]
        plain = [{"name": job.name, "overrides": [*job.overrides, *own]} for job in jobs]
        name = self._sweep(role, plain)
        listed = self.grounds.outputs / "studies" / self.study / f"{name}.json"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text(json.dumps(plain, indent=1), encoding="utf-8")
        tags = [f"+tags.study={self.study}", *([f"+tags.parent='{self.parent}'"] if self.parent else [])]
        _train(["-m", f"sweep.jobs='{listed}'", f"sweep.name={name}", *tags, *others])
        return self._rows(name, jobs)

    def _sweep(self, role: str, plain: object) -> str:
        """The same for the same runs, code, data and store. One in which runs failed is left as it is: in the next one
        only they are trained again."""
        known = self.grounds
        whole = json.dumps([plain, known.code, known.fingerprints, dict(known.tracker), _store_uri(known)])
        digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
        name = "-".join(filter(None, ["study", self.study, role, digest, self.mark])).replace("_", "-")
        for number in itertools.count(2):
            folder = self.grounds.outputs / "sweeps" / name
            if not (folder / ABOUT).is_file() or not any(each.status is TrialStatus.FAILED for each in _trials(folder)):
                break
            name = f"{name.removesuffix(f'-try{number - 1}')}-try{number}"
        return name

    def _rows(self, name: str, jobs: Sequence[Job]) -> list[Row]:
        by_job = {str(trial.params["job"]): trial for trial in _trials(self.grounds.outputs / "sweeps" / name)}
        lost = [job.name for job in jobs if not _ended(by_job.get(job.name))]
        if lost:
            raise LorelabError(
                f"study {self.study}: {len(lost)} of {len(jobs)} runs have no result: {', '.join(lost[:5])}"
                f"{' …' if len(lost) > 5 else ''}. Expected every run to finish or to diverge; see lorelab sweep show "
                f"{name}, mend the cause and start the study again: it goes on."
            )
        runs = [by_job[job.name].runs[-1] for job in jobs]
        stored = stored_runs(self.grounds, name, [run.run_id for run in runs])
        return [_row(job, run, stored.get(run.run_id)) for job, run in zip(jobs, runs, strict=True)]


@dataclass(frozen=True)
class Found:
    """What running a study gave."""

    rows: Sequence[Row]
    judged: Sequence[Judged]
    count: int
    chosen: Mapping[tuple[str, str], wanted.Params]


def train_all(study: Study, runner: Runner) -> Found:
    """Every run that the study needs, in as many looks as it takes.

    Raises:
        LorelabError: a run has no result.
    """
    rows = runner.run(wanted.tuning(study, draws), "tune")
    chosen = wanted.choose(study, rows)
    done, count = 0, next_look(study.looks, 0, [])
    judged: Sequence[Judged] = ()
    while count is not None:
        if done:
            print(f"{study.name}: not all is decided at {done} seeds per arm; going on to {count}")
        rows = rows + runner.run(wanted.deciding(study, chosen, study.seeds[done:count]), "final")
        judged, done = judge(study, rows, count), count
        count = next_look(study.looks, done, [each.overall for each in judged])
    return Found(rows, judged, done, chosen)


def prepare_workers(overrides: Sequence[str]) -> None:
    """Once for all sweeps of a study: makes ready what their workers are forked from, before any net is built."""
    where = [word.partition("=")[2] for word in overrides if word.startswith("trainer.accelerator=")]
    prepare_fork_server((where or ["auto"])[-1])


def store_of(grounds: Grounds, everywhere: bool = False) -> MLflowStore | None:
    """Where the runs can be read from, in the tracker's experiment or ``everywhere``; None if nowhere."""
    if not str(grounds.tracker["_target_"]).endswith("MLflowTracker"):
        return None
    return MLflowStore(grounds.tracker.get("uri"), None if everywhere else grounds.tracker.get("experiment"))


def stored_runs(grounds: Grounds, sweep: str, ids: Sequence[str]) -> dict[str, StoredRun]:
    """By id, as far as the store knows them, also runs that another sweep trained."""
    store = store_of(grounds, everywhere=True)
    if store is None:
        return {}
    found = {run.run_id: run for run in store.runs(filters={"lorelab.sweep": sweep}, limit=1_000_000)}
    return found | {run_id: store.get(run_id) for run_id in ids if run_id not in found and "-" not in run_id}


def of_results(overrides: Sequence[str]) -> list[str]:
    """Those that may change what comes out: not where it is written, nor by how many processes."""
    return [word for word in overrides if not _is_volatile(word)]


def _store_uri(grounds: Grounds) -> str:
    store = store_of(grounds)
    return "" if store is None else str(store.uri)


def _trials(folder: Path) -> list[Trial]:
    return Trials.of(folder, read(folder)).trials()


def _is_volatile(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0].replace("/", ".")
    return lies_below(key, (*VOLATILE, "hydra"))


def _train(command: Sequence[str]) -> None:
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    before = sys.argv
    try:
        status = train.main(command)
    except SystemExit as end:  # of a sweep some of whose trials failed: said there, and which ones below
        status = 0 if end.code in (0, 1) else end.code if isinstance(end.code, int) else 2
    finally:
        sys.argv = before
    if status > 128:
        raise Interrupted(status - 128)
    if status:
        raise LorelabError(f"the sweep ended with status {status}: lorelab train {' '.join(command)}")


def _ended(trial: Trial | None) -> bool:
    return trial is not None and trial.status in (TrialStatus.FINISHED, TrialStatus.DIVERGED) and bool(trial.runs)


def own_seconds(run: StoredRun) -> float | None:
    """What a run took of a machine's time: of one that was stacked its share, not the whole stack's."""
    share = run.tags.get("lorelab.share_seconds")
    return run.seconds if share is None else float(share)


def _row(job: Job, run: TrialRun, stored: StoredRun | None) -> Row:
    tags = stored.tags if stored else {}
    diverged = run.status == "diverged" or run.score is None
    return Row(
        task=job.task,
        arm=job.arm,
        role=job.role,
        seed=job.seed,
        trial=job.trial,
        params=dict(job.params),
        status=run.status,
        score=float("nan") if diverged or run.score is None else run.score,
        score_name=tags.get("lorelab.monitor", "validation score"),
        score_mode="min" if run.mode == "min" else "max",
        metrics={} if diverged else {key: value for key, value in run.metrics.items() if key.startswith(KEPT)},
        seconds=(own_seconds(stored) if stored else None) or run.seconds,
        steps=run.steps,
        run_id=run.run_id,
        run=run.name,
        commit=tags.get("lorelab.commit", ""),
        fingerprint=tags.get("lorelab.data_fingerprint", ""),
    )
