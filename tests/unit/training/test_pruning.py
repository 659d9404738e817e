"""A run that somebody outside gives up on: how it ends, what is kept of it, and when it is left alone."""

from pathlib import Path

import pytest
import torch

from lorelab.data.builtin import digits
from lorelab.data.loading import DataModule
from lorelab.nets.mlp import MLP
from lorelab.records import RunStart, RunStatus
from lorelab.tasks.classification import Classification
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.fit import fit
from lorelab.training.learner import Learner
from lorelab.training.progress import ProgressLine
from lorelab.training.pruning import Pruning
from lorelab.training.settings import TrainerSettings


class Judge:
    """Gives up at evaluation ``at``."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.heard: list[tuple[int, float]] = []

    def report(self, value: float, step: int) -> bool:
        self.heard.append((step, value))
        return step == self.at


class Stop(Exception):  # noqa: N818
    """Stands for a kill."""


class StopAfter(Judge):
    def report(self, value: float, step: int) -> bool:
        super().report(value, step)
        if step == self.at:
            raise Stop
        return False


@pytest.fixture(scope="module")
def splits():
    return digits(limit_train=100)


def train(splits, judge: Judge, folder: Path | None = None, resume: str = "", **settings):
    torch.manual_seed(0)
    net = MLP(splits.spec.input_shape, 10, torch.nn.Linear, width=8)
    learner = Learner(net, Classification(splits.spec), lambda p: torch.optim.Adam(p, lr=0.01))
    tracker = MemoryTracker()
    settings = TrainerSettings(accelerator="cpu", **({"max_epochs": 5, "checkpoint_every_steps": 1} | settings))
    record = fit(
        learner,
        DataModule(splits, batch_size=32),
        settings,
        tracker=tracker,
        start=RunStart("r", {}, {}, resume=resume),
        callbacks=[Pruning(judge, "val/accuracy")],
        progress=ProgressLine("quiet"),
        checkpoints=folder,
    )
    return tracker, record


def test_a_pruned_run_is_closed_with_its_checkpoint_its_curves_and_the_reason(splits) -> None:
    judge = Judge(at=2)
    tracker, record = train(splits, judge)
    assert record.status is RunStatus.PRUNED
    assert record.steps == 8  # two epochs of four batches
    assert record.error == f"pruned at evaluation 2: val/accuracy {judge.heard[1][1]:.6g}"
    assert record.score == max(score for _, score in judge.heard)
    assert judge.heard == [(at + 1, value) for at, (_, value) in enumerate(tracker.history("val/accuracy"))]
    assert len(judge.heard) == 2
    assert tracker.files.keys() >= {"checkpoints/best.ckpt", "curves/loss.svg"}
    assert tracker.record == record
    assert not any(key.startswith("test/") for key in record.metrics)  # nothing chosen, nothing tested


def test_a_run_is_never_pruned_after_its_last_evaluation(splits) -> None:
    judge = Judge(at=5)
    _, record = train(splits, judge)
    assert record.status is RunStatus.FINISHED
    assert [step for step, _ in judge.heard] == [1, 2, 3, 4, 5]
    assert train(splits, Judge(at=4))[1].status is RunStatus.PRUNED


def test_a_budget_that_ends_within_an_epoch_is_reported_no_further_than_it_trains(splits) -> None:
    judge = Judge(at=3)
    _, record = train(splits, judge, max_epochs=None, max_steps=9)  # its last look is no part of training
    assert record.status is RunStatus.FINISHED
    assert [step for step, _ in judge.heard] == [1, 2]


def test_evaluations_within_an_epoch_are_counted_too(splits) -> None:
    judge = Judge(at=3)
    _, record = train(splits, judge, val_check_interval=2)
    assert (record.status, record.steps) == (RunStatus.PRUNED, 6)


def test_a_run_that_goes_on_goes_on_counting(splits, tmp_path: Path) -> None:
    whole = Judge()
    train(splits, whole)
    first = StopAfter(at=3)
    with pytest.raises(Stop):
        train(splits, first, tmp_path, resume="known")
    second = Judge()
    _, record = train(splits, second, tmp_path, resume="known")
    assert record.status is RunStatus.FINISHED
    assert first.heard == whole.heard[:3]
    assert second.heard == whole.heard[2:]  # its last checkpoint lies before the evaluation that it died in
