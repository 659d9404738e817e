"""The multilayer perceptron, alone and stacked."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from lorelab.nets.mlp import MLP


def mlp(seed=0, shape=(2, 3), **kwargs):
    torch.manual_seed(seed)
    return MLP(shape, 4, nn.Linear, **{"width": 8, "depth": 2} | kwargs)


def test_forward_equals_the_layers_written_out():
    net, x = mlp(activation="abs"), torch.randn(5, 2, 3)
    hidden = net.layers[1](net.layers[0](x.reshape(5, 6)).abs()).abs()
    assert torch.equal(net.features(x), hidden)
    assert torch.equal(net(x), net.head(hidden))


@pytest.mark.parametrize("other", ["abs", "tanh", "identity"])
def test_nets_of_one_seed_start_equal_whatever_their_activation(other):
    one, two = mlp(activation="relu").state_dict(), mlp(activation=other).state_dict()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_dropout_changes_neither_names_nor_initial_weights():
    one, two = mlp().state_dict(), mlp(dropout=0.5).state_dict()
    layers = ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
    assert list(one) == [*layers, "head.weight", "head.bias"]
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_dropout_zeroes_its_share_of_features_in_training_only():
    net, x = mlp(width=400, activation="sigmoid", dropout=0.25), torch.randn(50, 2, 3)
    assert (net.features(x) == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert (net.eval().features(x) != 0).all()


def test_depth_zero_is_the_linear_model():
    net, x = mlp(depth=0), torch.randn(5, 2, 3)
    assert torch.equal(net(x), nn.functional.linear(x.reshape(5, 6), net.head.weight, net.head.bias))


def test_stacked_nets_give_each_members_outputs_and_gradients():
    nets, x, y = [mlp(seed, activation="abs") for seed in range(3)], torch.randn(3, 5, 2, 3), torch.randint(4, (3, 5))
    params, buffers = stack_module_state(nets)

    def loss(params, buffers, x, y):
        return nn.functional.cross_entropy(functional_call(nets[0], (params, buffers), (x,)), y)

    stacked = vmap(grad(loss))(params, buffers, x, y)
    outputs = vmap(lambda p, b, x: functional_call(nets[0], (p, b), (x,)))(params, buffers, x)
    for i, net in enumerate(nets):
        torch.testing.assert_close(outputs[i], net(x[i]))
        nn.functional.cross_entropy(net(x[i]), y[i]).backward()
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(stacked[name][i], parameter.grad)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"width": 0}, r"MLP: width=0, depth=2, expected width at least 1"),
        ({"depth": -1}, r"MLP: width=8, depth=-1, expected .* depth at least 0"),
        ({"dropout": 1.0}, r"MLP: dropout=1.0, expected a probability in \[0, 1\)"),
        ({"shape": ()}, r"MLP: input_shape=\(\), expected one or more positive sizes"),
        ({"activation": "rleu"}, r"did you mean 'relu'"),
    ],
)
def test_values_out_of_range_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        mlp(**kwargs)
