"""``hydra/launcher=auto``: which runs are trained as one, by workers or one by one, as a measured trial says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import torch
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction

from lorelab.cli.stacked import Stacker
from lorelab.cli.stacked_jobs import Group
from lorelab.config.stacking import kinds, why_not
from lorelab.sweeps.choice import RUN_SECONDS, Choice, Measured, Way, choose, share_out
from lorelab.sweeps.local import Composer, Job, composed
from lorelab.sweeps.timing import StackedStep, crowding, evaluation_stacked, step_alone, step_stacked, work
from lorelab.sweeps.workers import crew_size, gpus_for, is_worker, processes_to_a_memory, start_seconds
from lorelab.training.stacked import Member


class Chooser:
    """Launches jobs as ``Stacker`` does, but stacks only where that promises to take the least time. ``handed_over``:
    it found that what is left is for workers."""

    def __init__(
        self, composer: Composer, context: HydraContext, task_function: TaskFunction, memory_gb: float | None,
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.stacker = Stacker(composer, context, task_function, memory_gb, say, self._processes)
        self.say = say
        self.handed_over = False
        self._workers, self._ahead, self._others = 1, 1.0, 0
        self._known: list[tuple[Member, int, Choice]] = []
        self._judged: list[tuple[int, Choice]] = []
        """Of the jobs being launched: how many runs each choice was for."""

    @property
    def stacks(self) -> list[list[int]]:
        """As ``Stacker.stacks``."""
        return self.stacker.stacks

    def launch(self, job_overrides: Sequence[Sequence[str]], numbers: Sequence[int]) -> list[JobReturn]:
        """As ``Stacker.launch``."""
        stacker = self.stacker
        if len(job_overrides) == 1:
            return stacker.launch(job_overrides, numbers)
        self._judged, stacker.groups = [], []
        given = dict(zip(numbers, job_overrides, strict=True))
        first, *others = sorted(([numbers[at] for at in kind] for kind in kinds(job_overrides)), key=_is_one)
        self._others = sum(len(kind) for kind in others if len(kind) > 1)
        jobs = self._stacked(given, first)
        if stacker.for_workers:
            stacker.groups += [Group(kind, stacker.for_workers) for kind in others if len(kind) > 1]
        else:
            self._others = 0
            jobs |= self._stacked(given, [number for kind in others for number in kind])
        rest = [job for job in jobs.values() if job.returned.status is JobStatus.UNKNOWN]
        if len(rest) > 1 and self._workers > 1 and not stacker.groups:  # else workers are there, and take all
            self.handed_over = self._for_workers(rest)
        return [jobs[at].returned if at in jobs else JobReturn(overrides=list(given[at])) for at in numbers]

    def _stacked(self, given: Mapping[int, Sequence[str]], numbers: Sequence[int]) -> dict[int, Job]:
        """Those of the ``given`` with these ``numbers``, after what pays of them was stacked."""
        jobs = {number: composed(self.stacker.composer, given[number], number) for number in numbers}
        made = [job for job in jobs.values() if job.cfg is not None]
        self._workers = max([self._workers, *map(_workers, made)])
        self._ahead = max((_ahead(job, min(given)) for job in made), default=0) / len(given)
        self.stacker.stack(list(jobs.values()))
        return jobs

    def _processes(self, members: Sequence[Member], runs: int, size: int) -> int:
        """How many shall train stacks: the launcher's ``pays``."""
        processes = {Way.STACKED: 1, Way.SPREAD: self._workers}
        for like, known, choice in self._known:  # the same net and data: an earlier batch of a search
            if known <= 2 * size and why_not([like.config or {}, members[0].config or {}]) is None:
                self._judged.append((runs, choice))
                return processes.get(choice.way, 0)
        choice = self._chosen(members, size, self._of_sweep(runs))
        if choice.way is Way.SHARED:
            self.stacker.for_workers = self._workers
            self.say(f"auto: {self._alike()} runs of several kinds, if all were like the first: {choice}")
            return self._workers
        self._judged.append((runs, choice))
        if choice.expected:
            self._known.append((members[0], size, choice))
            self.say(f"auto: {self._of_sweep(runs)} runs: {choice}")
        return processes.get(choice.way, 0)

    def _for_workers(self, rest: Sequence[Job]) -> bool:
        """Whether workers pay for what is not stacked. Unless just that was judged, the first run stands for all."""
        ways = {choice.way for _, choice in self._judged}
        if len(ways) == 1 and sum(runs for runs, _ in self._judged) == len(rest):
            return ways == {Way.WORKERS}
        prepared = (self.stacker.prepared(job)[1] for job in rest)
        member = next((each for each in prepared if isinstance(each, Member)), None)
        if member is None:
            return False
        runs = self._of_sweep(len(rest))
        choice = self._chosen([member], 1, runs)
        self.say(f"auto: {runs} runs that are not stacked: {choice}")
        return choice.way is Way.WORKERS

    def _chosen(self, members: Sequence[Member], size: int, runs: int) -> Choice:
        """A measurement that fails ends no sweep: whatever is wrong is for the runs themselves to say."""
        try:
            measured = self._measured(members, size)
        except Exception as error:
            self.say(f"auto: {runs} runs could not be timed: {(str(error) or repr(error)).splitlines()[0]}")
            return Choice(Way.PLAIN, {})
        choice, others = choose(measured, runs, self._workers), self._alike() > runs and len(members) > 1
        apart = self._workers > 1 and self._ahead <= 1 and _sharing(members[0], self._workers) == 1
        shared = share_out(choice, measured, runs, self._workers, self._alike() / runs) if others and apart else None
        return shared or choice

    def _alike(self) -> int:
        """Runs of the launch that may be trained with others, whatever their kind."""
        return self.stacker.runs + self._others

    def _of_sweep(self, runs: int) -> int:
        """As many runs as there will be like these ``runs`` until the end of a search, if its next trials are such."""
        return round(max(1.0, self._ahead) * runs)

    def _measured(self, members: Sequence[Member], size: int) -> Measured:
        member = members[0]
        alone = worker = step_alone(member)
        threads = max(1, (os.cpu_count() or 1) // self._workers)
        if self._workers > 1:
            own = member.settings.cpu_threads or torch.get_num_threads()
            worker = _sharing(member, self._workers) * (alone if threads == own else step_alone(member, threads))
        todo = work(member)
        stacked, spread, evaluation = None, None, todo.evaluation
        spread_size = max(2, -(-size // self._workers))
        if len(members) > 1:
            try:
                step = step_stacked(members, alone)
                stacked = step.of(size)
                if stacked < size * alone:  # else the steps have decided
                    evaluation = evaluation_stacked(members, evaluation)
                    spread = self._spread(step, members, threads, spread_size)
            except Exception as reason:  # whatever a net or a loss does that cannot be mapped
                self.say(
                    f"auto: {len(members)} runs cannot be stacked: {(str(reason) or repr(reason)).splitlines()[0]}"
                )
        beside = RUN_SECONDS + todo.evaluating
        saved = todo.evaluations * (todo.evaluation - evaluation)
        crowded = self._workers > 1 and member.device.type == "cpu"  # how workers share a GPU is not known
        crowd = crowding(self._workers) if crowded else 1.0
        start = start_seconds(gpus_for(member.settings.accelerator))
        return Measured(
            todo.steps, alone, worker, stacked, beside, size, spread, spread_size, beside - saved, crowd, start
        )

    def _spread(self, step: StackedStep, members: Sequence[Member], threads: int, size: int) -> float | None:
        """Seconds of a step of a worker's stack; None where there are none. Workers that share a GPU are taken to wait
        for each other at every step."""
        if self._workers == 1:
            return None
        sharing = _sharing(members[0], self._workers)
        same = sharing > 1 or threads == torch.get_num_threads()
        return sharing * (step if same else step_stacked(members, threads=threads)).of(size)


def _is_one(kind: Sequence[int]) -> bool:
    return len(kind) == 1


def _sharing(member: Member, workers: int) -> int:
    """How many of the ``workers`` share a GPU; 1 where each has one of its own, or part of the CPU."""
    gpus = gpus_for(member.settings.accelerator)
    return processes_to_a_memory(workers, gpus) if gpus else 1


def _workers(job: Job) -> int:
    """How many processes the sweep would have; a worker has no others."""
    assert job.cfg is not None
    if is_worker():
        return 1
    return crew_size(job.cfg.sweep.workers, job.cfg.sweep.gpu_share, job.cfg.trainer.accelerator)


def _ahead(job: Job, first: int) -> int:
    """Trials of a search from number ``first`` on; 0 for what is launched all at once."""
    assert job.cfg is not None
    search = job.cfg.get("search")
    return 0 if search is None or job.cfg.sweep.confirms is not None else (search.trials or 0) - first
