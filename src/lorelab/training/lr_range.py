"""The learning-rate range test (Smith 2017, arXiv:1506.01186, section 3.3), on copies of what it is given."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from pytorch_lightning.callbacks import LambdaCallback
from torch import nn
from torch.optim import Optimizer

from lorelab.data.loading import DataModule
from lorelab.seeds import derive_seed
from lorelab.training.fit import make_trainer
from lorelab.training.interrupts import Signals, interruptible
from lorelab.training.learner import Diverged, Learner, OptimizerFactory
from lorelab.training.lr_rules import Suggestion, has_diverged, smooth, suggest
from lorelab.training.no_trace import no_trace
from lorelab.training.settings import TrainerSettings

_NEVER = 10**9


@dataclass(frozen=True)
class RangeOptions:
    """From which rate to which, in how many steps, and when to stop.

    Raises:
        ValueError: a value is out of range.
    """

    start: float = 1e-6
    end: float = 10.0
    steps: int = 200
    """Optimiser steps; the rate grows by the same factor at each."""
    smoothing: float = 0.05
    """Share of the steps over which losses are averaged."""
    factor: float = 4.0
    """The test stops when the smoothed loss exceeds this many times the best."""

    def __post_init__(self) -> None:
        rules = {
            "start": (self.start > 0, "a rate greater than 0"),
            "end": (self.start < self.end < float("inf"), f"a finite rate greater than start ({self.start})"),
            "steps": (self.steps >= 20, "at least 20"),
            "smoothing": (0 < self.smoothing <= 0.5, "a share of the steps in (0, 0.5]"),
            "factor": (self.factor > 1, "greater than 1"),
        }
        for name, (fits, expected) in rules.items():
            if not fits:
                raise ValueError(f"{name} is {getattr(self, name)}; expected {expected}")

    @property
    def window(self) -> float:
        """Steps over which losses are averaged."""
        return max(1.0, self.smoothing * self.steps)


@dataclass(frozen=True)
class LrRange:
    """What one range test found; the tuples have one value per step taken."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Mean training loss over the batches of the step, before the step is taken with the rate in ``rates``."""
    smoothed: tuple[float, ...]
    diverged_at: int | None
    """The step (from 0) at which the test stopped because of its loss, None if it came to its end."""
    suggestion: Suggestion

    @property
    def diverged_rate(self) -> float | None:
        """The rate at that step. The edge of stability lies somewhat below: the loss needs steps to grow."""
        return None if self.diverged_at is None else self.rates[self.diverged_at]


def lr_range(
    learner: Learner,
    data: DataModule,
    settings: TrainerSettings,
    *,
    seed: int = 0,
    options: RangeOptions | None = None,
    report: Callable[[Mapping[str, float], int], None] = lambda _points, _step: None,
) -> LrRange:
    """Trains while the learning rate grows exponentially, until the loss diverges or the range ends.

    As the run itself would begin: the same weights, batches in the same order, augmentation, dropout, optimiser,
    clipping, accumulation, precision and device; only the run's schedule is left out, and so are validation and
    callbacks. Trained are copies of net and task, so ``learner``, ``data`` and the random states of torch, NumPy and
    Python are bit for bit what they were, also after an exception or a signal.

    ``report`` is told ``lr``, ``loss`` and ``loss_smoothed`` at each step.

    Raises:
        Interrupted: SIGINT or SIGTERM came.
    """
    options = options or RangeOptions()
    with interruptible() as signals, no_trace(signals):
        return _Test(options, report).run(_copy(learner), _fresh(data), settings, seed, signals)


class _Test:
    """Collects the points of one test."""

    def __init__(self, options: RangeOptions, report: Callable[[Mapping[str, float], int], None]) -> None:
        self.options, self.report = options, report
        self.rates = np.geomspace(options.start, options.end, options.steps)
        self.losses: list[float] = []

    def run(
        self, learner: Learner, data: DataModule, settings: TrainerSettings, seed: int, signals: Signals
    ) -> LrRange:
        rates, diverged = self.rates.tolist(), None
        learner.make_optimizer = at_rate(
            learner.make_optimizer, 1.0
        )  # so that the schedule's factor is the rate itself
        learner.schedule = lambda step, _total: rates[step]
        learner.report = self.take
        learner.log_every_n_steps = settings.accumulate_grad_batches  # one point per optimiser step
        no_validation = replace(settings, check_val_every_n_epoch=_NEVER, val_check_interval=None)
        # Lightning puts its own handler of SIGTERM in place, which ends quietly.
        take_back = LambdaCallback(on_train_start=lambda *_: signals.install())
        torch.manual_seed(derive_seed(seed, "training"))
        try:
            make_trainer(no_validation, self.options.steps, [take_back]).fit(learner, datamodule=data)
        except Diverged:
            diverged = len(self.losses) - 1
        return self.result(diverged)

    def take(self, points: Mapping[str, float], _step: int) -> None:
        """One point from the learner, which itself refuses losses that are not finite once they are taken here."""
        step, loss = len(self.losses), points["train/loss"]
        self.losses.append(loss)
        smoothed = float(smooth(self.losses, self.options.window)[-1])
        self.report({"lr": float(self.rates[step]), "loss": loss, "loss_smoothed": smoothed}, step)
        steps, window, factor = self.options.steps, self.options.window, self.options.factor
        if has_diverged(self.losses, steps=steps, window=window, factor=factor):
            raise Diverged(step, f"smoothed training loss is {smoothed:.4g}")

    def result(self, diverged_at: int | None) -> LrRange:
        """What the points say."""
        steps, window, taken = self.options.steps, self.options.window, len(self.losses)
        rates = self.rates[:taken]
        found = suggest(rates, self.losses, steps=steps, window=window, diverged=diverged_at is not None)
        smoothed = smooth(self.losses, window).tolist()
        return LrRange(tuple(rates.tolist()), tuple(self.losses), tuple(smoothed), diverged_at, found)


def _copy(learner: Learner) -> Learner:
    """Another learner with its own net and task, which may share parts with each other but none with the first."""
    net, task = copy.deepcopy((learner.net, learner.task))
    return Learner(net, task, learner.make_optimizer, class_names=learner.class_names)


def _fresh(data: DataModule) -> DataModule:
    """The same data from their first batch; tensors that are held ready are shared, and only read."""
    fresh = copy.copy(data)
    fresh.trainer, fresh.skip_batches = None, 0
    fresh.augment, fresh._held = copy.deepcopy(data.augment), dict(data._held)
    return fresh


def at_rate(factory: OptimizerFactory, rate: float) -> OptimizerFactory:
    """The same optimiser at another learning rate, of all its groups."""

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        optimizer = factory(parameters)
        for group in optimizer.param_groups:
            group["lr"] = rate
        return optimizer

    return make
