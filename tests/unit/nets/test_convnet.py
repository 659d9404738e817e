"""The small convolutional net."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from lorelab.nets.convnet import ConvNet


def convnet(seed=0, shape=(1, 8, 8), **kwargs):
    torch.manual_seed(seed)
    return ConvNet(shape, 3, nn.Linear, **{"channels": (2, 4), "width": 6} | kwargs)


def test_forward_equals_the_layers_written_out():
    net, x = convnet(), torch.randn(5, 1, 8, 8)
    h = x
    for stage in net.stages:
        h = F.max_pool2d(F.relu(F.conv2d(h, stage.conv.weight, stage.conv.bias, padding=1)), 2)
    expected = F.relu(F.linear(h.flatten(1), net.hidden.weight, net.hidden.bias))
    torch.testing.assert_close(net.features(x), expected)
    torch.testing.assert_close(net(x), net.head(expected))


@pytest.mark.parametrize(("shape", "flat"), [((1, 28, 28), 32 * 7 * 7), ((3, 33, 18), 32 * 8 * 4)])
def test_hidden_layer_fits_what_is_left_of_the_image(shape, flat):
    net = ConvNet(shape, 10, nn.Linear)
    assert net.hidden.in_features == flat
    assert net(torch.randn(2, *shape)).shape == (2, 10)


def test_nets_of_one_seed_start_equal_whatever_their_activation_batch_norm_and_dropout():
    one = convnet().state_dict()
    two = convnet(activation="abs", batch_norm=True, dropout=0.3).state_dict()
    assert set(one) < set(two)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_batch_norm_centres_every_channel_in_training():
    net = convnet(batch_norm=True)
    x = torch.randn(64, 1, 8, 8) * 5 + 3
    out = net.stages[0].norm(net.stages[0].conv(x))
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    assert "stages.0.norm.running_mean" in net.state_dict()


@pytest.mark.parametrize("batch_norm", [False, True])
def test_stacked_nets_give_each_members_outputs_in_training(batch_norm):
    nets, x = [convnet(seed, batch_norm=batch_norm) for seed in range(2)], torch.randn(2, 5, 1, 8, 8)
    params, buffers = stack_module_state(nets)
    stacked = vmap(lambda p, b, x: functional_call(nets[0], (p, b), (x,)))(params, buffers, x)
    for i, net in enumerate(nets):
        torch.testing.assert_close(stacked[i], net(x[i]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shape": (1, 3, 8)}, r"images of 3x8 are too small to be halved 2 times, expected at least 4x4; .*channels"),
        ({"shape": (64,)}, r"ConvNet: input_shape=\(64,\), expected images .*use model=mlp"),
        ({"channels": ()}, r"ConvNet: channels=\(\), width=6, expected positive numbers"),
        ({"channels": (2, 0)}, r"ConvNet: channels=\(2, 0\)"),
        ({"width": 0}, r"ConvNet: .*width=0, expected positive numbers"),
        ({"dropout": -0.1}, r"ConvNet: dropout=-0.1, expected a probability"),
    ],
)
def test_images_and_values_that_do_not_fit_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        convnet(**kwargs)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (3, 2)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_pool_without_gradients_is_the_one_with_them(size, layout):
    stage = convnet(shape=(1, 8, 8)).stages[0]
    x = torch.randn(5, 2, *size).to(memory_format=layout)
    x[0, 0, 0, 0], x[1, :] = torch.nan, 0.25
    expected = stage.pool(x)
    assert torch.equal(expected.isnan(), F.max_pool2d(x, 2).isnan())
    with torch.no_grad():
        torch.testing.assert_close(stage.pool(x), expected, rtol=0, atol=0, equal_nan=True)
        assert stage.pool(x).is_contiguous(memory_format=layout)
