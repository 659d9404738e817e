"""Trains what a study asks for, as sweeps of named jobs: the same runs, skip rule, workers and store as always."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from lorelab.cli import train
from lorelab.config.overrides import compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.config.validate import validate
from lorelab.errors import ConfigError, LorelabError, Problem
from lorelab.paths import CONF, ROOT
from lorelab.seeds import derive_seed
from lorelab.studies.jobs import Job, Params
from lorelab.studies.spec import Search, Study, parse
from lorelab.studies.table import Row
from lorelab.sweeps.folder import read
from lorelab.sweeps.search import Search as Trials
from lorelab.sweeps.space import Dimension, dimension, sample
from lorelab.sweeps.trials import Trial, TrialRun, TrialStatus


@dataclass(frozen=True)
class Runner:
    """How a study's runs are trained."""

    study: str
    overrides: tuple[str, ...] = ()
    """The user's, for every run: ``sweep.workers=2``, ``hydra/launcher=joblib``, ``paths.outputs=...``."""

    @property
    def outputs(self) -> Path:
        """Where sweeps and lists of jobs lie."""
        own = [word.partition("=")[2] for word in self.overrides if word.startswith("paths.outputs=")]
        return Path(own[-1]).absolute() if own else ROOT / "outputs"

    def run(self, jobs: Sequence[Job], role: str) -> list[Row]:
        """Trains those of ``jobs`` that are not finished and returns one row per job, in their order.

        Raises:
            LorelabError: a run failed (its traceback is kept), or the sweep was stopped before its end.
        """
        if not jobs:
            return []
        plain = [{"name": job.name, "overrides": list(job.overrides)} for job in jobs]
        text = json.dumps(plain, indent=1)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        name = f"study-{self.study}-{role}-{digest}".replace("_", "-")
        listed = self.outputs / "studies" / self.study / f"{role}-{digest}.json"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text(text, encoding="utf-8")
        command = ["-m", f"sweep.jobs={listed}", f"sweep.name={name}", *self.overrides]
        _train(command)
        return self._rows(name, jobs)

    def _rows(self, name: str, jobs: Sequence[Job]) -> list[Row]:
        folder = self.outputs / "sweeps" / name
        by_job = {str(trial.params["job"]): trial for trial in Trials.of(folder, read(folder)).trials()}
        lost = [job.name for job in jobs if not _ended(by_job.get(job.name))]
        if lost:
            raise LorelabError(
                f"study {self.study}: {len(lost)} of {len(jobs)} runs have no result: {', '.join(lost[:5])}"
                f"{' …' if len(lost) > 5 else ''}. Expected every run to finish or to diverge; see lorelab sweep show "
                f"{name}, mend the cause and start the study again: it goes on."
            )
        facts = _facts(name, self.overrides)
        return [_row(job, by_job[job.name].runs[-1], facts) for job in jobs]


def load(name: str, scale: str, folder: Path | None = None) -> Study:
    """The study that ``conf/study/NAME.yaml`` (or ``folder/NAME.yaml``, or a path to a file) declares.

    Raises:
        LorelabError: there is none.
        ConfigError: with all that is wrong with it.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else (folder or CONF / "study") / f"{name}.yaml"
    if not path.is_file():
        from lorelab.errors import nearest

        known = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise LorelabError(f"study '{name}': found no {path}; {nearest(name, known) or 'lorelab study new writes one'}")
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(plain, dict):
        raise ConfigError([Problem(str(path), type(plain).__name__, "a mapping: question, tasks, arms, seeds, claims")])
    return parse(path.stem, plain, scale, str(path))


def check(study: Study, overrides: Sequence[str] = ()) -> None:
    """Composes and validates every arm on every task, at the ends of its space.

    Raises:
        ConfigError: with all that is wrong.
    """
    register_resolvers()
    problems: list[Problem] = []
    for task in study.tasks.values():
        for arm in study.arms.values():
            space = [f"{key}={value}" for key, value in arm.search.space.items()] if arm.search else []
            own = [word for word in overrides if not word.startswith(("hydra/", "hydra.", "sweep."))]
            try:
                for each in compose_all([*task.overrides, *arm.overrides, *space, *own]):
                    validate(each.cfg, each.origin)
            except ConfigError as error:
                problems += [
                    Problem(
                        f"study {study.name}, arm {arm.name} on {task.name}: {p.where}", p.found, p.expected, p.advice
                    )
                    for p in error.problems
                ]
    if problems:
        raise ConfigError(dict.fromkeys(problems))


def draws(search: Search) -> list[Params]:
    """The configurations of a tuning search: independent random draws, the same for equal spaces."""
    dimensions = dimensions_of(search)
    seed = derive_seed(0, "tuning", *(f"{key}={value}" for key, value in sorted(search.space.items())))
    return list(sample(dimensions, {}, search.trials, np.random.default_rng(seed)))


def dimensions_of(search: Search) -> list[Dimension]:
    """The space of a tuning search."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    lines = [f"{key}={value}" for key, value in search.space.items()]
    return [dimension(each) for each in OverridesParser.create().parse_overrides(lines)]


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
    if status:
        raise LorelabError(f"the sweep ended with status {status}: lorelab train {' '.join(command)}")


def _ended(trial: Trial | None) -> bool:
    return trial is not None and trial.status in (TrialStatus.FINISHED, TrialStatus.DIVERGED) and bool(trial.runs)


def _facts(sweep: str, overrides: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Commit and data fingerprint of each run of a sweep, by id, as far as the store tells."""
    from lorelab.tracking.mlflow_store import MLflowStore

    uri = next((word.partition("=")[2] for word in overrides if word.startswith("tracker.uri=")), None)
    runs = MLflowStore(uri, experiment=None).runs(filters={"lorelab.sweep": sweep}, limit=100_000)
    names = ("lorelab.commit", "lorelab.data_fingerprint")
    return {run.run_id: (run.tags.get(names[0], ""), run.tags.get(names[1], "")) for run in runs}


def _row(job: Job, run: TrialRun, facts: dict[str, tuple[str, str]]) -> Row:
    commit, fingerprint = facts.get(run.run_id, ("", ""))
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
        score_mode="min" if run.mode == "min" else "max",
        metrics={} if diverged else {key: value for key, value in run.metrics.items() if key.startswith("test/")},
        seconds=run.seconds,
        steps=run.steps,
        run_id=run.run_id,
        run=run.name,
        commit=commit,
        fingerprint=fingerprint,
    )
