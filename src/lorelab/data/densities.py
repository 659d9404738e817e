"""Two-dimensional densities that are known exactly: what a model learned can be held against the truth.

Each is centred near the origin, some units wide, and works in float64. Points stay in these units: nothing standardises
them, so a model's log-density and the true one are about the same variable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from lorelab.data.splits import DataSplits, Split, limited, provides, record_of
from lorelab.errors import DataError
from lorelab.records import DataSpec

Points = NDArray[np.float64]
_LOG_2PI = math.log(2 * math.pi)
_CHUNK = 2**9  # times 512 kernels: stays in the cache


class Density(Protocol):
    """A normalised density in the plane."""

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """``(n, 2)`` independent points."""
        ...

    def log_prob(self, points: Points) -> Points:
        """Log-density in nats, ``(N, 2)`` to ``(N,)``."""
        ...


class Mixture:
    """Isotropic Gaussians: ``p(x) = Σ wᵢ N(x; meansᵢ, stdsᵢ² I)``.

    ``means`` ``(K, 2)``, ``stds`` ``(K,)``; ``weights`` ``(K,)``, positive, need not sum to 1 (None: equal). Raises
    ``ValueError`` where these do not fit each other.
    """

    def __init__(
        self, means: Sequence[Sequence[float]], stds: Sequence[float], weights: Sequence[float] | None = None
    ) -> None:
        self.means = np.array([[float(value) for value in mean] for mean in means])
        self.stds = np.array([float(std) for std in stds])
        if self.means.ndim != 2 or self.means.shape[1] != 2 or len(self.stds) != len(self.means):
            raise ValueError(
                f"Mixture: means of shape {self.means.shape} with {len(self.stds)} stds, expected (K, 2) with K"
            )
        if min(self.stds) <= 0:
            raise ValueError(f"Mixture: stds={self.stds.tolist()}, expected positive numbers")
        self.weights = _shares("Mixture", weights, len(self.means))

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """Component first, then its Gaussian."""
        which = rng.choice(len(self.weights), size=n, p=self.weights)
        return self.means[which] + self.stds[which, None] * rng.standard_normal((n, 2))

    def log_prob(self, points: Points) -> Points:
        """Exact."""
        squares = np.square(points[:, :1] - self.means[:, 0]) + np.square(points[:, 1:] - self.means[:, 1])
        return _log_sum(np.log(self.weights) - _LOG_2PI - 2 * np.log(self.stds) - squares / (2 * np.square(self.stds)))


class Rings:
    """Concentric rings: uniform angle, radius normal around each ring's and cut off at 0.

    ``p(x) = Σ wᵢ N(r; Rᵢ, width²) / (Φ(Rᵢ / width) 2πr)`` with ``r = |x|``. ``weights`` as in ``Mixture`` (None: in
    proportion to the radius, so all rings are equally dense). Radii are at least 4 widths, which keeps the pole of
    ``1 / r`` at the origin without mass; raises ``ValueError`` otherwise.
    """

    def __init__(self, radii: Sequence[float], width: float, weights: Sequence[float] | None = None) -> None:
        self.radii, self.width = np.array([float(radius) for radius in radii]), float(width)
        if not len(self.radii) or width <= 0 or min(self.radii) < 4 * width:
            raise ValueError(
                f"Rings: radii={self.radii.tolist()}, width={width}, expected one ring or more, a positive width and "
                "every radius at least 4 widths"
            )
        self.weights = _shares("Rings", list(self.radii) if weights is None else weights, len(self.radii))

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """Negative radii (fewer than 1 in 30,000) are drawn again."""
        centres = self.radii[rng.choice(len(self.weights), size=n, p=self.weights)]
        radius = rng.normal(centres, self.width)
        while (bad := radius <= 0).any():
            radius[bad] = rng.normal(centres[bad], self.width)
        angle = rng.uniform(0, 2 * np.pi, n)
        return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def log_prob(self, points: Points) -> Points:
        """Exact; the origin itself counts as 1e-12 away from it."""
        from scipy.special import log_ndtr

        r = np.maximum(np.linalg.norm(points, axis=1), 1e-12)[:, None]
        radial = -0.5 * np.square((r - self.radii) / self.width) - 0.5 * _LOG_2PI - math.log(self.width)
        return _log_sum(np.log(self.weights) + radial - log_ndtr(self.radii / self.width) - _LOG_2PI - np.log(r))


class Moons:
    """Two interleaving half circles (scikit-learn's ``make_moons``, centred, ``scale`` times as large), smoothed by the
    Gaussian kernel ``N(0, noise² I)``.

    With the arcs ``c₀(t) = (cos t, sin t)`` and ``c₁(t) = (1 − cos t, ½ − sin t)``,
    ``p(x) = ½ Σ 1/π ∫₀^π N(x; scale (cᵢ(t) − (½, ¼)), noise² I) dt``, by Gauss–Legendre quadrature with 256 nodes,
    whose relative error is below 1e-9 for the values allowed: ``noise`` at least ``scale / 20``, else ``ValueError``.
    """

    def __init__(self, noise: float, scale: float = 1.0) -> None:
        if not (scale > 0 and noise >= scale / 20):
            raise ValueError(
                f"Moons: noise={noise}, scale={scale}, expected noise at least scale / 20 = {scale / 20:g}"
            )
        self.noise, self.scale = float(noise), float(scale)
        nodes, weights = np.polynomial.legendre.leggauss(256)
        angles = (nodes + 1) * np.pi / 2
        self._kernels = Mixture(
            np.concatenate([self._arc(angles, np.full(len(angles), lower)) for lower in (False, True)]).tolist(),
            [self.noise] * 2 * len(angles),
            np.tile(weights, 2).tolist(),
        )

    def _arc(self, angle: Points, lower: NDArray[np.bool_]) -> Points:
        x = np.where(lower, 1 - np.cos(angle), np.cos(angle))
        y = np.where(lower, 0.5 - np.sin(angle), np.sin(angle))
        return self.scale * np.stack([x - 0.5, y - 0.25], axis=1)

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """A point of an arc, uniform along both, plus the kernel's noise."""
        arc = self._arc(rng.uniform(0, np.pi, n), rng.random(n) < 0.5)
        return arc + self.noise * rng.standard_normal((n, 2))

    def log_prob(self, points: Points) -> Points:
        """The quadrature is itself a mixture of 512 Gaussians."""
        parts = [points[start : start + _CHUNK] for start in range(0, len(points), _CHUNK)]
        return np.concatenate([self._kernels.log_prob(part) for part in parts])


def _shares(who: str, weights: Sequence[float] | None, count: int) -> Points:
    values = np.ones(count) if weights is None else np.array([float(weight) for weight in weights])
    if len(values) != count or min(values) <= 0:
        raise ValueError(f"{who}: weights={values.tolist()}, expected {count} positive numbers")
    return values / values.sum()


def _log_sum(terms: Points) -> Points:
    """``log Σ exp`` over the last axis."""
    highest = terms.max(-1, keepdims=True)
    total: Points = np.log(np.exp(terms - highest).sum(-1)) + highest[..., 0]
    return total


@provides(inputs="points", targets="none", shape=(2,))
def sampled(
    density: Density,
    train: int = 10_000,
    val: int = 2_000,
    test: int = 10_000,
    split_seed: int = 0,
    limit_train: int | None = None,
) -> DataSplits:
    """So many independent points per split, ``(2,)`` each, in the density's own units; targets are zeros.

    ``split_seed`` draws the points. Each split has a stream of its own: its points do not hang on the others' counts.

    Raises:
        DataError: a split without points.
    """
    counts = {"train": train, "val": val, "test": test}
    if min(counts.values()) < 2:
        raise DataError(f"Sampling a density: found {counts} points, expected at least 2 in each split.")
    name = type(density).__name__.lower()
    streams = np.random.default_rng(split_seed).spawn(len(counts))
    points = {split: density.sample(n, rng) for (split, n), rng in zip(counts.items(), streams, strict=True)}
    points["train"] = points["train"][limited(np.arange(train), limit_train, split_seed)]
    spec = DataSpec(name, "points", (2,), "none")
    raw = {split: {"inputs": values} for split, values in points.items()}
    record = record_of(spec, raw, f"sampled from lorelab.data.densities.{type(density).__name__}")
    parts = {s: Split(torch.from_numpy(values).float(), torch.zeros(len(values))) for s, values in points.items()}
    return DataSplits(spec, parts["train"], parts["val"], parts["test"], record)
