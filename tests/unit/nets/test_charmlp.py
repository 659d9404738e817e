"""The MLP over the last few characters."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from lorelab.nets.charmlp import CharMLP


def charmlp(seed=0, shape=(8,), **kwargs):
    torch.manual_seed(seed)
    return CharMLP(shape, 11, nn.Linear, **{"reach": 3, "embedding": 4, "width": 6} | kwargs)


def tokens(*shape):
    return torch.randint(11, shape, generator=torch.Generator().manual_seed(1))


def test_a_position_is_the_layers_written_out_over_the_last_characters():
    net, x = charmlp(), tokens(2, 8)
    table = net.tokens.weight
    last_three = torch.cat([table[x[:, 3]], table[x[:, 4]], table[x[:, 5]]], dim=1)
    expected = torch.tanh(net.layers[0](last_three))
    torch.testing.assert_close(net.features(x)[:, 5], expected)
    torch.testing.assert_close(net(x)[:, 5], net.head(expected))


def test_before_the_start_lies_an_embedding_of_its_own():
    net, x = charmlp(), tokens(2, 8)
    start = net.tokens.weight[11].expand(2, 4)
    expected = torch.tanh(net.layers[0](torch.cat([start, start, net.tokens(x[:, 0])], dim=1)))
    torch.testing.assert_close(net.features(x)[:, 0], expected)


def test_a_character_is_seen_for_as_long_as_the_reach_and_never_before():
    net, x = charmlp(), tokens(1, 8)
    changed = x.clone()
    changed[0, 2] = (x[0, 2] + 1) % 11
    moved = (net(changed) - net(x)).abs().amax((0, 2)) > 0
    assert moved.tolist() == [False, False, True, True, True, False, False, False]


def test_hidden_layers_and_any_length_of_text():
    net = charmlp(depth=3)
    assert [layer.in_features for layer in net.layers] == [12, 6, 6]
    assert net(tokens(2, 1)).shape == (2, 1, 11)
    assert net(tokens(2, 30)).shape == (2, 30, 11)


def test_dropout_acts_in_training_only():
    net, x = charmlp(dropout=0.5), tokens(2, 8)
    assert not torch.equal(net(x), net(x))
    torch.testing.assert_close(net.eval()(x), charmlp()(x))


def test_stacked_nets_give_each_members_outputs():
    nets, x = [charmlp(seed) for seed in range(3)], tokens(2, 8)
    params, buffers = stack_module_state(nets)
    stacked = vmap(lambda p, b: functional_call(nets[0], (p, b), (x,)))(params, buffers)
    for i, net in enumerate(nets):
        torch.testing.assert_close(stacked[i], net(x))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shape": (1, 8, 8)}, r"CharMLP: input_shape=\(1, 8, 8\), expected rows of tokens"),
        ({"reach": 0}, r"CharMLP: reach=0, embedding=4, width=6, depth=1, expected positive numbers"),
        ({"depth": 0}, r"CharMLP: .*depth=0, expected positive numbers"),
        ({"dropout": -0.1}, r"CharMLP: dropout=-0.1, expected a probability"),
    ],
)
def test_inputs_and_values_that_do_not_fit_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        charmlp(**kwargs)
