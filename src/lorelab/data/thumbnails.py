"""A sheet of small pictures: what the images of each class look like to the net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from lorelab.data.splits import DataSplits
from lorelab.errors import DataError

PER_CLASS = 12
_MOST_CLASSES = 25
_GAP = 1


def thumbnails(splits: DataSplits, path: Path) -> None:
    """Writes a PNG to ``path``: one row per class (25 at most) with its first 12 training images as they are held,
    after cropping and resizing; float images are stretched from the least to the greatest value shown.

    Raises:
        DataError: the inputs are not images of 1 or 3 channels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    spec = splits.spec
    if not is_picturable(splits):
        raise DataError(
            f"{spec.name}: found inputs of kind '{spec.input_kind}' {spec.input_shape}; thumbnails need images "
            "of 1 or 3 channels."
        )
    names = spec.class_names[:_MOST_CLASSES] or (spec.name,)
    sheet = _sheet(splits, len(names))
    height, width = spec.input_shape[1] + _GAP, spec.input_shape[2] + _GAP
    size = 0.55
    figure = Figure(
        figsize=(1.7 + size * PER_CLASS, 0.5 + size * len(names) * height / width), layout="constrained", facecolor="w"
    )
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.imshow(
        sheet[..., 0] if sheet.shape[-1] == 1 else sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest"
    )
    axis.set_yticks([(row + 0.5) * height - 1 for row in range(len(names))], [_short(name) for name in names])
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    more = f", {len(spec.class_names) - len(names)} more classes" if len(spec.class_names) > len(names) else ""
    axis.set_title(f"{spec.name}: training images{more}", fontsize=10)
    figure.savefig(path, dpi=110)


def is_picturable(splits: DataSplits) -> bool:
    """Whether ``thumbnails`` can draw the inputs."""
    spec = splits.spec
    return spec.input_kind == "image" and spec.input_shape[0] in (1, 3) and len(splits.train) > 0


def _sheet(splits: DataSplits, rows: int) -> np.ndarray:
    """``(rows * (H + 1), PER_CLASS * (W + 1), C)`` uint8; white where there is nothing."""
    channels, height, width = splits.spec.input_shape
    train = splits.train
    sheet = np.full((rows, height + _GAP, PER_CLASS, width + _GAP, channels), 255, dtype=np.uint8)
    for row in range(rows):
        of_class = train.targets == row if splits.spec.class_names else torch.ones(len(train), dtype=torch.bool)
        chosen = train.inputs[of_class.nonzero()[:PER_CLASS, 0]]
        for column, image in enumerate(_bytes(chosen).permute(0, 2, 3, 1).numpy()):
            sheet[row, :height, column, :width] = image
    return sheet.reshape(rows * (height + _GAP), PER_CLASS * (width + _GAP), channels)


def _bytes(images: torch.Tensor) -> torch.Tensor:
    if images.dtype == torch.uint8 or not len(images):
        return images
    low, high = images.min(), images.max()
    return ((images - low) / (high - low).clamp_min(1e-12) * 255).round().to(torch.uint8)


def _short(name: str, most: int = 18) -> str:
    name = name.replace("$", r"\$")  # matplotlib would read a formula
    return name if len(name) <= most else f"{name[: most - 1]}…"
