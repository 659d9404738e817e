"""Recorded steps: when one is recorded, replayed and forgotten. What a real one computes is tested where there is a
GPU, here and by the contract test."""

import pytest
import torch
from stacks import CLASSIFY, DROPOUT_NET, with_

from lorelab.records import Batch
from lorelab.training import stacked_step
from lorelab.training.stacked_net import StackedNet
from lorelab.training.stacked_step import RecordedStep
from lorelab.training.stacked_task import StackedTask


class Told:
    """A recording that computes anew."""

    made = 0

    def __init__(self, step, batch, shared) -> None:
        type(self).made += 1
        self.step, self.shared, self.replayed = step, shared, 0

    def __call__(self, batch):
        self.replayed += 1
        return self.step.computed(batch, self.shared)


class Refused(Told):
    def __init__(self, step, batch, shared) -> None:
        super().__init__(step, batch, shared)
        raise RuntimeError("operation not permitted when stream is capturing")


def step_of(monkeypatch, recorded):
    recorded.made = 0
    monkeypatch.setattr(stacked_step, "_Recorded", recorded)
    members = [CLASSIFY.member(seed) for seed in range(2)]
    learners = [member.learner for member in members]
    net = StackedNet([each.net for each in learners], [0, 1])
    step = RecordedStep(net, StackedTask([each.task for each in learners], torch.device("cpu")))
    batch = next(iter(members[0].data.train_dataloader()))
    return step, Batch(*(torch.stack([part, part]) for part in batch))


def test_a_cpu_records_nothing(monkeypatch) -> None:
    step, batch = step_of(monkeypatch, Told)
    for _ in range(6):
        step(batch, shared=False)
    assert Told.made == 0


def test_one_step_is_recorded_and_replayed_until_the_stack_shrinks(monkeypatch) -> None:
    step, batch = step_of(monkeypatch, Told)
    step._records = True
    expected = step.computed(batch, False)
    for _ in range(6):
        torch.testing.assert_close(step(batch, shared=False), expected)
    assert (Told.made, step._recorded.replayed) == (1, 3)
    step(Batch(batch.inputs[:, :3], batch.targets[:, :3]), shared=False)  # the last batch of an epoch
    assert step._recorded.replayed == 3
    step.keep()
    step(Batch(batch.inputs[:, :3], batch.targets[:, :3]), shared=False)  # whoever left did so just before it
    for _ in range(3):
        step(batch, shared=False)
    assert Told.made == 1
    step(batch, shared=False)
    assert Told.made == 2


def test_what_cannot_be_recorded_is_said_once_computed_and_not_tried_again(monkeypatch) -> None:
    step, batch = step_of(monkeypatch, Refused)
    step._records = True
    with pytest.warns(UserWarning, match="not recorded: operation not permitted") as told:
        for _ in range(6):
            losses, gradients = step(batch, shared=False)
    assert (Refused.made, len(told)) == (1, 1)
    torch.testing.assert_close((losses, gradients), step.computed(batch, False))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_dropout_is_not_recorded(monkeypatch) -> None:
    monkeypatch.setenv(stacked_step.VARIABLE, "1")
    net = StackedNet([with_(CLASSIFY, net=DROPOUT_NET).member(seed).learner.net.cuda() for seed in range(2)], [0, 1])
    assert not RecordedStep(net, StackedTask([CLASSIFY.member().learner.task] * 2, net.device))._records


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("batches", [1, 2])
def test_a_replayed_step_is_the_computed_one(monkeypatch, batches) -> None:
    monkeypatch.setenv(stacked_step.VARIABLE, "1")
    members = [CLASSIFY.member(seed) for seed in range(2)]
    net = StackedNet([member.learner.net.cuda() for member in members], [0, 1])
    step = RecordedStep(net, StackedTask([member.learner.task for member in members], net.device), batches)
    whole = [Batch(*(part.cuda() for part in batch)) for batch in members[0].data.train_dataloader()]
    for batch in [each for each in whole if len(each.inputs) == len(whole[0].inputs)] * 6:
        with torch.no_grad():
            net.flat.add_(0.01)
        expected = step.computed(batch, True)
        torch.testing.assert_close(step(batch, shared=True), expected)
    assert step._recorded is not None
