"""The job of one trial of a sweep: its runs, whichever are missing, and what the search is told of them."""

from __future__ import annotations

import contextlib
import copy
import math
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from lorelab.config.origin import Origin
from lorelab.config.trust import instantiate
from lorelab.errors import LorelabError, StoreError
from lorelab.records import RunRecord, RunStatus
from lorelab.sweeps import folder as folders
from lorelab.sweeps.folder import About
from lorelab.sweeps.search import Search
from lorelab.sweeps.trials import Outcome, TrialRun, TrialStatus, value_of

if TYPE_CHECKING:
    from lorelab.sweeps.settings import SearchSettings
    from lorelab.tracking.protocol import StoredRun, Tracker
    from lorelab.training.stacked_seat import Member

_WITH_A_RESULT = (RunStatus.FINISHED, RunStatus.DIVERGED, RunStatus.PRUNED)
_ATTEMPTS_WITH_OTHERS = 2
TRACEBACK = "traceback.txt"


def run_trial(cfg: DictConfig, origin: Origin) -> float | None:
    """Trains what is missing of the trial that ``cfg.sweep`` names, and tells its search. Returns its value.

    What goes wrong in a trial is kept as its outcome and does not come out; a signal does, and the trial can be gone on
    with.
    """
    job = TrialJob(cfg, origin)
    try:
        job.search.take(job.number)
        outcome = job.run()
    except Exception as error:
        text = traceback.format_exc()
        outcome = job.failed(str(error) if isinstance(error, LorelabError) else text, text)
    except BaseException:  # a signal: another process may go on with it at once
        job.search.release(job.number)
        raise
    job.search.tell(job.number, outcome)
    return outcome.value


@dataclass(frozen=True)
class _Reporter:
    """Passes a run's scores on to the search."""

    search: Search
    number: int

    def report(self, value: float, step: int) -> bool:
        return self.search.report(self.number, value, step)


