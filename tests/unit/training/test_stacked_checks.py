"""Which runs cannot be trained as one, and that they are told so before anything is started."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback
from stacks import CLASSIFY, CONTRAST, MLP_NET, QUIET, REGRESS, SPEAK, Shaken, with_
from torch import nn
from torch.optim import SGD, Adam, AdamW

from lorelab.nets.heads import CosineHead, PrejudicedHead
from lorelab.nets.mlp import MLP
from lorelab.nets.transformer import Transformer
from lorelab.records import RunStart
from lorelab.training.learner import Learner
from lorelab.training.stacked import Unstackable, fit_stacked, why_not


class Meddling(Callback):
    """Does something at every step."""


class Own(Learner):
    """A Learner that may do anything."""


def owned():
    member = CLASSIFY.member()
    member.learner.__class__ = Own
    return member


def frozen():
    member = CLASSIFY.member()
    next(member.learner.net.parameters()).requires_grad_(False)
    return member


def resumed():
    folder = Path(tempfile.mkdtemp())
    (folder / "abc").mkdir()
    (folder / "abc" / "last.ckpt").touch()
    return replace(CLASSIFY.member(), start=RunStart("r", {}, {}, resume="abc"), checkpoints=folder)


UNFIT = {
    "only 32-true": lambda: with_(CLASSIFY, settings={"precision": "bf16-mixed"}).member(),
    "reproducible=strict": lambda: with_(CLASSIFY, settings={"reproducible": "strict"}).member(),
    "Meddling may act on a trainer": lambda: with_(CLASSIFY, callbacks=lambda: [Meddling()]).member(),
    "optimiser Adagrad": lambda: with_(CLASSIFY, optimizer=torch.optim.Adagrad).member(),
    "maximises": lambda: with_(CLASSIFY, optimizer=Adam).member(maximize=True),
    "Learner is a Own": owned,
    "frozen": frozen,
    "goes on from a checkpoint": resumed,
}


@pytest.mark.parametrize("reason", UNFIT)
def test_a_run_that_no_stack_can_take_says_why(reason) -> None:
    member = UNFIT[reason]()
    assert reason in why_not([CLASSIFY.member(), member])
    with pytest.raises(Unstackable, match=reason):
        fit_stacked([member], QUIET)
    assert member.tracker.run is None


PAIRS = {
    "the net's layers differ": (CLASSIFY, with_(CLASSIFY, net=partial(MLP_NET, width=13))),
    "net's layers differ": (CLASSIFY, with_(CLASSIFY, net=partial(MLP_NET, activation="tanh"))),
    "layers differ": (
        with_(CLASSIFY, net=partial(MLP, head=CosineHead)),
        with_(CLASSIFY, net=partial(MLP, head=partial(CosineHead, learn_temperature=True))),
    ),
    "layers diff": (CLASSIFY, with_(CLASSIFY, net=partial(MLP_NET, head=PrejudicedHead))),
    "the optimiser differs": (with_(CLASSIFY, optimizer=Adam), with_(CLASSIFY, optimizer=SGD)),
    "the optimiser differ": (with_(CLASSIFY, optimizer=Adam), with_(CLASSIFY, optimizer=AdamW)),
    "the budget in steps differs": (CLASSIFY, with_(CLASSIFY, settings={"max_epochs": 4})),
    "trainer.log_every_n_steps differs": (CLASSIFY, with_(CLASSIFY, settings={"log_every_n_steps": 4})),
    "the task differs": (CLASSIFY, CONTRAST),
}


@pytest.mark.parametrize("reason", PAIRS)
def test_runs_that_differ_in_form_say_in_what(reason) -> None:
    one, other = PAIRS[reason]
    assert reason in why_not([one.member(), other.member()])


def test_runs_that_differ_in_numbers_alone_fit() -> None:
    assert why_not([CLASSIFY.member(), CLASSIFY.member(seed=1, lr=0.5, weight_decay=0.1)]) is None


def test_a_word_in_which_tasks_differ_is_named() -> None:
    members = [REGRESS.member(task={"loss": loss}) for loss in ("mse", "mae")]
    assert "the task's loss_name differs" in why_not(members)


class Random(MLP):
    """Draws in its own way."""

    def forward(self, x):
        return super().forward(x + torch.randn_like(x))


class Branching(MLP):
    """Looks at a value to decide."""

    def forward(self, x):
        out = super().forward(x)
        return out if out.sum() > 0 else -out


class Unused(MLP):
    """Has a weight that nothing reads."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.spare = nn.Parameter(torch.ones(3))


class Elsewhere(nn.Dropout):
    """Dropout whose masks cannot be known."""


class Subclassed(MLP):
    """Uses it."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.dropout = Elsewhere(0.5)


ATTENTION = partial(Transformer, head=nn.Linear, layers=1, heads=2, width=8, dropout=0.1)


@pytest.mark.parametrize(
    "case",
    [*(with_(CLASSIFY, net=partial(kind, head=nn.Linear)) for kind in (Random, Branching, Unused, Subclassed)),
     with_(SPEAK, net=ATTENTION)],
    ids=["random", "branching", "unused weight", "other dropout", "attention dropout"],
)  # fmt: skip
def test_a_net_that_would_not_train_as_alone_is_found_on_its_first_batch(case) -> None:
    members = [case.member(seed=seed) for seed in range(2)]
    assert why_not(members) is None
    with pytest.raises(Unstackable, match=r"cannot be stacked|from those of the run alone"):
        fit_stacked(members, QUIET)
    assert all(member.tracker.run is None for member in members)


def test_a_task_that_shares_a_sum_over_members_is_found(monkeypatch) -> None:
    case, calls = with_(CLASSIFY, augment=Shaken), []

    class Forgetful(case.task):
        """Its loss is another at every call."""

        def loss(self, net, batch):
            calls.append(1)
            return super().loss(net, batch) * len(calls)

    members = [with_(case, task=Forgetful).member(seed=seed) for seed in range(2)]
    with pytest.raises(Unstackable, match=r"loss and gradient are .* from those of the run alone"):
        fit_stacked(members, QUIET)
