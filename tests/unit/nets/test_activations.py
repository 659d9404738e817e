"""Activations are PyTorch's, found by name."""

import pytest
import torch
from torch.nn import functional as F

from lorelab.nets.activations import ACTIVATIONS, activation

X = torch.linspace(-3, 3, 25)
REFERENCE = {
    "relu": F.relu,
    "abs": torch.abs,
    "leaky_relu": F.leaky_relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "elu": F.elu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "identity": lambda x: x,
}


def test_every_activation_has_a_reference():
    assert set(REFERENCE) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", REFERENCE)
def test_activation_equals_pytorchs_function_and_leaves_its_input_alone(name):
    x = X.clone()
    assert torch.equal(activation(name)(x), REFERENCE[name](X))
    assert torch.equal(x, X)


@pytest.mark.parametrize("name", REFERENCE)
def test_activation_has_no_state_and_draws_nothing(name):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert not activation(name).state_dict()
    assert torch.equal(torch.get_rng_state(), before)


def test_unknown_activation_names_the_nearest():
    with pytest.raises(ValueError, match=r"activation='gelo' is unknown: did you mean 'gelu'"):
        activation("gelo")