class TrialJob:
    """One trial, in a process that has claimed it; ``search``: that of its sweep, opened unless it is given."""

    def __init__(self, cfg: DictConfig, origin: Origin, search: Search | None = None) -> None:
        self.cfg, self.origin = cfg, origin
        sweep = Path(str(cfg.paths.outputs)).absolute() / "sweeps" / cfg.sweep.name
        self.about: About = folders.read(sweep)
        self.number: int = cfg.sweep.trial
        self.confirms: int | None = cfg.sweep.confirms
        self.settings: SearchSettings | None = instantiate(cfg.search) if cfg.get("search") is not None else None
        self.place = sweep / ("trials" if self.confirms is None else "confirmations") / str(self.number)
        pruner = self.settings.pruner if self.settings else None
        self.before: StoredRun | None = None
        """The interrupted run that ``prepared`` goes on with."""
        self._spared = False
        """Whether what ``prepared`` found had finished before the trial began."""
        self.search = search or Search.of(sweep, self.about, confirming=self.confirms is not None, pruner=pruner)

    @property
    def seeds(self) -> list[int]:
        """Of its runs."""
        first: int = self.cfg.seed
        replicates = self.settings.seeds if self.settings is not None and self.confirms is None else 1
        return list(range(first, first + replicates))

    def run(self) -> Outcome:
        """The outcome over all seeds of the trial; a diverged or pruned seed decides it."""
        seeds = self.seeds
        before, done = self.search.trial(self.number).runs, list[TrialRun]()
        for index, seed in enumerate(seeds):
            if index < len(before):
                run = before[index]
            else:
                run = self._trained(seed, alone=len(seeds) == 1)
                self.search.note(self.number, run)
            done.append(run)
            if run.status == RunStatus.DIVERGED:
                return Outcome(TrialStatus.DIVERGED, self.about.worst)
            if run.status == RunStatus.PRUNED or (len(seeds) > len(done) > 0 and self._gives_up(done)):
                return Outcome(TrialStatus.PRUNED)
        scores = [run.score for run in done if run.score is not None]
        if len(scores) < len(seeds):
            return Outcome(TrialStatus.FAILED, error="a run ended without a score")
        how = self.settings.value if self.settings else "mean"
        return Outcome(TrialStatus.FINISHED, value_of(scores, how, self.about.direction))

    @property
    def why_alone(self) -> str | None:
        """Why it is not trained with others; None for one run that nobody has begun, or that was interrupted once."""
        trial = self.search.trial(self.number)
        if len(self.seeds) > 1:
            return "a trial of several seeds"
        if trial.runs:
            return "its run has ended before"
        if trial.attempts > _ATTEMPTS_WITH_OTHERS:  # were it the stack that ends the process, it would for ever
            return "it was interrupted more than once"
        return None

    def prepared(self) -> Member | RunRecord:
        """Its (first) run, ready to be trained, or that run's record if it is finished. One that was interrupted is the
        same run again. Raises what ``launch`` does."""
        from lorelab.cli.launch import prepare
        from lorelab.cli.resume import prepare_again
        from lorelab.tracking.mlflow_store import record_of

        reporter, tags = self._reporter(alone=len(self.seeds) == 1), self._tags()
        before = self.interrupted()
        if before is not None and before.status in _WITH_A_RESULT:
            return record_of(before)
        if before is not None:
            with contextlib.suppress(LorelabError):  # as in ``_trained``
                again, self.before = prepare_again(before, reporter=reporter), before
                return again
        ready = prepare(self.cfg, self.origin, sweep=self.about.name, tags=tags, reporter=reporter)
        self._spared = isinstance(ready, RunRecord)
        return ready

    def interrupted(self) -> StoredRun | None:
        """The (first) run that an earlier attempt began, as it is now."""
        return self._interrupted(self.cfg.seed, self._tags())

    def ended(self, record: RunRecord) -> float | None:
        """Tells the search how the trial's one run ended, as ``run_trial`` would. Returns the trial's value."""
        if record.status is RunStatus.FAILED:
            error = record.error or "a run failed without saying why"
            outcome = self.failed(error, error)
        else:
            self.search.note(self.number, _noted(record, self.cfg.seed, self._spared))
            outcome = self.run()
        self.search.tell(self.number, outcome)
        return outcome.value

    def failed(self, error: str, text: str) -> Outcome:
        """The outcome; keeps the traceback ``text`` in the trial's folder."""
        file = self.place / TRACEBACK
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return Outcome(TrialStatus.FAILED, error=error)

    def _gives_up(self, done: list[TrialRun]) -> bool:
        """Whether the pruner ends a trial between its seeds."""
        score = done[-1].score
        return score is not None and self.search.report(self.number, score, len(done))

    def _trained(self, seed: int, *, alone: bool) -> TrialRun:
        from lorelab.cli.launch import prepare, trained
        from lorelab.cli.resume import go_on
        from lorelab.tracking.mlflow_store import record_of

        cfg = copy.deepcopy(self.cfg)
        cfg.seed = seed
        reporter, tags = self._reporter(alone=alone), self._tags()
        before = self._interrupted(seed, tags)
        record: RunRecord | None = None
        spared = False
        if before is not None and before.status in _WITH_A_RESULT:  # its process died before it could tell
            record = record_of(before)
        elif before is not None:
            try:
                record = go_on(before, reporter=reporter)
            except LorelabError as error:  # nothing was kept, or the data have changed
                print(f"{error}\nTrial {self.number} begins anew, as another run.", file=sys.stderr)
        if record is None:
            ready = prepare(cfg, self.origin, sweep=self.about.name, tags=tags, reporter=reporter)
            spared = isinstance(ready, RunRecord)
            record = ready if isinstance(ready, RunRecord) else trained(ready, cfg.progress)
        return _noted(record, seed, spared)

    def _reporter(self, *, alone: bool) -> _Reporter | None:
        """For a run that may be pruned: the only one of its trial."""
        pruned_within = alone and self.confirms is None and self.settings is not None and self.settings.pruner
        return _Reporter(self.search, self.number) if pruned_within else None

    def _tags(self) -> dict[str, str]:
        tags = {"lorelab.trial": str(self.number if self.confirms is None else self.confirms)}
        tags |= {"lorelab.confirms": str(self.confirms)} if self.confirms is not None else {}
        return tags | ({"lorelab.parent": self.about.parent} if self.about.parent else {})

    def _interrupted(self, seed: int, tags: dict[str, str]) -> StoredRun | None:
        """The run that an earlier attempt at this trial began with ``seed``: one with a result, else the newest that
        was interrupted."""
        if self.search.trial(self.number).attempts < 2:
            return None
        tracker: Tracker = instantiate(self.cfg.tracker)
        try:
            found = tracker.begun({"lorelab.sweep": self.about.name, "seed": str(seed)} | tags)
        except StoreError:  # whether the sweep can do without the store is for its run to say
            return None
        mine = [run for run in found if ("lorelab.confirms" in run.tags) == (self.confirms is not None)]
        for statuses in (_WITH_A_RESULT, (RunStatus.KILLED, RunStatus.FAILED)):
            for run in mine:
                if run.status in statuses:
                    return run
        return None


def _noted(record: RunRecord, seed: int, spared: bool) -> TrialRun:
    return TrialRun(
        record.run_id, record.name, seed, str(record.status), record.score, record.seconds, record.steps,
        record.location, {k: v for k, v in record.metrics.items() if k.count("/") == 1 and math.isfinite(v)},
        record.mode, spared,
    )  # fmt: skip
