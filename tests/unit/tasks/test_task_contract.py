"""What every task kind must do, run over all of them: one entry in ``CASES`` per kind."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from lorelab.data.views import NoisePoints
from lorelab.nets.charmlp import CharMLP
from lorelab.nets.mlp import MLP
from lorelab.records import Batch, DataSpec
from lorelab.tasks.protocol import Judge

CONF = Path(__file__).parents[3] / "conf" / "task"


ONE_HIDDEN_LAYER = partial(MLP, head=nn.Linear, width=32, depth=1)


@dataclass(frozen=True)
class Case:
    """A toy problem whose answer is known: ``score`` is reached by whoever learns it."""

    task: str
    overrides: dict[str, object]
    data: DataSpec
    answer: Callable[[Tensor], Tensor]
    score: float
    predicts: tuple[int, ...]
    draw: Callable[..., Tensor] = torch.randn
    """Inputs from a shape and ``generator=``."""
    net: Callable[..., nn.Module] = ONE_HIDDEN_LAYER
    augment: Callable[[Tensor, Generator], Tensor] = lambda x, _: x
    """For tasks whose loss compares: ``(B, *shape)`` to ``(B, V, *shape)``."""


CLASSES = DataSpec("sides", "points", (2,), "class", num_classes=3)
TOKENS = DataSpec("counting", "text", (6,), "token", num_classes=5, vocabulary=tuple("abcde"))
ROWS = DataSpec("rows", "table", (4,), "class", num_classes=2)
POINTS = DataSpec("cloud", "points", (2,), "none")
REALS = DataSpec("plane", "points", (2,), "real", target_mean=10.0, target_std=3.0)
CASES = {
    "classification": Case("classification", {}, CLASSES, lambda x: (x[:, 0] > 0) + (x[:, 1] > 0).long(), 0.95, (3,)),
    "regression-mse": Case("regression", {"loss": "mse"}, REALS, lambda x: x @ torch.tensor([0.6, -0.8]), 0.6, ()),
    "regression-mae": Case("regression", {"loss": "mae"}, REALS, lambda x: x @ torch.tensor([0.6, -0.8]), 0.6, ()),
    "regression-huber": Case("regression", {"loss": "huber"}, REALS, lambda x: x @ torch.tensor([0.6, -0.8]), 0.6, ()),
    "language": Case(
        "language",
        {},
        TOKENS,
        lambda x: (x + 1) % 5,
        0.05,
        (6, 5),
        draw=partial(torch.randint, 5),
        net=partial(CharMLP, head=nn.Linear, reach=2, embedding=8, width=32),
    ),
    "contrastive": Case(
        "contrastive",
        {"temperature": 0.05},
        ROWS,
        lambda x: (x[:, 0] > 0).long(),
        0.9,
        (32,),
        augment=lambda x, g: x.unsqueeze(1) + 0.02 * torch.randn(len(x), 2, 4, generator=g),
    ),
    "nce": Case(
        "nce",
        {
            "density": {"_target_": "lorelab.data.densities.Mixture", "means": [[0, 0]], "stds": [1]},
            "noise_ratio": 1,
            "noise_scale": 5.0,
            "grid_size": 64,
        },
        POINTS,
        lambda x: torch.zeros(len(x)),
        -3.0,  # the bound is -2.84
        (),
        augment=NoisePoints(ratio=1, scale=5.0),
    ),
}


def test_every_configured_task_kind_has_a_case():
    assert {case.task for case in CASES.values()} == {path.stem for path in CONF.glob("*.yaml")}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def task(case):
    return instantiate(OmegaConf.merge(OmegaConf.load(CONF / f"{case.task}.yaml"), case.overrides))(data=case.data)


@pytest.fixture
def split(case):
    x = case.draw((256, *case.data.input_shape), generator=torch.Generator().manual_seed(0))
    return Batch(x, case.answer(x))


@pytest.fixture
def batch(case, split):
    return Batch(case.augment(split.inputs, torch.Generator().manual_seed(1)), split.targets)


def measured(net, task, batch, split):
    metrics = task.metrics()
    with torch.no_grad():
        task.evaluate(net, batch, metrics)
        judged = task.judge(net, split, split, "val") if isinstance(task, Judge) else {}
    return {name: value.item() for name, value in metrics.compute().items() if value.numel() == 1} | dict(judged)


def build(case, task, seed=0):
    torch.manual_seed(seed)
    return case.net(case.data.input_shape, task.out_features)


def train(net, task, batch, steps=150):
    optimizer, losses = torch.optim.Adam(net.parameters(), lr=0.03), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = task.loss(net, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def test_loss_is_finite_and_falls_and_the_known_answer_is_learnt(case, task, batch, split):
    net = build(case, task)
    losses = train(net, task, batch)
    assert losses.shape == (150,)
    assert losses.isfinite().all()
    assert losses[-10:].mean() < 0.5 * losses[:3].mean()
    score = measured(net, task, batch, split)[task.monitor.removeprefix("val/")]
    assert score > case.score if task.mode == "max" else score < case.score


def test_the_same_seed_gives_the_same_weights(case, task, batch):
    one, two = build(case, task), build(case, task)
    assert torch.equal(train(one, task, batch, steps=5), train(two, task, batch, steps=5))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_prediction_has_the_documented_shape(case, task, split):
    net = build(case, task)
    assert task.predict(net, split.inputs).shape == (256, *case.predicts)
    assert task.predict(net, split.inputs[:1]).shape == (1, *case.predicts)


def test_evaluation_is_one_forward_pass_and_a_scalar(case, task, batch, split):
    net, calls = build(case, task), []

    def counted(x):
        calls.append(len(x))
        return net(x)

    loss = task.evaluate(counted, batch, task.metrics())
    assert calls == [256 * (batch.inputs.numel() // split.inputs.numel())]
    assert loss.shape == ()


def test_the_monitor_is_a_scalar_that_evaluation_yields(case, task, batch, split):
    scalars = set(measured(build(case, task), task, batch, split)) | {"loss"}
    assert set(task.better) <= scalars
    assert task.monitor.removeprefix("val/") in task.better


def test_declared_kinds_fit_the_data_it_is_tested_on(case, task):
    assert case.data.target_kind in task.accepts_targets
    assert case.data.input_kind in task.accepts_inputs


def test_a_task_cannot_tell_one_net_from_stacked_ones(case, task, batch):
    nets = [build(case, task, seed) for seed in range(3)]
    params, buffers = stack_module_state(nets)

    def loss(params, buffers):
        return task.loss(lambda x: functional_call(nets[0], (params, buffers), (x,)), batch)

    gradients = vmap(grad(loss))(params, buffers)
    for i, net in enumerate(nets):
        task.loss(net, batch).backward()
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(gradients[name][i], parameter.grad)
