"""One member of a stack: its own run, and what its Learner and callbacks take for their trainer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from pytorch_lightning import Callback
from pytorch_lightning.plugins.precision import Precision
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from lorelab.data.loading import DataModule
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.protocol import Tracker
from lorelab.training.fit import Preparing
from lorelab.training.interrupts import Signals
from lorelab.training.learner import Learner
from lorelab.training.opened import OpenRun
from lorelab.training.settings import TrainerSettings
from lorelab.training.stacked_callbacks import joins


@dataclass(frozen=True, eq=False)
class Member:
    """What ``fit`` takes for one run."""

    learner: Learner
    data: DataModule
    settings: TrainerSettings
    tracker: Tracker
    start: RunStart
    seed: int = 0
    callbacks: Sequence[Callback] = ()
    config: Mapping[str, Any] | None = None
    checkpoints: Path | None = None
    begun: Callable[[str], None] = lambda _run_id: None

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole budget."""
        return self.settings.total_steps(examples=len(self.data.splits.train), batch_size=self.data.batch_size)

    @property
    def device(self) -> torch.device:
        """Where it would train alone."""
        on_gpu = self.settings.accelerator != "cpu" and torch.cuda.is_available()
        return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


class MemberTrainer:
    """The part of Lightning's ``Trainer`` that ``Learner``, ``DataModule`` and ``EarlyStopping`` ask, for a run that
    none drives. ``rate``: the learning rate of the step under way."""

    sanity_checking = fast_dev_run = False
    world_size = 1

    def __init__(self, member: Member) -> None:
        settings = member.settings
        self.datamodule = member.data
        self.accumulate_grad_batches = settings.accumulate_grad_batches
        self.check_val_every_n_epoch = None if settings.val_check_interval else settings.check_val_every_n_epoch
        self.val_check_interval = settings.val_check_interval or 1.0
        self.max_steps = self.estimated_stepping_batches = member.total_steps
        self.strategy = SimpleNamespace(
            root_device=member.device, reduce_boolean_decision=lambda decision, **_: decision
        )
        self.state = SimpleNamespace(fn=TrainerFn.FITTING)
        self.precision_plugin = Precision()
        self.callbacks = list(member.callbacks)
        self.callback_metrics: dict[str, Tensor] = {}
        self.should_stop = False
        self.global_step = self.current_epoch = self.batches = 0
        self.rate = 0.0

    @property
    def optimizers(self) -> list[Any]:
        """One, of which only the rate can be read."""
        return [SimpleNamespace(param_groups=[{"lr": self.rate}])]


@dataclass(eq=False)
class Seat:
    """A member at work: Lightning's hooks in Lightning's order, on nets that a stack trains."""

    member: Member
    trainer: MemberTrainer = field(init=False)
    run: OpenRun | None = None
    share: float = 0.0
    """Seconds of the stack's time that are this member's."""

    def __post_init__(self) -> None:
        self.trainer = MemberTrainer(self.member)
        learner: Any = self.member.learner
        learner.trainer = self.member.data.trainer = self.trainer
        learner.to(self.member.device).eval()  # it only ever evaluates: the stack trains

    @property
    def learner(self) -> Learner:
        """Its net is a view of the stack's memory."""
        return self.member.learner

    def prepare(self) -> None:
        """Before the optimiser is made. From here on the run's time counts."""
        assert self.run is not None
        self.run.begin()
        self.learner.train()  # as a run alone has it then: what tries training out is to draw dropout
        for callback in self.trainer.callbacks:
            if isinstance(callback, Preparing):
                callback.prepare(self.learner, self.member.data, self.member.settings, self.member.seed)
        self.learner.eval()

    def begin(self) -> None:
        """Before the first epoch."""
        for callback in self.trainer.callbacks:
            callback.setup(self.trainer, self.learner, "fit")
        self._tell("on_fit_start")
        for callback in self.trainer.callbacks:
            if not joins(callback):  # else begun with those of the others, as a part of the stack
                callback.on_train_start(self.trainer, self.learner)

    def begin_epoch(self, epoch: int) -> None:
        """Before its first batch."""
        self.trainer.current_epoch = epoch
        self._tell("on_train_epoch_start")
        self.learner.on_train_epoch_start()

    def end_epoch(self) -> None:
        """After its last batch and, if one was due, the evaluation."""
        self.learner.on_train_epoch_end()
        self._tell("on_train_epoch_end")

    @torch.no_grad()
    def begin_validation(self) -> None:
        """Before any net is evaluated: callbacks may change it for that."""
        self._tell("on_validation_start")
        self._tell("on_validation_epoch_start")

    @torch.no_grad()
    def validate(self, found: Mapping[str, float] | None = None) -> None:
        """May raise ``Diverged``, and whatever a callback raises. ``found``: its metrics, where they are known."""
        learner = self.learner
        if found is not None:
            learner.evaluation.take(found)
        else:
            learner.on_validation_epoch_start()
            for index, batch in enumerate(self.member.data.val_dataloader()):
                learner.validation_step(batch, index)
        self._tell("on_validation_epoch_end")
        learner.on_validation_epoch_end()
        self._tell("on_validation_end")

    def finish(self) -> None:
        """When the budget is spent or a callback asked for the end: the best weights are tested once, if any test is
        wanted."""
        assert self.run is not None
        learner = self.learner
        self._tell("on_train_end")
        self._tell("on_fit_end")
        for callback in self.trainer.callbacks:
            callback.teardown(self.trainer, learner, "fit")
        if learner.evaluated_at != self.trainer.global_step:  # the budget ended within an epoch
            self.trainer.state.fn = TrainerFn.VALIDATING
            self.begin_validation()
            self.validate()
        last = self.run.take_best()
        if self.member.settings.test:
            self._test()
        self.run.finished(last)

    def close(self, signals: Signals, among: int) -> RunRecord:
        """Closes the run in the store, as ``OpenRun.close`` does."""
        assert self.run is not None
        run, member, trainer = self.run, self.member, self.trainer
        run.journal.tracker.tag({"lorelab.share_seconds": f"{self.share:.3f}"})
        try:
            record = run.close(signals, steps=trainer.global_step, batches=trainer.batches, among=among)
        finally:
            shutil.rmtree(run.folder, ignore_errors=True)
            member.data.trainer = None
        if member.checkpoints is not None and record.status not in (RunStatus.KILLED, RunStatus.FAILED):
            shutil.rmtree(member.checkpoints / record.run_id, ignore_errors=True)  # nothing to go on with
        return record

    @torch.no_grad()
    def _test(self) -> None:
        learner = self.learner
        learner.on_test_epoch_start()
        for index, batch in enumerate(self.member.data.test_dataloader()):
            learner.test_step(batch, index)
        learner.on_test_epoch_end()

    def _tell(self, hook: str) -> None:
        for callback in self.trainer.callbacks:
            getattr(callback, hook)(self.trainer, self.learner)
