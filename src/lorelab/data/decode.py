"""Reads image files of any size and mode into one array."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lorelab.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"])
Fit = Literal["crop", "stretch", "pad"]
Channels = Literal["auto", 1, 3]
_GREY = frozenset({"1", "L", "LA", "I;16", "I;16L", "I;16B", "I"})


def decode_all(paths: Sequence[Path], size: int, channels: Channels, fit: Fit) -> np.ndarray:
    """Images ``(N, C, size, size)`` uint8 in the order of ``paths``; ``C`` is 1 for "auto" if every file is grey.

    Each is turned upright by its EXIF tag, laid on white where it is transparent, and brought to a square by cropping
    the centre, stretching, or padding with black. 16-bit grey keeps its upper 8 bits; of an animation, the first frame.

    Raises:
        DataError: naming every file that cannot be read, with the reason.
    """
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = list(pool.map(lambda path: _decode(path, size, channels, fit), paths))
    bad = [(path, reason) for path, reason in zip(paths, found, strict=True) if isinstance(reason, str)]
    if bad:
        lines = [f"  {path}: {reason}" for path, reason in bad]
        raise DataError(
            "\n".join(
                [
                    f"{len(bad)} of {len(paths)} image files cannot be read:",
                    *lines,
                    "Expected images that Pillow opens; mend or remove these files.",
                ]
            )
        )
    images = [image for image in found if not isinstance(image, str)]
    depth = channels if channels != "auto" else max(image.shape[0] for image in images)
    out = np.empty((len(images), depth, size, size), dtype=np.uint8)
    for index, image in enumerate(images):
        out[index] = image  # a grey image spreads over three channels
    return out


def _decode(path: Path, size: int, channels: Channels, fit: Fit) -> np.ndarray | str:
    """``(1 or 3, size, size)`` uint8, or why not."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            file.draft(None, (size, size))  # a large JPEG is decoded at a fraction of its size, never below `size`
            upright = ImageOps.exif_transpose(file)
            plain = _eight_bits(upright)
        if channels == 3 or (channels == "auto" and plain.mode != "L"):
            plain = plain.convert("RGB")
        else:
            plain = plain.convert("L")
        pixels = np.asarray(_square(plain, size, fit))
    except Exception as error:  # Pillow's plug-ins raise of every kind on damaged files
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _eight_bits(image: Image) -> Image:
    """Mode "L" for grey images, else "RGB"."""
    from PIL import Image as Images

    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose range is not known; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return Images.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    target = "L" if image.mode in _GREY else "RGB"
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Images.new("RGBA", rgba.size, "white")
        return Images.alpha_composite(white, rgba).convert(target)
    return image.convert(target)


def _square(image: Image, size: int, fit: Fit) -> Image:
    from PIL import Image as Images
    from PIL import ImageOps

    if image.size == (size, size):
        return image
    smooth = Images.Resampling.BILINEAR  # Pillow's averages over all pixels it leaves out
    if fit == "crop":
        return ImageOps.fit(image, (size, size), smooth)
    if fit == "pad":
        return ImageOps.pad(image, (size, size), smooth)
    return image.resize((size, size), smooth)
