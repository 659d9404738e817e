"""conf/optimizer is a thin face of ``torch.optim``: its values are torch's, and what is built takes a step."""

import inspect
import io
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

CONF = Path(__file__).parents[3] / "conf"
NAMES = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml"))
# What differs from torch on purpose.
DEPARTURES = {("sgd_momentum", "momentum"): 0.9}


def config(name, *overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(overrides=[f"+optimizer={name}", *overrides]).optimizer


def test_the_promised_optimizers_are_there():
    assert {"sgd", "sgd_momentum", "adam", "adamw"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_torchs_own_defaults(name):
    values = OmegaConf.to_container(config(name))
    signature = inspect.signature(get_class(values.pop("_target_"))).parameters
    assert values.pop("_partial_") is True
    assert values.pop("_convert_") == "all"
    assert values.pop("fused", True) is True
    for key, value in values.items():
        default = signature[key].default
        expected = DEPARTURES.get((name, key), list(default) if isinstance(default, tuple) else default)
        assert value == expected, key


@pytest.mark.parametrize("name", NAMES)
def test_built_optimizer_lowers_a_quadratic_and_its_state_loads_as_plain_values(name):
    weight = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = instantiate(config(name, "optimizer.lr=0.01"))([weight])
    for _ in range(20):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    assert weight.square().sum() < 13
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True)["param_groups"] == optimizer.state_dict()["param_groups"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "rmsprop"])
def test_fused_takes_the_same_steps_as_torchs_plain_loop(name):
    torch.manual_seed(0)
    start, gradients = torch.randn(50), torch.randn(10, 50)
    weights = []
    for override in ("optimizer.fused=true", "optimizer.fused=false"):
        weight = torch.nn.Parameter(start.clone())
        optimizer = instantiate(config(name, "optimizer.lr=0.1", "optimizer.weight_decay=0.01", override))([weight])
        for gradient in gradients:
            weight.grad = gradient.clone()
            optimizer.step()
        weights.append(weight.detach())
    torch.testing.assert_close(weights[0], weights[1])


def test_nesterov_is_one_override_away():
    optimizer = instantiate(config("sgd_momentum", "optimizer.nesterov=true"))([torch.nn.Parameter(torch.zeros(1))])
    assert optimizer.defaults["nesterov"] is True
    assert optimizer.defaults["momentum"] == 0.9
