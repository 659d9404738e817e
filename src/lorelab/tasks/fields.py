"""Log-densities in the plane, on a grid: their normalising constant and their picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def grid(half_width: float, size: int) -> Tensor:
    """Centres of ``size`` × ``size`` equal cells of the square ``±half_width``: ``(size², 2)`` float32, row by row
    from the lowest y."""
    step = 2 * half_width / size
    centres = -half_width + step * (torch.arange(size, dtype=torch.float64) + 0.5)
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1).float()


def log_integral(log_density: Tensor, half_width: float) -> float:
    """Log of the integral over the square by the midpoint rule, from the values ``(size²,)`` at ``grid``'s points."""
    area = (2 * half_width) ** 2 / len(log_density)
    return float(log_density.double().logsumexp(0)) + float(np.log(area))


def draw_fields(
    fields: Mapping[str, NDArray[np.float64]], path: Path, *, half_width: float, points: NDArray[np.float64]
) -> None:
    """Writes a PNG: one panel per log-density ``(size²,)`` at ``grid``'s points, side by side on one colour scale.

    The scale spans the 10 nats below the first field's maximum; lower values have its darkest colour. ``points``
    ``(N, 2)`` are dotted onto the first panel.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.0 + 4.2 * len(fields), 4.3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(fields), squeeze=False, sharex=True, sharey=True)[0]
    highest = float(next(iter(fields.values())).max())
    frame = (-half_width, half_width, -half_width, half_width)
    for axis, (name, field) in zip(axes, fields.items(), strict=True):
        size = round(len(field) ** 0.5)
        image = axis.imshow(
            field.reshape(size, size), origin="lower", extent=frame, vmin=highest - 10, vmax=highest, cmap="viridis"
        )
        axis.set(title=name, xlabel="x₁", xlim=frame[:2], ylim=frame[2:])
    axes[0].set_ylabel("x₂")
    axes[0].plot(points[:, 0], points[:, 1], "w.", markersize=1, alpha=0.5)
    figure.colorbar(image, ax=list(axes), label="log-density (nats)", extend="both")
    figure.savefig(path, dpi=110, bbox_inches="tight")
