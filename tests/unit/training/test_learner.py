"""The Learner in a bare Trainer: what is measured, what is kept, what callbacks see."""

import math
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import EarlyStopping
from sklearn.metrics import accuracy_score, f1_score

from lorelab.data.builtin import digits
from lorelab.data.loading import DataModule
from lorelab.nets.convnet import ConvNet
from lorelab.nets.mlp import MLP
from lorelab.records import DataSpec
from lorelab.tasks.classification import Classification
from lorelab.training.best import Best
from lorelab.training.learner import Diverged, Learner, channels_last
from lorelab.training.schedules import Cosine


@pytest.fixture(scope="module")
def splits():
    return digits(limit_train=200)


def learner_of(splits, lr=0.01, schedule=None, optimizer=torch.optim.Adam) -> Learner:
    torch.manual_seed(0)
    net = MLP(splits.spec.input_shape, 10, torch.nn.Linear, width=16)
    return Learner(net, Classification(splits.spec), lambda p: optimizer(p, lr=lr), schedule)


def trainer_of(epochs=3, callbacks=()) -> Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return Trainer(
        max_epochs=epochs, accelerator="cpu", callbacks=list(callbacks), enable_model_summary=False,
        num_sanity_val_steps=0, **quiet,
    )  # fmt: skip


def test_the_reported_validation_metrics_are_scikit_learns_and_fresh_each_epoch(splits) -> None:
    learner, points = learner_of(splits), []
    learner.report = lambda values, step: points.append((step, dict(values)))
    data = DataModule(splits, batch_size=32, eval_batch_size=100)  # uneven: 270 examples
    trainer_of().fit(learner, datamodule=data)
    step, last = [point for point in points if "val/accuracy" in point[1]][-1]
    held = data.held("val")
    with torch.no_grad():
        logits = learner.net(held.inputs)
    predicted = logits.argmax(1)
    assert step == 3 * math.ceil(200 / 32)
    assert last["val/accuracy"] == pytest.approx(accuracy_score(held.targets, predicted))
    assert last["val/macro_f1"] == pytest.approx(f1_score(held.targets, predicted, average="macro"), rel=1e-5)
    assert last["val/loss"] == pytest.approx(torch.nn.functional.cross_entropy(logits, held.targets).item(), rel=1e-5)


def test_callbacks_find_what_they_monitor(splits) -> None:
    stop = EarlyStopping("val/loss", mode="min", patience=1, min_delta=10.0)  # never satisfied
    trainer = trainer_of(epochs=20, callbacks=[stop])
    trainer.fit(learner_of(splits), datamodule=DataModule(splits, batch_size=32))
    assert trainer.current_epoch == 2


def test_a_schedule_moves_the_rate_at_every_step_over_the_whole_budget(splits) -> None:
    learner, rates = learner_of(splits, schedule=Cosine()), []
    learner.log_every_n_steps = 1
    learner.report = lambda values, step: rates.append(values["lr"]) if "lr" in values else None
    trainer_of(epochs=2).fit(learner, datamodule=DataModule(splits, batch_size=50))
    total = 8
    expected = [0.01 * (1 + math.cos(math.pi * step / (total - 1))) / 2 for step in range(total)]
    assert len(rates) == total
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.002 < expected[1] < 0.01


def test_an_infinite_rate_ends_as_divergence_with_the_step(splits) -> None:
    learner = learner_of(splits, lr=1e30, optimizer=torch.optim.SGD)
    learner.log_every_n_steps = 1
    with pytest.raises(Diverged) as found:
        trainer_of().fit(learner, datamodule=DataModule(splits, batch_size=32))
    assert 0 < found.value.step < 7


def test_the_best_keeps_its_own_copy_and_of_equals_the_earliest() -> None:
    net, best = torch.nn.Linear(1, 1), Best()
    best.offer(0.5, 1, net, "max")
    kept = net.weight.detach().clone()
    with torch.no_grad():
        net.weight.add_(1.0)
    best.offer(0.5, 2, net, "max")
    best.offer(0.4, 3, net, "max")
    assert (best.score, best.step) == (0.5, 1)
    assert torch.equal(best.weights["weight"], kept)
    best.offer(0.4, 4, net, "min")
    assert (best.score, best.step) == (0.4, 4)
    assert torch.equal(best.weights["weight"], net.weight)


def test_a_monitor_that_is_not_measured_is_named(splits) -> None:
    learner = learner_of(splits)
    learner.task.monitor = "val/nothing"
    with pytest.raises(KeyError, match="val/nothing"):
        trainer_of().fit(learner, datamodule=DataModule(splits, batch_size=32))


def test_filters_lie_with_their_channels_last_and_are_the_same_filters() -> None:
    torch.manual_seed(0)
    net = ConvNet((3, 8, 8), 10, torch.nn.Linear, channels=(4, 8), width=16)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    channels_last(net)
    filters = [layer.weight for layer in net.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert filters
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in filters)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    images = torch.randn(5, 3, 8, 8)
    torch.testing.assert_close(net(images), torch.func.functional_call(net, before, (images,)))


FILTER = "stages.1.conv.weight"


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_an_optimisers_state_from_another_layout_goes_on_as_that_of_the_weights(layout) -> None:
    """Of a run that began on a GPU, or before filters were laid out so: a fused step takes both side by side."""
    torch.manual_seed(0)
    net = ConvNet((3, 8, 8), 10, torch.nn.Linear, channels=(4, 8), width=16)
    task = Classification(DataSpec("images", "image", (3, 8, 8), "class", num_classes=10))
    learner = Learner(net, task, lambda p: torch.optim.Adam(p, lr=0.1, fused=True))
    channels_last(net)
    optimizer = learner.make_optimizer(net.parameters())
    net(torch.randn(5, 3, 8, 8)).sum().backward()
    optimizer.step()
    known = {name: value.clone() for name, value in optimizer.state[net.get_parameter(FILTER)].items()}
    for state in optimizer.state.values():
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = state[name].contiguous(memory_format=layout) if state[name].ndim == 4 else state[name]
    learner._trainer = SimpleNamespace(optimizers=[optimizer])
    learner.on_train_start()
    for weight, state in optimizer.state.items():
        assert state["exp_avg"].stride() == state["exp_avg_sq"].stride() == weight.stride()
    for name, value in known.items():
        assert torch.equal(optimizer.state[net.get_parameter(FILTER)][name], value)
