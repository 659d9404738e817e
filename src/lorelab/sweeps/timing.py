"""What a step costs a run alone and a stack, measured in a few steps of copies that leave no trace."""

from __future__ import annotations

import copy
import itertools
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from pytorch_lightning import Callback

from lorelab.tracking.memory import MemoryTracker
from lorelab.training.fit import make_trainer
from lorelab.training.interrupts import Signals, interruptible
from lorelab.training.learner import Diverged
from lorelab.training.no_trace import no_trace
from lorelab.training.progress import ProgressLine
from lorelab.training.stacked import Member
from lorelab.training.stacked_evaluation import scores
from lorelab.training.stacked_loop import StackedLoop
from lorelab.training.stacked_seat import Seat
from lorelab.training.stacked_task import StackedTask

STEPS, SECONDS = 12, 0.4
"""A measurement ends after so many steps, or so many seconds and three steps."""
_LONG = 1.0
"""Seconds. An evaluation that takes longer is measured once. If a step of all that are given would, they are taken to
cost as much as two do, each."""


@dataclass(frozen=True)
class Work:
    """What each run of a group has to do."""

    steps: int
    """Of the optimiser."""
    evaluations: int
    """Passes over the validation split."""
    test: float
    """How many of those a test is as long as."""
    evaluation: float
    """Seconds of one."""

    @property
    def evaluating(self) -> float:
        """Seconds of all."""
        return (self.evaluations + self.test) * self.evaluation


def work(member: Member) -> Work:
    """Of one member; an evaluation is measured. Of a budget that callbacks cut short, the whole is reckoned."""
    settings, splits, steps = member.settings, member.data.splits, member.total_steps
    batches = len(copy.copy(member.data).train_dataloader())
    done = steps * settings.accumulate_grad_batches
    every = settings.val_check_interval or batches * settings.check_val_every_n_epoch
    test = len(splits.test) / len(splits.val) if settings.test else 0.0
    with no_trace():
        seat = Seat(_copy(member))
        evaluation = _evaluated([seat])
    return Work(steps, max(1, math.ceil(done / every)), test, evaluation)


def evaluation_stacked(members: Sequence[Member], alone: float) -> float:
    """Seconds that an evaluation of ``members`` as one takes, for each of them. Where one ``alone`` takes long, its
    forward pass does, which each takes in a stack, too: that is not measured again."""
    if alone >= _LONG:
        return alone
    with no_trace():
        loop = StackedLoop([Seat(_copy(member)) for member in members], Signals(), ProgressLine("quiet"))
        return _evaluated(loop.live, loop.task) / len(members)


def _evaluated(seats: Sequence[Seat], task: StackedTask | None = None) -> float:
    """The first one of a process pays for what is loaded lazily: another one counts, unless that takes too long."""
    for _ in range(2):
        begun = time.perf_counter()
        for seat in seats:
            seat.begin_validation()
        known = {} if task is None else scores(task, seats)
        for seat in seats:
            with suppress(Diverged):
                seat.validate(known.get(seat))
        found = time.perf_counter() - begun
        if found >= _LONG:
            break
    return found


@cache
def crowding(workers: int) -> float:
    """Times as long as alone that arithmetic takes on the CPU while ``workers`` threads of this process do the same: 1
    where each has a core of its own, more where cores are virtual, at most ``workers``. The least of a few
    measurements: for a moment, others may work there, too."""
    matrix, threads = torch.ones(256, 256), torch.get_num_threads()

    def multiply(_: int) -> float:
        torch.set_num_threads(1)
        begun = time.perf_counter()
        for _ in range(25):
            matrix @ matrix
        return time.perf_counter() - begun

    try:
        with ThreadPoolExecutor(workers) as pool:
            found = [
                statistics.median(pool.map(multiply, range(4 * workers))) / statistics.median(map(multiply, range(4)))
                for _ in range(3)
            ]
    finally:
        torch.set_num_threads(threads)
    return min(max(1.0, min(found)), float(workers))


def step_alone(member: Member, threads: int | None = None) -> float:
    """Seconds of one optimiser step of ``member`` alone, all that Lightning adds included. ``threads``: of the CPU, if
    other than now."""
    own = torch.get_num_threads()
    it = _copy(member)
    settings = replace(
        it.settings, max_steps=STEPS, max_epochs=None, max_examples=None, val_check_interval=None,
        check_val_every_n_epoch=10**9, threads=threads or it.settings.threads,
    )  # fmt: skip
    try:
        with no_trace(), interruptible() as signals, suppress(Diverged):  # its first steps have been timed, too
            watch = _Stopwatch(signals)
            make_trainer(settings, STEPS, [watch]).fit(it.learner, datamodule=it.data)
    finally:
        it.data.trainer = None
        torch.set_num_threads(own)
    return _typical(watch.moments)


@dataclass(frozen=True)
class StackedStep:
    """Seconds of one optimiser step of several members as one."""

    two: float
    """Of two."""
    more: float
    """That each further one adds."""

    def of(self, members: int) -> float:
        """Of so many."""
        return self.two + self.more * (members - 2)


def step_stacked(members: Sequence[Member], alone: float = math.inf, threads: int | None = None) -> StackedStep:
    """What a step of ``members`` (two or more) as one takes, measured for two of them and for all. Where two take
    longer than twice ``alone``, more will, too: that is not measured. ``threads``: of the CPU, if other than now.
    Raises what a net or a loss does that cannot be stacked."""
    batches, given, own = members[0].settings.accumulate_grad_batches, len(members), torch.get_num_threads()
    try:
        torch.set_num_threads(threads or own)
        two = batches * _stacked(members[:2])
        if given == 2 or two * given / 2 > _LONG or two > 2 * alone:
            return StackedStep(two, two / 2)
        return StackedStep(two, max(0.0, (batches * _stacked(members) - two) / (given - 2)))
    finally:
        torch.set_num_threads(own)


def _stacked(members: Sequence[Member]) -> float:
    with no_trace():
        seats = [Seat(_copy(member)) for member in members]
        loop = StackedLoop(seats, Signals(), ProgressLine("quiet"))
        moments = [time.perf_counter()]
        for step, batches in zip(range(STEPS), _endless(loop), strict=False):
            batch, shared = loop.batches.joined(batches)
            _, gradients = loop.gradient(batch, shared=shared)
            loop.optimizer.step(loop.net.flat, gradients, step)
            _wait(loop.net.device)
            moments.append(time.perf_counter())
            if len(moments) > 3 and moments[-1] - moments[0] > SECONDS:
                break
    return _typical(moments)


def _endless(loop: StackedLoop) -> Iterator[list[Any]]:
    epoch = 0
    while True:
        yield from loop.batches.epoch(epoch)
        epoch += 1


class _Stopwatch(Callback):
    def __init__(self, signals: Signals) -> None:
        self.signals, self.moments = signals, list[float]()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.signals.install()  # Lightning would end quietly on SIGTERM

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        _wait(pl_module.device)
        if (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self.moments.append(time.perf_counter())
        if len(self.moments) > 3 and self.moments[-1] - self.moments[0] > SECONDS:
            trainer.should_stop = True


def _typical(moments: Sequence[float]) -> float:
    """The median time between two moments, after the first: what is loaded lazily is paid for then."""
    between = [later - earlier for earlier, later in itertools.pairwise(moments)]
    return statistics.median(between[1:] or between)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _copy(member: Member) -> Member:
    """Over a net, a task and batches of its own; the data are shared."""
    learner, data = copy.deepcopy(member.learner), copy.copy(member.data)
    return replace(member, learner=learner, data=data, callbacks=(), tracker=MemoryTracker())
