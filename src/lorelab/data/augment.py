"""Augmentations of whole batches of images, each example with its own draw.

All take ``(B, C, H, W)`` normalised images and a generator on the same device, and return a new tensor of the same
shape and type. What is drawn depends on the generator alone. Blanks are 0: after normalisation, the channel's mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Generator, Tensor

Augmentation = Callable[[Tensor, Generator], Tensor]
_IMAGES = frozenset({"image"})


class RandomCrop:
    """Shifts each image by up to ``padding`` pixels in both directions (a crop of the zero-padded image)."""

    accepts_inputs = _IMAGES

    def __init__(self, padding: int = 4) -> None:
        if padding < 1:
            raise ValueError(f"padding is {padding}; expected at least 1 pixel")
        self.padding = padding

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Every one of the ``(2 padding + 1)²`` shifts is as likely as any other."""
        batch, _, height, width = images.shape
        shifts = 2 * self.padding + 1
        y, x = torch.randint(shifts, (2, batch), generator=generator, device=images.device)
        padded = torch.nn.functional.pad(images, (self.padding,) * 4)
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, shifts, shifts, H, W), a view
        return windows[torch.arange(batch, device=images.device), :, y, x]


class HorizontalFlip:
    """Mirrors each image left to right with probability ``p``."""

    accepts_inputs = _IMAGES

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p is {p}; expected a probability from 0 to 1")
        self.p = p

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """One coin per image."""
        flipped = torch.rand(len(images), generator=generator, device=images.device) < self.p
        return torch.where(flipped.view(-1, 1, 1, 1), images.flip(-1), images)


class Cutout:
    """Blanks one square of ``size`` × ``size`` pixels per image (DeVries and Taylor 2017).

    As in the paper, the square's centre is uniform over the image, so part of the square may fall outside.
    """

    accepts_inputs = _IMAGES

    def __init__(self, size: int = 8) -> None:
        if size < 1:
            raise ValueError(f"size is {size}; expected at least 1 pixel")
        self.size = size

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """All channels of a pixel are blanked together."""
        batch, _, height, width = images.shape
        rows = self._covered(batch, height, generator)
        columns = self._covered(batch, width, generator)
        return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)

    def _covered(self, batch: int, length: int, generator: Generator) -> Tensor:
        """Which of ``length`` positions lie in each example's interval: ``(B, length)`` bool."""
        device = generator.device
        start = torch.randint(length, (batch, 1), generator=generator, device=device) - self.size // 2
        position = torch.arange(length, device=device)
        return (position >= start) & (position < start + self.size)


class Compose:
    """One augmentation after another, all drawing from the same generator."""

    accepts_inputs = _IMAGES

    def __init__(self, transforms: Iterable[Augmentation]) -> None:
        self.transforms = tuple(transforms)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """In the order given."""
        for transform in self.transforms:
            images = transform(images, generator)
        return images
