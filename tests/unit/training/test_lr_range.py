"""The range test on nets: where a known edge of stability lies, and that nothing is left of it."""

import os
import random
import signal

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from lorelab.data.builtin import digits
from lorelab.data.loading import DataModule
from lorelab.data.splits import DataSplits, Split, record_of
from lorelab.nets.mlp import MLP
from lorelab.paths import CONF
from lorelab.records import DataSpec, RunStart
from lorelab.tasks.classification import Classification
from lorelab.tasks.regression import Regression
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.checkpoint import digest
from lorelab.training.fit import fit
from lorelab.training.interrupts import Interrupted
from lorelab.training.keeper import random_states
from lorelab.training.learner import Learner
from lorelab.training.lr_range import RangeOptions, lr_range
from lorelab.training.progress import ProgressLine
from lorelab.training.settings import TrainerSettings

SETTINGS = TrainerSettings(max_epochs=2, accelerator="cpu", log_every_n_steps=1)
SHORT = RangeOptions(start=1e-4, end=10, steps=60)


class Rates(torch.optim.SGD):
    """Notes the rate of each step that it takes."""

    taken: list[float]

    def step(self, closure=None):
        result = super().step(closure)
        self.taken.append(self.param_groups[0]["lr"])
        return result


class Disturbed(Classification):
    """Something happens at one batch, counted from 0."""

    def __init__(self, data, batch: int, event) -> None:
        super().__init__(data)
        self.countdown, self.event = batch, event

    def loss(self, net, batch):
        self.countdown -= 1
        return super().loss(net, batch) * (self.event() if self.countdown == -1 else 1.0)


def stopped() -> float:
    os.kill(os.getpid(), signal.SIGINT)
    return 1.0


def failed() -> float:
    raise RuntimeError("on purpose")


@pytest.fixture(scope="module")
def splits():
    return digits(limit_train=150)


class Noise:
    """An augmentation that draws for every batch and counts its calls."""

    accepts_inputs = frozenset({"image"})
    calls = 0

    def __call__(self, inputs, generator):
        self.calls += 1
        return inputs + 0.1 * torch.randn(inputs.shape, generator=generator)


def parts(splits, task=None, optimizer=None, memory_gb=2.0):
    """With batch norm's buffers, dropout's draws and an augmentation's; five batches an epoch."""
    torch.manual_seed(0)
    net = MLP(splits.spec.input_shape, 10, nn.Linear, width=16, dropout=0.2)
    net.head = nn.Sequential(nn.BatchNorm1d(16), net.head)
    learner = Learner(net, task or Classification(splits.spec), optimizer or (lambda p: torch.optim.Adam(p, lr=0.01)))
    return learner, DataModule(splits, batch_size=32, seed=1, augment=Noise(), memory_limit_gb=memory_gb)


