"""What a process that works for a sweep does: claim trials, have them run, until none is left; then confirm."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from lorelab.config.build import keeping_data
from lorelab.sweeps import folder as folders
from lorelab.sweeps.confirm import pairs
from lorelab.sweeps.folder import About
from lorelab.sweeps.plan import Plan
from lorelab.sweeps.search import Search
from lorelab.sweeps.trials import ENDED, Outcome, Trial, TrialStatus
from lorelab.sweeps.workers import is_worker

POLL_SECONDS = 0.2


class Loop:
    """One process at work. ``launcher``: None in a process that only leads; ``alone``: it runs jobs in this process,
    so that trials are claimed one at a time."""

    def __init__(self, plan: Plan, about: About, launcher: Launcher | None, alone: bool) -> None:
        self.plan, self.about, self.launcher = plan, about, launcher
        self.search = Search.of(
            plan.folder, about, pruner=plan.search.pruner if plan.search else None, proposals=plan.proposals
        )
        self.batch = 1 if alone else _batch(plan, launcher)
        self._stacks = hasattr(launcher, "stacks")
        """Whether the launcher stacks: it may be given what was noted as a stack."""
        self._begun = time.time()
        self.confirming: Search | None = None

    def work(self) -> None:
        """Until every trial has ended, whoever runs it, or the sweep is stopped."""
        with keeping_data(), collecting_seldom():
            self._until_none_is_left(self.search, self.about.total)
            if self.complete() and self.about.confirm[0]:
                if self._stacks:
                    self.batch = max(self.batch, getattr(self.launcher, "batch", 1))
                self._until_none_is_left(self._confirmations(), self._wanted_confirmations())

    def confirmations(self) -> list[Trial]:
        """As they are now; none where none were asked for."""
        return self._confirmations().trials() if self.about.confirm[0] else []

    def ended(self) -> int:
        """Trials and confirmations that have ended."""
        return sum(trial.status in ENDED for trial in [*self.search.trials(), *self.confirmations()])

    def complete(self) -> bool:
        """Whether every trial has ended."""
        return _all_ended(self.search.trials(), self.about.total)

    def finished(self) -> bool:
        """Whether there is nothing more to do."""
        return self.stopped() or self.nothing_is_left()

    def nothing_is_left(self) -> bool:
        """Whether every trial and every confirmation has ended."""
        return self.complete() and (
            not self.about.confirm[0] or _all_ended(self.confirmations(), self._wanted_confirmations())
        )

    def handed_over(self) -> str | None:
        """The launcher of the workers to whom ours leaves what there is to do; None while it goes on."""
        crew: str | None = getattr(self.launcher, "crew", None)
        return crew

    def stopped(self) -> bool:
        """Whether somebody asked for an end, or nothing but failures came of the last trials."""
        return (self.plan.folder / folders.STOP).exists() or self.gives_up()

    def gives_up(self) -> bool:
        """Whether the last ``max_failures`` trials since this process began all failed."""
        recent = sorted(
            (t for t in self.search.trials() if (t.ended or 0.0) > self._begun), key=lambda t: t.ended or 0.0
        )
        last = recent[-self.plan.settings.max_failures :]
        return len(last) == self.plan.settings.max_failures and all(t.status is TrialStatus.FAILED for t in last)

    def _until_none_is_left(self, search: Search, total: int) -> None:
        left: set[int] = set()
        while not self.stopped() and not self.handed_over():
            claimed = search.claim(total, 1 if left else self.batch, stacks=self._stacks and is_worker() and not left)
            if not claimed:
                if _all_ended(search.trials(), total):
                    return
                time.sleep(POLL_SECONDS)  # others are at work; one of them may die
                continue
            left = left - {claimed[0].number} if claimed[0].number in left else set()  # or another process took them
            for group in [claimed] if self._stacks else _neighbours(claimed):
                left |= self._launch(search, group)

    def _launch(self, search: Search, trials: Sequence[Trial]) -> set[int]:
        """Returns the numbers of those that the launcher did not begin with several at once: they come one by one."""
        launcher: Any = self.launcher
        jobs = [self._job(trial) for trial in trials]
        crash, left = "", set[int]()
        returned: Sequence[JobReturn] = ()
        try:
            if self._stacks:
                returned = launcher.launch_numbered(jobs, [trial.number for trial in trials])
            else:
                returned = launcher.launch(jobs, trials[0].number)
        except Exception:
            crash = traceback.format_exc()
            self.batch = 1  # a launcher that loses a worker loses its neighbours: each of them alone, then
        except BaseException:  # a signal: others may go on at once with what this process did not come to
            for trial in trials:
                search.put_back(trial.number)
            raise
        for index, trial in enumerate(trials):
            if search.trial(trial.number).status in ENDED:
                continue
            job = returned[index] if index < len(returned) else None
            if job is not None and job.status is JobStatus.UNKNOWN:
                search.put_back(trial.number)
                left.add(trial.number)
                continue
            if job is not None and job.status is JobStatus.FAILED:
                search.tell(trial.number, Outcome(TrialStatus.FAILED, error=_told(job._return_value)))
                continue
            search.died(trial.number)
            if crash:
                print(f"sweep {self.about.name}: the launcher ended with\n{crash}", file=sys.stderr)
                crash = ""
        for stack in launcher.stacks if self._stacks else ():
            search.stack(stack)
        return left

    def _job(self, trial: Trial) -> list[str]:
        own = [f"sweep.name={self.about.name}", f"sweep.trial={trial.number}", "progress=quiet"]
        if "trial" in trial.params and "seed" in trial.params and self._is_pair(trial):
            confirmed = self.search.trial(int(trial.params["trial"]))
            own += [f"seed={trial.params['seed']}", f"sweep.confirms={confirmed.number}"]
            return [*self.plan.overrides(confirmed.params), *own, "hydra.sweep.subdir=confirmations/${hydra.job.num}"]
        if self.plan.search is not None and not self.plan.search.test:
            own.append("trainer.test=false")
        return [*self.plan.overrides(trial.params), *own]

    def _is_pair(self, trial: Trial) -> bool:
        return set(trial.params) == {"trial", "seed"} and "trial" not in {each.key for each in self.plan.dimensions}

    def _confirmations(self) -> Search:
        """With what there is to confirm as of now, until every trial has ended."""
        if self.confirming is None or not self.confirming.proposals.grid:
            known = Search.of(self.plan.folder, self.about, confirming=True)
            if self.complete():
                best, seeds = self.about.confirm
                begun, direction = known.trials(), self.about.direction
                known.proposals = pairs(self.search.trials(), begun, direction, best, seeds, self.about.seed)
            self.confirming = known
        return self.confirming

    def _wanted_confirmations(self) -> int:
        return len(self._confirmations().proposals.grid)


@contextlib.contextmanager
def collecting_seldom() -> Iterator[None]:
    """Inside, Python looks for garbage in cycles less often, and not at all among what was there before: with half a
    million objects of libraries in memory that takes a seventh of a stack's time (and to look once half a second)."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 10, 5)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _all_ended(trials: Sequence[Trial], total: int) -> bool:
    return sum(trial.status in ENDED for trial in trials[:total]) >= total


def _neighbours(trials: Sequence[Trial]) -> Iterator[list[Trial]]:
    """Groups of consecutive numbers: a launcher numbers its jobs one after the other."""
    ordered = sorted(trials, key=lambda trial: trial.number)
    for _, group in itertools.groupby(enumerate(ordered), key=lambda pair: pair[1].number - pair[0]):
        yield [trial for _, trial in group]


def _batch(plan: Plan, launcher: Launcher | None) -> int:
    if plan.settings.batch is not None:
        return plan.settings.batch
    if plan.combinations:
        return plan.total
    jobs = int(getattr(launcher, "joblib", {}).get("n_jobs", 0) or 0) if launcher is not None else 0
    return getattr(launcher, "batch", 0) or (jobs if jobs > 0 else os.cpu_count() or 1)


def _told(error: object) -> str:
    if isinstance(error, BaseException):
        return "".join(traceback.format_exception(error))
    return str(error)
