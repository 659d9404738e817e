"""Generative modelling by contrast: the density is what tells true points from generated ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy

from lorelab.errors import LorelabError
from lorelab.records import Batch, DataSpec
from lorelab.tasks.fields import draw_fields, grid, log_integral
from lorelab.tasks.monitor import Mode, check_monitor
from lorelab.tasks.precision import precise
from lorelab.tasks.protocol import Net, Stage

_CHUNK = 2**14
_CLOSE, _FINEST = 0.02, 2048


class LogDensity(Protocol):
    """The density the points were drawn from."""

    def log_prob(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-density in nats, ``(N, 2)`` to ``(N,)``."""
        ...


class NCE:
    """Noise-contrastive estimation (Gutmann & Hyvärinen 2010) of a density in the plane.

    The net's one output is ``log p(x) / q(x)`` with the generated points' density ``q = N(0, noise_scale² I)``, so
    ``log p = logit + log q``. With ``noise_ratio`` generated points for each true one, the logit of "true" is that
    minus ``log noise_ratio``; the loss is binary cross-entropy. Both values must be those of the augmentation that
    makes the points. ``density``: the true one, to be judged against.

    ``grid_size``: cells per side of the square over which the model is normalised, at least. Raises ``ValueError`` if
    the data are no points in the plane or a value is out of range.
    """

    views: ClassVar[bool] = True
    """Its batches have an axis of views or generated points, which an augmentation makes."""
    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"points"})
    accepts_targets: ClassVar[frozenset[str]] = frozenset({"none"})
    better: ClassVar[dict[str, Mode]] = {
        "loss": "min",
        "accuracy": "max",
        "log_likelihood": "max",
        "kl": "min",
        "log_density_rmse": "min",
    }
    better_at_test: ClassVar[dict[str, Mode]] = {f"{of}_log_likelihood": "max" for of in ("raw", "true", "gaussian")}
    """Also measured; no scores to train by: what a model does not normalise raises the first."""

    def __init__(
        self,
        data: DataSpec,
        density: LogDensity,
        noise_ratio: int,
        noise_scale: float,
        grid_size: int = 256,
        monitor: str = "val/log_likelihood",
        mode: Mode = "max",
    ) -> None:
        if data.input_kind not in self.accepts_inputs or data.input_shape != (2,):
            raise ValueError(
                f"NCE: '{data.name}' holds '{data.input_kind}' inputs of shape {data.input_shape}, expected points of "
                "shape (2,): its likelihood is normalised on a grid"
            )
        if noise_ratio < 1 or not noise_scale > 0 or grid_size < 2:
            raise ValueError(
                f"NCE: noise_ratio={noise_ratio}, noise_scale={noise_scale}, grid_size={grid_size}, expected at least "
                "1, a positive number and at least 2"
            )
        check_monitor("NCE", monitor, mode, self.better)
        self.monitor = monitor
        self.mode: Mode = mode
        self.out_features = 1
        self.density = density
        self.noise_ratio, self.noise_scale, self.grid_size = noise_ratio, noise_scale, grid_size

    def loss(self, net: Net, batch: Batch) -> Tensor:
        """Mean binary cross-entropy in nats over all ``(B, 1 + noise_ratio)`` points, shape ``()``.

        Raises ``LorelabError`` if ``batch.inputs`` is not ``(B, 1 + noise_ratio, 2)`` with the true point first.
        """
        return F.binary_cross_entropy_with_logits(*self._classification(net, batch))

    def evaluate(self, net: Net, batch: Batch, metrics: MetricCollection) -> Tensor:
        """Updates ``metrics`` with the probability of "true" and returns the loss."""
        logits, true = self._classification(net, batch)
        metrics.update(logits.sigmoid().flatten(), true.flatten().int())
        return F.binary_cross_entropy_with_logits(logits, true)

    def predict(self, net: Net, inputs: Tensor) -> Tensor:
        """Log-density in nats as the net has it, not normalised: ``(B, 2)`` to ``(B,)``."""
        square = inputs.square().sum(-1) / self.noise_scale**2
        return _ratio(net, inputs) - 0.5 * square - math.log(2 * math.pi * self.noise_scale**2)

    def metrics(self) -> MetricCollection:
        """Fresh ``accuracy`` in telling true from generated; always saying "generated" gets ``k / (1 + k)``."""
        return MetricCollection({"accuracy": BinaryAccuracy(validate_args=False)})

    def judge(self, net: Net, train: Batch, held: Batch, stage: Stage) -> Mapping[str, float]:
        """In nats per held-out point: ``log_likelihood`` (normalised by the integral over the grid) and
        ``raw_log_likelihood`` (as it is), ``kl`` from the true density to the normalised model and
        ``log_density_rmse`` between the two, estimated on these points.

        At the test also ``log_normaliser`` (0 if the net normalised itself), ``true_log_likelihood`` (what no model
        exceeds but by chance) and the baseline ``gaussian_log_likelihood`` of the Gaussian fitted to ``train``.
        """
        learned = self._log_density(net, held.inputs)
        true = torch.from_numpy(self.density.log_prob(_plain(held.inputs)))
        log_z = self._log_normaliser(net, torch.cat([train.inputs, held.inputs]))
        found = {
            "log_likelihood": float(learned.mean()) - log_z,
            "raw_log_likelihood": float(learned.mean()),
            "kl": float((true - learned).mean()) + log_z,
            "log_density_rmse": float((learned - log_z - true).square().mean().sqrt()),
        }
        if stage == "test":
            found["log_normaliser"] = log_z
            found["true_log_likelihood"] = float(true.mean())
            found["gaussian_log_likelihood"] = gaussian_log_likelihood(train.inputs, held.inputs)
        return found

    def illustrate(self, net: Net, held: Batch, stage: Stage, step: int, folder: Path) -> None:
        """At the test, ``densities.png``: the true and the learned log-density (normalised) side by side."""
        if stage != "test":
            return
        log_z = self._log_normaliser(net, held.inputs)
        frame = 1.15 * float(held.inputs.abs().max())
        places = grid(frame, self.grid_size)
        fields = {
            "true": self.density.log_prob(_plain(places)),
            "learned": self._log_density(net, places.to(held.inputs.device)).numpy() - log_z,
        }
        draw_fields(fields, folder / "densities.png", half_width=frame, points=_plain(held.inputs[:300]))

    def _log_normaliser(self, net: Net, points: Tensor) -> float:
        """Over a square that holds the noise and all ``points``: mass that the model puts on them must count. The cells
        are halved until cells of twice the width tell the same."""
        half = max(5 * self.noise_scale, 1.2 * float(points.abs().max()))
        size = self.grid_size

        def total(cells: int) -> float:
            return log_integral(self._log_density(net, grid(half, cells).to(points.device)), half)

        coarse, fine = total(size // 2), total(size)
        while abs(fine - coarse) > _CLOSE and 2 * size <= _FINEST:
            size *= 2
            coarse, fine = fine, total(size)
        return fine

    def _log_density(self, net: Net, points: Tensor) -> Tensor:
        """``predict`` in pieces, ``(N,)`` float64 on the CPU."""
        return torch.cat([self.predict(net, part).detach().cpu().double() for part in points.split(_CHUNK)])

    def _classification(self, net: Net, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits of "true" and 1 where it is, both ``(B, 1 + noise_ratio)``."""
        points = batch.inputs
        if points.ndim != 3 or points.shape[1] != 1 + self.noise_ratio:
            raise LorelabError(
                f"task=nce: found a batch of shape {tuple(points.shape)}, expected (B, {1 + self.noise_ratio}, 2): "
                f"each true point with {self.noise_ratio} generated ones. Use augment=noise."
            )
        logits = _ratio(net, points.flatten(0, 1)).view(points.shape[:2]) - math.log(self.noise_ratio)
        true = torch.zeros_like(logits)
        true[:, 0] = 1.0
        return logits, true


def gaussian_log_likelihood(train: Tensor, held: Tensor) -> float:
    """Mean log-density in nats, on ``held`` ``(M, D)``, of the Gaussian fitted to ``train`` by maximum likelihood."""
    known = train.detach().cpu().double()
    # `correction=0`: maximum likelihood divides by n, not n - 1.
    fitted = torch.distributions.MultivariateNormal(known.mean(0), torch.cov(known.T, correction=0))
    return float(fitted.log_prob(held.detach().cpu().double()).mean())


def _ratio(net: Net, points: Tensor) -> Tensor:
    """The net's ``log p / q``: ``(N, 2)`` to ``(N,)``."""
    return precise(net(points).squeeze(-1))


def _plain(points: Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = points.detach().cpu().double().numpy()
    return array
