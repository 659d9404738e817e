"""The job of one trial of a sweep: its runs, whichever are missing, and what the search is told of them."""

from __future__ import annotations

import copy
import math
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

_WITH_A_RESULT = (RunStatus.FINISHED, RunStatus.DIVERGED, RunStatus.PRUNED)
TRACEBACK = "traceback.txt"


def run_trial(cfg: DictConfig, origin: Origin) -> float | None:
    """Trains what is missing of the trial that ``cfg.sweep`` names, and tells its search. Returns its value.

    What goes wrong in a trial is kept as its outcome and does not come out; a signal does, and the trial can be gone on
    with.
    """
    place = Path(str(cfg.paths.outputs)).absolute() / "sweeps" / cfg.sweep.name
    job = _Job(cfg, origin, place)
    try:
        job.search.take(job.number)
        outcome = job.run()
    except Exception as error:
        text = str(error) if isinstance(error, LorelabError) else traceback.format_exc()
        outcome = Outcome(TrialStatus.FAILED, error=text)
        file = job.place / TRACEBACK
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(traceback.format_exc(), encoding="utf-8")
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


class _Job:
    def __init__(self, cfg: DictConfig, origin: Origin, sweep: Path) -> None:
        self.cfg, self.origin = cfg, origin
        self.about: About = folders.read(sweep)
        self.number: int = cfg.sweep.trial
        self.confirms: int | None = cfg.sweep.confirms
        self.settings: SearchSettings | None = instantiate(cfg.search) if cfg.get("search") is not None else None
        self.place = sweep / ("trials" if self.confirms is None else "confirmations") / str(self.number)
        pruner = self.settings.pruner if self.settings else None
        self.search = Search.of(sweep, self.about, confirming=self.confirms is not None, pruner=pruner)

    def run(self) -> Outcome:
        """The outcome over all seeds of the trial; a diverged or pruned seed decides it."""
        seeds = [self.cfg.seed]
        if self.settings is not None and self.confirms is None:
            seeds = list(range(self.cfg.seed, self.cfg.seed + self.settings.seeds))
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

    def _gives_up(self, done: list[TrialRun]) -> bool:
        """Whether the pruner ends a trial between its seeds."""
        score = done[-1].score
        return score is not None and self.search.report(self.number, score, len(done))

    def _trained(self, seed: int, *, alone: bool) -> TrialRun:
        from lorelab.cli.launch import launch
        from lorelab.cli.resume import go_on
        from lorelab.tracking.mlflow_store import record_of

        cfg = copy.deepcopy(self.cfg)
        cfg.seed = seed
        pruned_within = alone and self.confirms is None and self.settings is not None and self.settings.pruner
        reporter = _Reporter(self.search, self.number) if pruned_within else None
        tags = {"lorelab.trial": str(self.number if self.confirms is None else self.confirms)}
        tags |= {"lorelab.confirms": str(self.confirms)} if self.confirms is not None else {}
        tags |= {"lorelab.parent": self.about.parent} if self.about.parent else {}
        before = self._begun(seed, tags) if self.search.trial(self.number).attempts > 1 else None
        record: RunRecord | None = None
        if before is not None and before.status in _WITH_A_RESULT:  # its process died before it could tell
            record = record_of(before)
        elif before is not None:
            try:
                record = go_on(before, reporter=reporter)
            except LorelabError:  # nothing was kept, or the data have changed: from the start, then
                record = None
        if record is None:
            record = launch(cfg, self.origin, sweep=self.about.name, tags=tags, reporter=reporter)
        return TrialRun(
            record.run_id, record.name, seed, str(record.status), record.score, record.seconds, record.steps,
            record.location, {k: v for k, v in record.metrics.items() if k.count("/") == 1 and math.isfinite(v)},
            record.mode,
        )  # fmt: skip

    def _begun(self, seed: int, tags: dict[str, str]) -> StoredRun | None:
        """The run that an earlier attempt at this trial began with ``seed``: one with a result, else the newest that
        was interrupted."""
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
