"""ResNet-18 for small images, against torchvision's own."""

import pytest
import torch
from torch import nn

from lorelab.nets.activations import Abs
from lorelab.nets.resnet import ResNet18


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return ResNet18((3, 32, 32), 10, nn.Linear).eval()


def test_it_has_the_parameters_of_resnet18_with_a_small_stem(net):
    # torchvision's 11,689,512, with a stem of 3*3 for 7*7 and 10 classes for 1000.
    assert sum(p.numel() for p in net.parameters()) == 11_689_512 - 3 * 64 * (49 - 9) - 990 * 513


def test_small_images_keep_their_resolution_up_to_the_first_stage(net):
    sizes = {}
    hooks = [
        getattr(net.backbone, name).register_forward_hook(
            lambda m, i, out, name=name: sizes.update({name: out.shape[-1]})
        )
        for name in ("maxpool", "layer1", "layer4")
    ]
    with torch.no_grad():
        assert net.features(torch.randn(1, 3, 32, 32)).shape == (1, 512)
    for hook in hooks:
        hook.remove()
    assert sizes == {"maxpool": 32, "layer1": 32, "layer4": 4}


def test_stages_and_weights_are_torchvisions(net):
    from torchvision.models import resnet18

    reference = resnet18(weights=None).eval()
    own = net.backbone.state_dict()
    reference.load_state_dict({k: v for k, v in own.items() if k != "conv1.weight"}, strict=False)
    x = torch.randn(2, 64, 8, 8)
    with torch.no_grad():
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            x_own, x = getattr(net.backbone, stage)(x), getattr(reference, stage)(x)
            torch.testing.assert_close(x_own, x)


def test_stem_starts_as_torchvision_starts_its_convolutions(net):
    # Kaiming normal, fan out: variance 2 / (64 * 3 * 3).
    assert net.backbone.conv1.weight.std().item() == pytest.approx((2 / 576) ** 0.5, rel=0.1)


def test_activation_is_exchanged_everywhere_and_weights_start_equal(net):
    torch.manual_seed(0)
    other = ResNet18((3, 32, 32), 10, nn.Linear, activation="abs")
    kinds = [type(m) for m in other.modules()]
    assert nn.ReLU not in kinds
    assert kinds.count(Abs) == 9
    one, two = net.state_dict(), other.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_grey_images_fit_and_tables_do_not():
    assert ResNet18((1, 8, 8), 2, nn.Linear).eval()(torch.randn(2, 1, 8, 8)).shape == (2, 2)
    with pytest.raises(ValueError, match=r"ResNet18: input_shape=\(8,\), expected images .*use model=mlp"):
        ResNet18((8,), 2, nn.Linear)