def trained(learner, data, **settings):
    tracker, progress = MemoryTracker(), ProgressLine("quiet")
    settings = TrainerSettings(**{"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1} | settings)
    record = fit(learner, data, settings, tracker=tracker, start=RunStart("r", {}, {}), progress=progress)
    return record.weights, tracker


def everything(learner, data) -> str:
    """Of net, learner, data and the random states."""
    python, numpy = random_states()["python"], np.random.get_state(legacy=True)
    rest = {name: value for name, value in vars(learner).items() if not name.startswith("_")}
    modes = [module.training for module in learner.modules()]
    held = {key: digest({"x": split.inputs}) for key, split in data._held.items()}
    seen = {name: value for name, value in vars(data).items() if name != "_held"} | {"calls": data.augment.calls}
    return repr([digest(learner.net.state_dict()), digest({"torch": torch.get_rng_state()}), python, numpy[0],
                 numpy[1].tolist(), numpy[2:], rest, vars(learner.task), modes, held, seen])  # fmt: skip


# ---------------------------------------------------------------- the known edge


def on_a_quadratic(scale: float, steps: int):
    """What is found for least squares by SGD, and its edge of stability: 2 / the largest curvature."""
    generator = torch.Generator().manual_seed(0)
    inputs = scale * torch.randn(1024, 4, generator=generator)
    targets = inputs @ torch.tensor([1.0, -1.0, 0.5, 0.0]) / scale + 0.3 * torch.randn(1024, generator=generator)
    rows, spec = Split(inputs, targets), DataSpec("quadratic", "table", (4,), "real")
    raw = {name: {"inputs": inputs.numpy(), "targets": targets.numpy()} for name in ("train", "val", "test")}
    data = DataModule(DataSplits(spec, rows, rows, rows, record_of(spec, raw, "drawn")), batch_size=64)
    with_bias = torch.cat([inputs, torch.ones(1024, 1)], dim=1).double()
    curvature = torch.linalg.eigvalsh(2 * with_bias.T @ with_bias / 1024).max()  # of the mean squared error
    torch.manual_seed(0)
    learner = Learner(nn.Linear(4, 1), Regression(spec), lambda p: torch.optim.SGD(p, lr=1.0))
    return lr_range(learner, data, SETTINGS, options=RangeOptions(steps=steps, end=1e3)), 2 / float(curvature)


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_on_a_quadratic_it_diverges_just_above_two_over_the_curvature(scale: float) -> None:
    for steps, apart in ((200, 2.5), (800, 1.7)):  # the loss needs steps to grow
        found, edge = on_a_quadratic(scale, steps)
        assert found.diverged_rate is not None
        assert edge < found.diverged_rate < apart * edge
        assert found.suggestion.chosen is not None, found.suggestion
        assert edge / 200 < found.suggestion.chosen < edge / 4


# ---------------------------------------------------------------- nothing is left of it


@pytest.mark.parametrize(
    ("event", "raised"),
    [(None, None), (lambda: float("nan"), None), (stopped, Interrupted), (failed, RuntimeError)],
    ids=["whole", "diverged", "ctrl-c", "failed"],
)
@pytest.mark.parametrize("memory_gb", [2.0, 0.0], ids=["held", "streamed"])
def test_everything_is_as_it_was_and_the_run_after_it_the_same(splits, event, raised, memory_gb) -> None:
    def fresh():
        return parts(splits, Disturbed(splits.spec, 25, event) if event else None, memory_gb=memory_gb)

    learner, data = fresh()
    random.seed(5), np.random.seed(6), torch.manual_seed(7)
    before = everything(learner, data)
    if raised:
        with pytest.raises(raised):
            lr_range(learner, data, SETTINGS, options=SHORT)
    else:
        found = lr_range(learner, data, SETTINGS, options=SHORT)
        assert (found.diverged_at == 25) == (event is not None)
    assert everything(learner, data) == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert trained(learner, data)[0] == trained(*fresh())[0]


def test_the_digest_of_everything_sees_each_thing(splits) -> None:
    learner, data = parts(splits)
    changes = [
        lambda: learner.net.state_dict()["head.0.running_mean"].add_(1e-6),
        lambda: torch.rand(1),
        random.random,
        np.random.rand,
        learner.net.eval,
        lambda: setattr(data, "skip_batches", 1),
        lambda: data.held("train"),
        lambda: setattr(learner, "evaluated_at", 3),
    ]
    seen = [everything(learner, data)]
    for change in changes:
        change()
        seen.append(everything(learner, data))
    assert len(set(seen)) == len(changes) + 1


# ---------------------------------------------------------------- the run that would begin


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_first_loss_is_that_of_the_run_bit_for_bit(splits, accumulate: int) -> None:
    settings = TrainerSettings(max_epochs=1, accelerator="cpu", accumulate_grad_batches=accumulate)
    found = lr_range(*parts(splits), settings, options=RangeOptions(start=1e-12, end=1e-11, steps=20))
    assert len(found.rates) == len(found.losses) == len(found.smoothed) == 20
    _, tracker = trained(*parts(splits), log_every_n_steps=accumulate, accumulate_grad_batches=accumulate)
    assert tracker.history("train/loss")[0][1] == found.losses[0]


def test_each_step_is_taken_at_its_own_rate_and_reported(splits) -> None:
    Rates.taken, points = [], []
    make = lambda p: Rates(p, lr=0.5)  # noqa: E731
    options = RangeOptions(start=1e-5, end=1e-2, steps=31)
    learner, data = parts(splits, optimizer=make)
    learner.schedule = lambda step, total: 0.0  # the run's own has no part in it
    found = lr_range(
        learner, data, SETTINGS, options=options, report=lambda values, step: points.append((step, values))
    )
    assert Rates.taken == pytest.approx(np.geomspace(1e-5, 1e-2, 31), rel=1e-12)
    assert found.rates == pytest.approx(Rates.taken, rel=1e-12)
    assert [step for step, _ in points] == list(range(31))
    reported = [tuple(values.values()) for _, values in points]
    assert reported == list(zip(found.rates, found.losses, found.smoothed, strict=True))


def test_the_same_seed_gives_the_same_curve_and_another_another_one(splits) -> None:
    curves = [lr_range(*parts(splits), SETTINGS, seed=seed, options=SHORT).losses for seed in (0, 0, 1)]
    assert curves[0] == curves[1] != curves[2]  # the seed's dropout


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml")))
def test_every_configured_optimiser_can_be_tested(splits, name: str) -> None:
    config = OmegaConf.load(CONF / "optimizer" / f"{name}.yaml")
    if "defaults" in config:
        config = OmegaConf.merge(OmegaConf.load(CONF / "optimizer" / f"{config.pop('defaults')[0]}.yaml"), config)
    found = lr_range(*parts(splits, optimizer=instantiate(config)), SETTINGS, options=RangeOptions(end=1e3))
    assert found.suggestion.chosen is not None, found.suggestion
    assert found.diverged_rate is not None
    assert found.diverged_rate > 5 * found.suggestion.chosen


def test_a_loss_that_is_never_finite_ends_at_its_first_step(splits) -> None:
    learner, data = parts(splits, Disturbed(splits.spec, 0, lambda: float("inf")))
    found = lr_range(learner, data, SETTINGS, options=SHORT)
    assert (found.diverged_at, found.diverged_rate) == (0, 1e-4)
    assert "lower --start" in found.suggestion.reason


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"start": 0.0}, "start is 0.0; expected a rate greater than 0"),
        ({"start": float("nan")}, "start is nan; expected"),
        ({"start": 1.0, "end": 1.0}, r"end is 1.0; expected a finite rate greater than start \(1.0\)"),
        ({"end": float("inf")}, "end is inf; expected a finite rate"),
        ({"steps": 19}, "steps is 19; expected at least 20"),
        ({"smoothing": 0.0}, r"smoothing is 0.0; expected a share of the steps in \(0, 0.5\]"),
        ({"factor": 1.0}, "factor is 1.0; expected greater than 1"),
    ],
)
def test_options_out_of_range_are_refused(values, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RangeOptions(**values)
