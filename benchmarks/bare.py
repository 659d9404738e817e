"""The hand-written PyTorch loop, and the clock that it shares with the Lightning ways."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import fmean
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.alternate import Sample
from benchmarks.parts import Run
from lorelab.data.batches import Order, TensorBatches
from lorelab.records import Batch


class TimedBatches:
    """Notes when each batch is asked for: from one to the next is one step, whoever trains.

    A Lightning callback would be no neutral clock: it adds a call to each of Lightning's hooks.
    """

    def __init__(self, batches: TensorBatches) -> None:
        self.batches = batches
        self.epochs: list[list[float]] = []

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        times: list[float] = []
        self.epochs.append(times)
        for batch in self.batches:
            times.append(perf_counter())
            yield batch

    def sample(self, warm_up: int) -> Sample:
        """Of the steps within epochs, after the first ``warm_up``: the 10th percentile, which is what a step costs when
        no other process interrupts it, and the mean, which alone sees what happens every so many steps. And the 10th
        percentile from an epoch's last batch to the next one's first: a step, the validation if any, a permutation."""
        steps = [later - earlier for times in self.epochs for earlier, later in pairwise(times)][warm_up:]
        turns = [after[0] - before[-1] for before, after in pairwise(self.epochs)][1:]
        sample = {"undisturbed step": _low(steps), "mean step": fmean(steps)}
        return sample | ({"undisturbed turn of an epoch": _low(turns)} if turns else {})


def _low(values: list[float]) -> float:
    return sorted(values)[len(values) // 10]


def shared_batches(run: Run) -> TimedBatches:
    """The very batches of ``run``, for a loop without a Trainer."""
    data = run.parts.data
    order = Order(len(data.splits.train), data.batch_size, seed=data.seed, shuffle=True)
    return TimedBatches(TensorBatches(data.held("train", "cpu"), order))


def own_batches(run: Run) -> TimedBatches:
    """As most would write it: a permutation, and rows picked batch by batch."""
    split, size = run.parts.data.held("train", "cpu"), run.parts.data.batch_size

    class Picked(TensorBatches):
        def __iter__(self) -> Iterator[Batch]:
            for rows in torch.randperm(len(split)).split(size):
                yield Batch(split.inputs[rows], split.targets[rows])

    return TimedBatches(Picked(split, Order(len(split), size)))


def train_bare(run: Run, batches: TimedBatches, *, scheduled: bool = False) -> None:
    """A classification net trained for the budget of ``run``: forward, backward, step."""
    net = copy.deepcopy(run.parts.learner.net)
    optimizer = run.parts.learner.make_optimizer(net.parameters())
    total, schedule = run.total_steps, run.parts.learner.schedule
    scheduler = LambdaLR(optimizer, lambda step: schedule(min(step, total - 1), total)) if scheduled else None
    step_by_step(lambda batch: F.cross_entropy(net(batch.inputs), batch.targets), optimizer, batches, total, scheduler)


def step_by_step(
    loss_of: Callable[[Batch], Tensor],
    optimizer: Optimizer,
    batches: TimedBatches,
    total: int,
    scheduler: LambdaLR | None = None,
) -> None:
    """The loop itself, for ``total`` steps."""
    step, epoch = 0, 0
    while step < total:
        batches.batches.set_epoch(epoch)
        for batch in batches:
            loss = loss_of(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            step += 1
            if step == total:
                return
        epoch += 1
