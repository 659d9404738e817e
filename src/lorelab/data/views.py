"""Augmentations that are part of a loss: they add an axis, and change evaluation batches as they change training ones.

Two views of each example for contrastive learning, with what makes views of tables and stronger views of images; and
generated points beside true ones for noise-contrastive estimation. As in ``augment``, everything is computed for the
whole batch with an independent draw per example, from the given generator alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from lorelab.data.augment import Augmentation

_ALL = frozenset({"image", "table", "points"})


class TwoViews:
    """Two independent passes of each example through ``transforms``: ``(B, *shape)`` to ``(B, 2, *shape)``.

    ``keep_original``: the first view is the example itself and only the second is transformed.
    """

    accepts_inputs = _ALL
    in_evaluation = True

    def __init__(self, transforms: Iterable[Augmentation], keep_original: bool = False) -> None:
        self.transforms = tuple(transforms)
        if not self.transforms:
            raise ValueError("TwoViews: found no transforms, expected at least one: equal views teach nothing")
        self.keep_original = keep_original
        for transform in self.transforms:
            self.accepts_inputs &= getattr(transform, "accepts_inputs", frozenset({"image"}))
        if not self.accepts_inputs:
            names = ", ".join(type(transform).__name__ for transform in self.transforms)
            raise ValueError(f"TwoViews: no kind of input suits all of {names}; expected transforms of one kind")

    def __call__(self, inputs: Tensor, generator: Generator) -> Tensor:
        """The views of one example are neighbours along axis 1."""
        first = inputs if self.keep_original else self._view(inputs, generator)
        return torch.stack([first, self._view(inputs, generator)], dim=1)

    def _view(self, inputs: Tensor, generator: Generator) -> Tensor:
        for transform in self.transforms:
            inputs = transform(inputs, generator)
        return inputs


class FeatureCorruption:
    """Replaces each value with probability ``p`` by the same feature's value in a random example of the batch.

    A draw from the feature's marginal distribution, as in SCARF (Bahri et al. 2022, arXiv:2106.15147), whose default
    is 0.6, but from the batch at hand instead of the whole training split. One-hot columns are corrupted one by one.
    """

    accepts_inputs = frozenset({"table", "points"})

    def __init__(self, p: float = 0.6) -> None:
        if not 0 < p <= 1:
            raise ValueError(f"FeatureCorruption: p={p}, expected a probability above 0, at most 1")
        self.p = p

    def __call__(self, inputs: Tensor, generator: Generator) -> Tensor:
        """``(B, F)`` to the same shape."""
        device = inputs.device
        donors = torch.randint(len(inputs), inputs.shape, generator=generator, device=device)
        replaced = torch.rand(inputs.shape, generator=generator, device=device) < self.p
        return torch.where(replaced, inputs.gather(0, donors), inputs)


class RandomResizedCrop:
    """A random square of each image, scaled back to the image's size, bilinear (Szegedy et al. 2015, SimCLR).

    The square covers an area uniform in ``[min_area, 1]`` of the image and lies wholly within it.
    """

    accepts_inputs = frozenset({"image"})

    def __init__(self, min_area: float = 0.3) -> None:
        if not 0 < min_area <= 1:
            raise ValueError(f"RandomResizedCrop: min_area={min_area}, expected a share above 0, at most 1")
        self.min_area = min_area

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        batch = len(images)
        area, x, y = torch.rand((3, batch), generator=generator, device=images.device)
        side = (self.min_area + (1 - self.min_area) * area).sqrt()
        # In units where the image spans [-1, 1], the centre of a square of half side s lies in [-(1 - s), 1 - s].
        theta = torch.zeros((batch, 2, 3), device=images.device)
        theta[:, 0, 0] = theta[:, 1, 1] = side
        theta[:, 0, 2], theta[:, 1, 2] = (2 * x - 1) * (1 - side), (2 * y - 1) * (1 - side)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)


class Jitter:
    """Multiplies each image by a contrast and adds a brightness, both drawn per image, in normalised units.

    Contrast uniform in ``1 ± contrast``, brightness uniform in ``± brightness``; all channels alike.
    """

    accepts_inputs = frozenset({"image"})

    def __init__(self, contrast: float = 0.4, brightness: float = 0.4) -> None:
        if not (0 <= contrast < 1 and brightness >= 0):
            raise ValueError(f"Jitter: contrast={contrast}, brightness={brightness}, expected [0, 1) and at least 0")
        self.contrast, self.brightness = contrast, brightness

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        draws = 2 * torch.rand((2, len(images), 1, 1, 1), generator=generator, device=images.device) - 1
        return images * (1 + self.contrast * draws[0]) + self.brightness * draws[1]


class NoisePoints:
    """Adds ``ratio`` generated points to each true one: ``(B, D)`` to ``(B, 1 + ratio, D)``, the true one first.

    Generated points are drawn from ``N(0, scale² I)``, in the units of the data. ``scale`` should cover the data:
    where noise never falls, nothing is learned.
    """

    accepts_inputs = frozenset({"points"})
    in_evaluation = True

    def __init__(self, ratio: int = 4, scale: float = 2.0) -> None:
        if ratio < 1 or scale <= 0:
            raise ValueError(f"NoisePoints: ratio={ratio}, scale={scale}, expected at least 1 and a positive number")
        self.ratio, self.scale = ratio, scale

    def __call__(self, points: Tensor, generator: Generator) -> Tensor:
        """Fresh noise for every true point."""
        shape = (len(points), self.ratio, *points.shape[1:])
        noise = torch.randn(shape, generator=generator, device=points.device, dtype=points.dtype)
        return torch.cat([points.unsqueeze(1), self.scale * noise], dim=1)
