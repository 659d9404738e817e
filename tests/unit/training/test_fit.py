"""``fit`` without any config, as a notebook calls it: how a run ends, and what its record says."""

import math
import os
import signal
import time

import pytest
import torch

from lorelab.data.builtin import digits
from lorelab.data.loading import DataModule
from lorelab.nets.mlp import MLP
from lorelab.records import RunStart, RunStatus
from lorelab.tasks.classification import Classification
from lorelab.tracking.memory import MemoryTracker
from lorelab.training import opened
from lorelab.training.fit import fit
from lorelab.training.interrupts import Interrupted
from lorelab.training.learner import Learner
from lorelab.training.progress import ProgressLine
from lorelab.training.settings import TrainerSettings


class NanAt(Classification):
    """Its loss is NaN at one batch, counted from 0 over the whole run."""

    def __init__(self, data, batch: int) -> None:
        super().__init__(data)
        self.countdown = batch

    def loss(self, net, batch):
        self.countdown -= 1
        return super().loss(net, batch) * (float("nan") if self.countdown == -1 else 1.0)


@pytest.fixture(scope="module")
def splits():
    return digits(limit_train=100)


def parts(splits, task=None):
    torch.manual_seed(0)
    net = MLP(splits.spec.input_shape, 10, torch.nn.Linear, width=8)
    learner = Learner(net, task or Classification(splits.spec), lambda p: torch.optim.Adam(p, lr=0.01))
    return learner, DataModule(splits, batch_size=32)  # four batches an epoch, the last of four examples


def run(learner, data, tracker=None, **settings):
    start, progress = RunStart("r", {}, {}), ProgressLine("quiet")
    settings = TrainerSettings(accelerator="cpu", **({"max_epochs": 3} | settings))
    return fit(learner, data, settings, tracker=tracker or MemoryTracker(), start=start, progress=progress)


@pytest.mark.parametrize("every", [1, 2, 3, 50])
@pytest.mark.parametrize(("batch", "accumulate", "step"), [(0, 1, 0), (3, 1, 3), (6, 1, 6), (3, 3, 1), (6, 2, 3)])
def test_a_diverged_run_names_the_step_however_often_it_looks(splits, every, batch, accumulate, step) -> None:
    tracker = MemoryTracker()
    learner, data = parts(splits, NanAt(splits.spec, batch))
    record = run(learner, data, tracker, log_every_n_steps=every, accumulate_grad_batches=accumulate)
    assert record.status is RunStatus.DIVERGED
    assert record.diverged_at == step
    last_step, last_loss = tracker.history("train/loss")[-1]
    assert last_step == step
    assert math.isnan(last_loss)  # kept: it is the evidence


@pytest.mark.parametrize(("every", "accumulate", "steps"), [(1, 1, [1, 2, 3, 4]), (3, 1, [3, 4]), (50, 3, [2])])
def test_a_point_of_the_training_loss_lies_at_the_steps_taken(splits, every, accumulate, steps) -> None:
    tracker = MemoryTracker()
    run(*parts(splits), tracker, max_epochs=1, log_every_n_steps=every, accumulate_grad_batches=accumulate)
    assert [step for step, _ in tracker.history("train/loss")] == steps


def test_a_signal_while_a_run_is_being_closed_waits_until_it_is_closed_whole(splits, monkeypatch) -> None:
    def draw(*_args, **_options) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(opened, "draw_curves", draw)
    tracker = MemoryTracker()
    with pytest.raises(Interrupted, match="SIGTERM"):
        run(*parts(splits), tracker, max_epochs=1)
    assert tracker.record is not None
    assert tracker.record.status is RunStatus.FINISHED
    assert "checkpoints/best.ckpt" in tracker.files


class Hanging(MemoryTracker):
    """Its ``start`` or ``finish`` waits for a store that does not answer, unless it is told how long to be patient."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def start(self, start):
        self._hang("start")
        return super().start(start)

    def finish(self, record, patience=None):
        if patience is None:
            self._hang("finish")
        super().finish(record)

    def _hang(self, where: str) -> None:
        if self.where == where:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)


@pytest.mark.parametrize(("where", "status"), [("start", None), ("finish", RunStatus.FINISHED)])
def test_a_signal_does_not_wait_for_a_store_that_hangs(splits, where, status) -> None:
    tracker, begun = Hanging(where), time.monotonic()
    with pytest.raises(Interrupted, match="SIGINT"):
        run(*parts(splits), tracker, max_epochs=1)
    assert 2 < time.monotonic() - begun < 10, "not at once: it may answer after all"
    assert (tracker.record and tracker.record.status) is status


def test_a_second_fit_of_one_learner_starts_a_fresh_record(splits) -> None:
    learner, data = parts(splits)
    first = run(learner, data, max_epochs=5)
    for parameter in learner.net.parameters():
        torch.nn.init.zeros_(parameter)
    second = run(learner, data, max_steps=1)
    assert second.score is not None
    assert first.score is not None
    assert second.score < first.score
    assert second.best_step == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"gradient_clip_val": 0.5},
        {"gradient_clip_val": 0.5, "gradient_clip_algorithm": "value"},
        {"precision": "bf16-mixed"},
        {"max_epochs": None, "max_examples": 140},
        {"val_check_interval": 2},
    ],
)
def test_the_options_of_a_step_train(splits, settings) -> None:
    record = run(*parts(splits), **settings)
    assert record.status is RunStatus.FINISHED
    assert record.steps == (6 if "max_examples" in settings else 12)


class SlowTracker(MemoryTracker):
    """Takes 0.4 s to open a run and 0.4 s to close one."""

    def start(self, start):
        time.sleep(0.4)
        return super().start(start)

    def finish(self, record):
        time.sleep(0.4)
        super().finish(record)


def test_the_time_of_a_run_is_that_of_training_and_testing_and_not_of_the_store(splits) -> None:
    begun = time.monotonic()
    record = run(*parts(splits), SlowTracker(), max_epochs=1)
    assert 0 < record.seconds <= time.monotonic() - begun - 0.8


def test_a_run_that_fails_before_its_training_took_no_time(splits) -> None:
    def stumble(_run_id: str) -> None:
        raise RuntimeError("before the first step")

    learner, data = parts(splits)
    tracker, settings = MemoryTracker(), TrainerSettings(max_epochs=1, accelerator="cpu")
    with pytest.raises(RuntimeError, match="before the first step"):
        fit(learner, data, settings, tracker=tracker, start=RunStart("r", {}, {}), begun=stumble)
    assert tracker.record is not None
    assert (tracker.record.status, tracker.record.seconds) == (RunStatus.FAILED, 0.0)
