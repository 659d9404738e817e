"""What every task kind must do, run over all of them: ``contract_KIND.py`` holds the toy problems of a kind."""

from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from lorelab.paths import CONF
from lorelab.tasks.contrastive import Contrastive
from lorelab.tasks.protocol import PerExample
from lorelab.testing import CONTRACT, trained
from lorelab.training.checkpoint import digest
from lorelab.training.learner import Learner
from lorelab.training.lr_range import lr_range
from lorelab.training.settings import TrainerSettings

FILES = sorted(Path(__file__).parent.glob("contract_*.py"))
TOYS = {name: toy for path in FILES for name, toy in import_module(path.stem).TOYS.items()}


@pytest.mark.parametrize("toy", TOYS.values(), ids=TOYS)
@pytest.mark.parametrize("clause", CONTRACT, ids=lambda clause: clause.__name__)
def test_a_task_kind_keeps_the_contract(toy, clause):
    clause(toy)


def test_every_configured_task_kind_has_a_toy_problem():
    # A file that leaves the monitor open is no kind: it lets the data choose one.
    kinds = {path.stem for path in (CONF / "task").glob("*.yaml") if OmegaConf.load(path).monitor is not None}
    assert {path.stem.removeprefix("contract_") for path in FILES} == kinds


@pytest.mark.parametrize("toy", TOYS.values(), ids=TOYS)
def test_what_can_be_monitored_is_measured(toy):
    task = toy.build()[0]
    assert {f"val/{name}" for name in task.better} <= {name for name, _, _ in trained(toy).tracker.points}
    assert task.monitor.removeprefix("val/") in task.better
    at_test = {**task.better, **getattr(task, "better_at_test", {})}
    assert {f"test/{name}" for name in at_test} <= set(trained(toy).record.metrics)


@pytest.mark.parametrize("toy", TOYS.values(), ids=TOYS)
def test_the_losses_of_single_examples_or_positions_have_the_loss_as_their_mean(toy):
    task, net = toy.build()
    each = task.each if isinstance(task, PerExample) else None
    if each is None:
        pytest.skip("its loss is no mean over examples or positions, or does not say so")
    held, net = toy.data().held("val", "cpu"), net.eval()
    losses = each(net(held.inputs), held.targets)
    assert losses.shape == held.targets.shape
    torch.testing.assert_close(losses.mean(), task.loss(net, held))


@pytest.mark.parametrize("toy", TOYS.values(), ids=TOYS)
def test_a_range_test_suggests_a_rate_at_which_it_learns_or_sees_that_none_is_too_high(toy):
    task, net = toy.build()
    before = digest(net.state_dict())
    learner = Learner(net, task, partial(torch.optim.Adam, lr=1.0))
    settings = TrainerSettings(max_epochs=1, accelerator="cpu")
    found = lr_range(learner, toy.data(), settings)
    assert digest(net.state_dict()) == before
    if isinstance(task, Contrastive):  # of cosines: the size of the weights, and so a high rate, does no harm
        assert "still falls" in found.suggestion.reason
        return
    assert found.suggestion.chosen is not None, found.suggestion
    assert toy.lr / 30 < found.suggestion.chosen < 10 * toy.lr, found.suggestion
