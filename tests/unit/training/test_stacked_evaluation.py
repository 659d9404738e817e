"""Validations of a stack whose metrics are found at once: those of each member alone, whatever happens in between."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from pytorch_lightning import Callback
from stacks import CLASSIFY, OTHERWISE, QUIET, REGRESS, TABLE, Shaken, agree, alone, both, with_
from torchmetrics.classification import MulticlassAccuracy

from lorelab.records import RunStatus
from lorelab.tasks.classification import Classification
from lorelab.training import stacked_evaluation
from lorelab.training.evaluation import Evaluation
from lorelab.training.stacked import fit_stacked


class Strict(Classification):
    """Measures one thing more; the metrics that it inherits are not all of its own."""

    def metrics(self):
        found = super().metrics()
        found.add_metrics({"top2": MulticlassAccuracy(3, average="micro", top_k=2)})
        return found


@pytest.mark.parametrize("task", [Classification, Strict])
def test_validations_are_scored_at_once_where_the_task_can_tell_them_all(task, monkeypatch) -> None:
    passes = []
    add = Evaluation.add
    monkeypatch.setattr(Evaluation, "add", lambda self, *rest: (passes.append(self), add(self, *rest)))
    members = [with_(CLASSIFY, task=task).member(seed=seed) for seed in range(2)]
    records = fit_stacked(members, QUIET)
    evaluations = 1 if task is Classification else 1 + 3  # each member's test, and the validations of three epochs
    assert len(passes) == len(members) * evaluations
    both(with_(CLASSIFY, task=task), [{"seed": 0}, {"seed": 1}])
    assert ("val/top2" in records[0].metrics) == (task is Strict)


def test_members_with_other_validation_data_are_scored_by_themselves() -> None:
    """Whoever shares its data with none is a group of its own."""
    one, other = (with_(CLASSIFY, splits=splits) for splits in (TABLE, OTHERWISE))
    members = [one.member(seed=0), other.member(seed=1), one.member(seed=2)]
    single = [one.member(seed=0), other.member(seed=1), one.member(seed=2)]
    for mine, many, found in zip(single, members, fit_stacked(members, QUIET), strict=True):
        agree(mine, many, alone(mine), found)


@pytest.mark.parametrize("case", [CLASSIFY, REGRESS])
def test_a_few_at_a_time_where_there_are_many_outputs(case, monkeypatch) -> None:
    monkeypatch.setattr(stacked_evaluation, "_MOST", 1)
    both(case, [{"seed": 0}, {"seed": 1}])


class Drawn(Shaken):
    """Changes evaluation batches, too: each member's are its own."""

    in_evaluation = True


def test_whose_evaluation_draws_is_scored_by_itself() -> None:
    both(with_(CLASSIFY, augment=Drawn), [{"seed": 0}, {"seed": 1}])


class Before(Callback):
    """Does something to the net before each validation."""

    stackable = True

    def __init__(self, act, undo=lambda net: None) -> None:
        self.act, self.undo = act, undo

    def on_validation_start(self, trainer, learner) -> None:
        self.act(learner.net)

    def on_validation_end(self, trainer, learner) -> None:
        self.undo(learner.net)


def test_callbacks_may_change_the_net_before_it_is_evaluated() -> None:
    """As one does that evaluates averaged weights."""

    def shift(net, by):
        with torch.no_grad():
            net.head.bias += by * torch.tensor([0.5, 0.0, -0.5], device=net.head.bias.device)

    case = with_(CLASSIFY, callbacks=lambda: [Before(partial(shift, by=1), partial(shift, by=-1))])
    both(case, [{"seed": 0}, {"seed": 1}])


def poisoned(net) -> None:
    with torch.no_grad():
        net.head.bias.fill_(float("nan"))


def broken(net) -> None:
    def fail(_inputs):
        raise RuntimeError("it broke")

    net.forward = fail


@pytest.mark.parametrize(("act", "status"), [(poisoned, RunStatus.DIVERGED), (broken, RunStatus.FAILED)])
def test_what_goes_wrong_in_one_members_validation_is_its_own_end(act, status) -> None:
    members = [CLASSIFY.member(seed=seed) for seed in range(3)]
    members[1] = replace(members[1], callbacks=[*members[1].callbacks, Before(act)])
    records = fit_stacked(members, QUIET)
    assert [record.status for record in records] == [RunStatus.FINISHED, status, RunStatus.FINISHED]
    for row in (0, 2):
        one = CLASSIFY.member(seed=row)
        agree(one, members[row], alone(one), records[row])
