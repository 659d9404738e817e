"""What the mechanism callback measures, by hand on two units, and that it changes nothing."""

from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback
from torch import nn

from lorelab.data.builtin import digits
from lorelab.data.loading import DataModule
from lorelab.data.splits import DataSplits, Split, record_of
from lorelab.nets.mlp import MLP
from lorelab.records import DataSpec, RunStart
from lorelab.tasks.classification import Classification
from lorelab.tasks.regression import Regression
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.fit import fit
from lorelab.training.learner import Learner
from lorelab.training.mechanism import COSINE, SIGNS, Mechanism
from lorelab.training.progress import ProgressLine
from lorelab.training.settings import TrainerSettings


class TwoUnits(nn.Module):
    """Two pre-activations w₁x and w₂x, through ReLU, summed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -1.0]))
        self.activation = nn.ReLU()

    def forward(self, x):
        return self.activation(x * self.weight).sum(-1, keepdim=True)


def train(net, task, splits, lr, callbacks, *, epochs=1, batch_size=2, folder: Path | None = None, resume="", **more):
    learner = Learner(net, task, lambda p: torch.optim.SGD(p, lr=lr))
    tracker = MemoryTracker()
    settings = TrainerSettings(max_epochs=epochs, accelerator="cpu", **more)
    fit(
        learner, DataModule(splits, batch_size=batch_size), settings, tracker=tracker, callbacks=callbacks,
        start=RunStart("r", {}, {}, resume=resume), progress=ProgressLine("quiet"), checkpoints=folder,
    )  # fmt: skip
    return tracker


def two_points(targets: list[float]) -> DataSplits:
    spec = DataSpec("two", "table", (1,), "real", target_mean=0.0, target_std=1.0)
    split = Split(torch.tensor([[1.0], [2.0]]), torch.tensor(targets))
    raw = {name: {"inputs": split.inputs.numpy()} for name in ("train", "val", "test")}
    return DataSplits(spec, split, split, split, record_of(spec, raw, "by hand"))


def by_hand(targets: list[float], lr: float, epochs: int):
    splits = two_points(targets)
    tracker = train(TwoUnits(), Regression(splits.spec), splits, lr, [Mechanism()], epochs=epochs)
    return [tracker.history(name) for name in (SIGNS, COSINE)]


def test_a_unit_that_is_pushed_below_zero_changes_sign_on_every_example() -> None:
    # Only unit 1 is active: outputs 1 and 2, targets 0 and 0. Of the squared error w₁ has (2·1·1 + 2·2·2) / 2 = 5.
    # At rate 0.3 it goes to −0.5: of 2 units × 2 examples the 2 of unit 1 changed. Then nothing is active: no gradient.
    signs, cosine = by_hand([0.0, 0.0], 0.3, 2)
    assert [value for _, value in signs] == [0.5, 0.25]  # means over the steps so far: (2/4 + 0) / 2
    assert [value for _, value in cosine] == [0.0]  # one pair of gradients, the second of which is zero
    assert [step for step, _ in signs] == [1, 2]


def test_successive_gradients_agree_below_the_minimum_and_turn_where_it_is_overshot() -> None:
    # The loss in w₁ is 2.5 w₁²; w₁ becomes (1 − 5 lr) w₁ each step, so gradients keep their direction below lr = 0.2.
    signs, cosine = by_hand([0.0, 0.0], 0.1, 3)
    assert [value for _, value in signs] == [0.0, 0.0, 0.0]
    assert [value for _, value in cosine] == pytest.approx([1.0, 1.0])
    # With targets 2x the minimum lies at w₁ = 2: rate 0.3 overshoots it (1 → 2.5 → 1.75 → ...), and w₁ stays above 0.
    signs, cosine = by_hand([2.0, 4.0], 0.3, 3)
    assert [value for _, value in cosine] == pytest.approx([-1.0, -1.0])


def test_training_is_the_same_with_it_and_without(tmp_path: Path) -> None:
    splits, found = digits(limit_train=100), []
    for callbacks in ([], [Mechanism(examples=50)]):
        torch.manual_seed(0)
        net = MLP(splits.spec.input_shape, 10, nn.Linear, width=8, dropout=0.3)
        train(net, Classification(splits.spec), splits, 0.1, callbacks, epochs=3, batch_size=32)
        found.append(nn.utils.parameters_to_vector(net.parameters()).detach())
    assert torch.equal(*found)


class Stop(Exception):  # noqa: N818
    """Stands for a kill."""


class StopAt(Callback):
    def on_validation_end(self, trainer, pl_module) -> None:
        if trainer.global_step >= 8:
            raise Stop


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    splits = digits(limit_train=100)

    def go(*callbacks, **more):
        torch.manual_seed(0)
        net = MLP(splits.spec.input_shape, 10, nn.Linear, width=8)
        more |= {"checkpoint_every_steps": 1}
        return train(net, Classification(splits.spec), splits, 0.1, callbacks, epochs=4, batch_size=32, **more)

    whole = go(Mechanism())
    with pytest.raises(Stop):
        go(Mechanism(), StopAt(), folder=tmp_path)
    (kept,) = tmp_path.iterdir()
    resumed = go(Mechanism(), folder=tmp_path, resume=kept.name)
    for name in (SIGNS, COSINE):
        assert resumed.history(name)[-1] == whole.history(name)[-1]


def test_layers_that_share_an_activation_are_all_heard() -> None:
    splits = digits(limit_train=64)
    net = MLP(splits.spec.input_shape, 10, nn.Linear, width=8, depth=3)
    callback = Mechanism(examples=20)
    train(net, Classification(splits.spec), splits, 0.1, [callback], batch_size=32)
    assert callback._signs is not None
    assert callback._signs.shape == (3 * 8 * 20,)


def test_it_refuses_nets_without_activations_and_no_examples() -> None:
    splits = digits(limit_train=64)
    with pytest.raises(ValueError, match="Linear has no module called activation; use another net"):
        train(
            nn.Sequential(nn.Flatten(), nn.Linear(64, 10))[1], Classification(splits.spec), splits, 0.1, [Mechanism()]
        )
    with pytest.raises(ValueError, match="examples=0, expected at least 1"):
        Mechanism(examples=0)
