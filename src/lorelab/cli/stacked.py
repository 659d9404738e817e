"""The body of ``hydra/launcher=stacked`` and ``auto``: of a sweep's jobs, those that may be are trained as one."""

from __future__ import annotations

import contextlib
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from lorelab.cli.stacked_jobs import ASKED, Ends, Group, Ready, shared_out
from lorelab.cli.train import settle
from lorelab.cli.trial import TrialJob
from lorelab.config.describe import resolved
from lorelab.config.stacking import apart, groups
from lorelab.config.stacking import why_not as unfit
from lorelab.records import RunRecord
from lorelab.sweeps.footprint import budget, footprint, stack_size
from lorelab.sweeps.local import Composer, Job, composed, run_here
from lorelab.sweeps.search import Search
from lorelab.sweeps.workers import gpus_for, is_worker, processes_to_a_memory
from lorelab.training.stacked import Member, Unstackable, fit_stacked, why_not

Pays = Callable[[Sequence[Member], int, int], int]
"""Asked of the first members of a group, with how many runs it has and how many may be trained at once: how many
processes shall train them as one each. 1 is this process, 0 means none."""


class Stacker:
    """Launches jobs several at a time. Those that cannot be trained with others are returned as ``UNKNOWN``, not begun:
    whoever launches them launches them one by one. So are those of which workers shall train a stack each: they are in
    ``stacks``.

    ``memory_gb``: what stacks may take, None for half of what is free. ``say``: takes a line for the user. ``pays``:
    None for whatever can be stacked, by as many processes as the jobs' ``sweep.workers``.
    """

    def __init__(
        self, composer: Composer, context: HydraContext, task_function: TaskFunction, memory_gb: float | None,
        say: Callable[[str], None], pays: Pays | None = None,
    ) -> None:  # fmt: skip
        self.composer, self.context, self.task_function = composer, context, task_function
        self.memory_gb, self.say, self.pays = memory_gb, say, pays
        self._searches: dict[str, Search] = {}
        self.runs = 0
        """How many of the jobs that are stacked last may be trained with others."""
        self.for_workers = 0
        """Processes among which all that may be trained with others is shared out from now on, unasked."""
        self.groups: list[Group] = []
        """Of the jobs launched last, those for workers."""

    @property
    def stacks(self) -> list[list[int]]:
        """Numbers of the jobs, of those launched last, that a worker shall train as one."""
        return list(shared_out(self.groups))

    def launch(self, job_overrides: Sequence[Sequence[str]], numbers: Sequence[int]) -> list[JobReturn]:
        """Runs what can be stacked of the jobs with these ``numbers``; of one job, that job."""
        setup_globals()
        jobs = [composed(self.composer, *job) for job in zip(job_overrides, numbers, strict=True)]
        if len(jobs) == 1 and jobs[0].cfg is not None:
            return [run_here(jobs[0], self.context, self.task_function)]
        self.groups = []
        self.stack(jobs)
        return [job.returned for job in jobs]

    def stack(self, jobs: Sequence[Job]) -> None:
        """Trains what can be stacked; the others' ``returned`` stay ``UNKNOWN``. Jobs of another sweeper than ours,
        which would not launch them again, run here."""
        for job in jobs:
            if job.cfg is not None and job.cfg.sweep.trial is None:
                job.returned = run_here(job, self.context, self.task_function)
        configs = {job.number: config for job in jobs if (config := _config(job)) is not None}
        candidates = [job for job in jobs if job.number in configs]
        single = Counter[str]()
        grouped = [[candidates[at] for at in places] for places in groups([configs[job.number] for job in candidates])]
        self.runs = sum(len(group) for group in grouped if len(group) > 1)
        for group in grouped:
            if len(group) > 1 and self.for_workers:
                self.groups.append(Group([job.number for job in group], self.for_workers))
            elif len(group) > 1:
                alone = Counter[str]()
                self._train(group, alone)
                self._say_alone(alone, len(group))
            else:
                own = configs[group[0].number]
                others = [config for config in configs.values() if config is not own]
                single[unfit([own]) or apart(own, others)] += 1
        if len(jobs) > 1:
            self._say_alone(single, len(jobs))

    def _say_alone(self, alone: Counter[str], among: int) -> None:
        for reason, count in alone.items():
            self.say(f"{count} of {among} runs alone, not stacked: {reason}")

    def _train(self, group: Sequence[Job], alone: Counter[str]) -> None:
        """In as many stacks as the memory asks for. ``alone``: takes why runs are not stacked."""
        size, fit, ready = 0, 0, list[Ready]()
        signatures: set[str] = set()
        for job in group:
            each = self._ready(job, alone)
            if each is None or each.signature in signatures:
                continue  # the same run twice: by itself, it finds the first one finished
            if reason := why_not([*(other.member for other in ready[:1]), each.member]):
                alone[reason.removeprefix(f"{each.member.start.name}: ")] += 1
                continue
            if not size:
                needed, memory = footprint(each.member), budget(self.memory_gb, each.member.device)
                size, fit = stack_size(len(group), needed, memory), memory // max(1, needed)
                if size == 1:
                    found = f"each needs some {needed / 1e9:.2g} GB, a stack may take {memory / 1e9:.2g} GB"
                    alone[f"{found} (hydra.launcher.memory_gb)"] += len(group)
                    return
            signatures.add(each.signature)
            ready.append(each)
            if len(signatures) == min(size, ASKED) and not self._here(ready, group, size, fit):
                return
            if len(ready) == size:
                if not self._as_one(ready, len(group)):
                    return
                ready = []
        if len(signatures) >= min(size, ASKED) or self._here(ready, group, len(ready), fit):
            self._as_one(ready, len(group))

    def _here(self, ready: Sequence[Ready], group: Sequence[Job], size: int, fit: int) -> bool:
        """Whether this process shall train the group, ``size`` at a time. ``fit``: how many the memory would take."""
        if len(ready) < 2:
            return False
        cfg = ready[0].job.cfg
        assert cfg is not None
        members = [each.member for each in ready]
        processes = _processes(cfg) if self.pays is None else self.pays(members, len(group), size)
        each = fit // processes_to_a_memory(processes, gpus_for(cfg.trainer.accelerator)) if processes else fit
        if processes < 2 or each < 2:
            return processes > 0
        left = [job.number for job in group if job.returned.status is JobStatus.UNKNOWN]
        self.groups.append(Group(left, processes, each))
        return False

    def _ready(self, job: Job, alone: Counter[str]) -> Ready | None:
        """The job as a member; None if it runs alone, or has ended now, because its run had before."""
        trial, prepared = self.prepared(job, together=True)
        if trial is None:
            return None
        if reason := trial.why_alone:
            alone[reason] += 1
            return None
        if prepared is None:
            return None
        if isinstance(prepared, RunRecord):
            job.returned.return_value = trial.ended(prepared)
            job.returned.status = JobStatus.COMPLETED
            return None
        return Ready(job, trial, prepared)

    def prepared(self, job: Job, *, together: bool = False) -> tuple[TrialJob | None, Member | RunRecord | None]:
        """A job's trial and its (first) run, ready to be trained; None where something is wrong with it, which is for
        its run alone to say, or if it shall be trained ``together`` with others and cannot be."""
        try:
            with _own(job) as cfg:
                trial = self._trial(cfg)
                try:
                    return trial, None if together and trial.why_alone else trial.prepared()
                finally:
                    settle()  # a run that goes on takes the threads that it had
        except Exception:
            return None, None

    def _trial(self, cfg: DictConfig) -> TrialJob:
        kind = "trials" if cfg.sweep.confirms is None else "confirmations"
        trial = TrialJob(cfg, settle(), self._searches.get(kind))
        self._searches[kind] = trial.search
        return trial

    def _as_one(self, ready: Sequence[Ready], runs: int) -> bool:
        """Whether a further stack of the group is worth trying."""
        with contextlib.ExitStack() as claims:
            ready = [each for each in ready if each.claimed(claims)]
            if len(ready) < 2:
                return False
            if self.pays is None:  # else whoever chose says so
                self.say(f"{len(ready)} of {runs} runs trained as one")
            return self._trained(ready, runs)

    def _trained(self, ready: Sequence[Ready], runs: int) -> bool:
        progress = Ends(ready)
        try:
            records = fit_stacked([progress.expecting(each) for each in ready], progress)
        except Unstackable as reason:
            self.say(f"{len(ready)} of {runs} runs alone, not stacked: {reason}")
            return False
        except BaseException as error:
            for each in ready:
                if each.run_id and not each.told:
                    each.trial.search.release(each.trial.number)  # begun: its run goes on
            if not isinstance(error, Exception):
                raise
            self.say(f"a stack of {len(ready)} runs ended; those that had not go on alone.\n{traceback.format_exc()}")
            return False
        for each, record in zip(ready, records, strict=True):
            if not each.told:
                each.end(record)
        return True


def _processes(cfg: DictConfig) -> int:
    """That shall train stacks: the sweep's workers, of which one that is asked has no others."""
    return 1 if is_worker() else cfg.sweep.workers or 1


@contextlib.contextmanager
def _own(job: Job) -> Iterator[DictConfig]:
    """The job's config without Hydra's node, which is the process's within: what ``run_here`` does, without the folder,
    the log and most of the copies."""
    assert job.cfg is not None
    hydra: Any = HydraConfig.instance()
    before, hydra.cfg = hydra.cfg, job.cfg
    try:
        if job.own is None:
            job.own = OmegaConf.masked_copy(job.cfg, [str(key) for key in job.cfg if key != "hydra"])
            OmegaConf.copy_cache(job.cfg, job.own)
            OmegaConf.set_struct(job.own, True)
        yield job.own
    finally:
        hydra.cfg = before


def _config(job: Job) -> dict[str, Any] | None:
    """The config of a trial's job, resolved; None for what runs alone."""
    if job.cfg is None or job.cfg.sweep.trial is None:
        return None
    try:
        with _own(job) as cfg:
            return resolved(cfg)
    except Exception:  # its run will say what is wrong with it
        return None
