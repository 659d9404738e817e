"""torchvision's ResNet-18, fitted to small images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from lorelab.nets.activations import activation as build_activation
from lorelab.nets.heads import HeadFactory


class ResNet18(nn.Module):
    """ResNet-18 (He et al. 2016, arXiv:1512.03385) from random weights, with a 3x3 stride-1 stem and no max-pool.

    That stem is the usual change for images of about 32x32, where the original one would throw away 15 of 16
    positions at once. Initialised as torchvision does (Kaiming normal, fan out) whatever the activation. Raises
    ``ValueError`` if the input is not an image and for an unknown activation.
    """

    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"image"})

    def __init__(
        self, input_shape: Sequence[int], out_features: int, head: HeadFactory, activation: str = "relu"
    ) -> None:
        super().__init__()
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise ValueError(
                f"ResNet18: input_shape={tuple(input_shape)}, expected images (channels, height, width); "
                "for other inputs use model=mlp"
            )
        from torchvision.models import resnet18  # 2 s to import: paid by those who use it

        backbone = resnet18(weights=None)
        width = backbone.fc.in_features
        backbone.conv1 = nn.Conv2d(input_shape[0], 64, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(backbone.conv1.weight, mode="fan_out", nonlinearity="relu")
        backbone.maxpool = nn.Identity()
        backbone.fc = nn.Identity()
        for module in backbone.modules():
            if hasattr(module, "relu"):
                module.relu = build_activation(activation)
        self.backbone = backbone
        self.head = head(width, out_features)

    def features(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, 512)``."""
        out: Tensor = self.backbone(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to logits ``(B, out_features)``."""
        out: Tensor = self.head(self.features(x))
        return out
