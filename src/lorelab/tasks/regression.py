"""Regression: one real value per example."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection
from torchmetrics.functional.regression import mean_absolute_error, mean_squared_error, r2_score
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError, R2Score

from lorelab.errors import nearest
from lorelab.records import Batch, DataSpec
from lorelab.tasks.monitor import Mode, check_monitor
from lorelab.tasks.pictures import draw_predicted_against_true
from lorelab.tasks.precision import precise
from lorelab.tasks.protocol import Net, Stage

ADVICE = {"class": "use task=classification, or data.target_kind=real if the data set has that key"}
LossName = Literal["mse", "mae", "huber"]


class Regression:
    """Squared, absolute or Huber error on standardised targets; metrics and predictions in the target's own units.

    ``huber_delta``: where Huber's loss turns from quadratic to linear, in standardised units. Raises
    ``ValueError`` if the targets are not real values, their spread is unusable, or a value is out of range.
    """

    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"image", "table", "text", "points"})
    accepts_targets: ClassVar[frozenset[str]] = frozenset({"real"})
    better: ClassVar[dict[str, Mode]] = {"loss": "min", "rmse": "min", "mae": "min", "r2": "max"}
    better_at_test: ClassVar[dict[str, Mode]] = {
        f"{of}_{error}": "min" for of in ("mean", "ridge") for error in ("rmse", "mae")
    }
    """Of the baselines, at the test only."""

    def __init__(
        self,
        data: DataSpec,
        loss: LossName = "mse",
        huber_delta: float = 1.0,
        monitor: str = "val/rmse",
        mode: Mode = "min",
    ) -> None:
        if data.target_kind not in self.accepts_targets:
            raise ValueError(
                f"Regression: the targets of '{data.name}' are of kind '{data.target_kind}', expected 'real'; "
                f"{ADVICE.get(data.target_kind, 'use another task or data set')}"
            )
        if not (math.isfinite(data.target_mean) and math.isfinite(data.target_std) and data.target_std > 0):
            raise ValueError(
                f"Regression: '{data.name}' has target_mean={data.target_mean}, target_std={data.target_std}, "
                "expected finite numbers and a positive spread: is the target constant?"
            )
        if loss not in get_args(LossName):
            raise ValueError(f"Regression: loss='{loss}' is unknown: {nearest(loss, get_args(LossName))}")
        if not (math.isfinite(huber_delta) and huber_delta > 0):
            raise ValueError(f"Regression: huber_delta={huber_delta}, expected a positive number")
        check_monitor("Regression", monitor, mode, self.better)
        self.monitor = monitor
        self.mode: Mode = mode
        self.out_features = 1
        self.loss_name = loss
        self.huber_delta: float | Tensor = huber_delta
        self.target_mean = data.target_mean
        self.target_std = data.target_std
        self.data_name = data.name
        self.quantity = f"{data.target_name} ({data.target_unit})" if data.target_unit else data.target_name

    def loss(self, net: Net, batch: Batch) -> Tensor:
        """Mean error over the batch in standardised units, shape ``()``."""
        return self._error(_values(net, batch.inputs), batch.targets)

    @property
    def each(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """With a Huber threshold that does not differ."""
        if isinstance(self.huber_delta, Tensor):
            return None
        return lambda outputs, targets: self._error(precise(outputs.squeeze(-1)), targets, reduction="none")

    def evaluate(self, net: Net, batch: Batch, metrics: MetricCollection) -> Tensor:
        """Updates ``metrics`` in the target's own units; returns the mean loss in standardised ones, shape ``()``."""
        values = _values(net, batch.inputs)
        # No metric here depends on the mean, and without it float32 sums of squares lose nothing (think of years).
        metrics.update(values * self.target_std, batch.targets.to(values.dtype) * self.target_std)
        return self._error(values, batch.targets)

    def predict(self, net: Net, inputs: Tensor) -> Tensor:
        """Values in the target's own units, ``(B,)``."""
        return _values(net, inputs) * self.target_std + self.target_mean

    def metrics(self) -> MetricCollection:
        """Fresh ``rmse`` and ``mae`` (own units) and ``r2`` (at most 1; always predicting the mean gets 0).

        ``r2`` needs two examples or more.
        """
        return MetricCollection({"rmse": MeanSquaredError(squared=False), "mae": MeanAbsoluteError(), "r2": R2Score()})

    def scores(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """The metrics of many nets at once."""
        values = precise(outputs.squeeze(-1)).T
        truths = targets.to(values.dtype).unsqueeze(1).expand_as(values).contiguous()
        many, own, true = values.shape[1], values * self.target_std, truths * self.target_std
        return {
            "loss": self._error(values, truths, reduction="none").mean(0),
            "mae": mean_absolute_error(own, true, num_outputs=many).view(many),
            "r2": r2_score(own, true, multioutput="raw_values").view(many),
            "rmse": mean_squared_error(own, true, squared=False, num_outputs=many).view(many),
        }

    def judge(self, net: Net, train: Batch, held: Batch, stage: Stage) -> Mapping[str, float]:
        """At the test, what baselines fitted to ``train`` score on ``held``, in the target's own units: ``mean_...``
        (always the training mean) and, unless the inputs are tokens, ``ridge_...`` (ridge regression, its penalty by
        leave-one-out among 13 from 10⁻³ to 10³, for standardised inputs)."""
        if stage != "test" or not len(held.targets):
            return {}
        predicted = {"mean": train.targets.double().mean().expand(len(held.targets))}
        if held.inputs.is_floating_point():
            predicted["ridge"] = _ridge(train, held.inputs)
        found: dict[str, float] = {}
        for name, values in predicted.items():
            errors = (values.cpu() - held.targets.cpu().double()) * self.target_std
            found |= {f"{name}_rmse": float(errors.square().mean().sqrt()), f"{name}_mae": float(errors.abs().mean())}
        return found

    def predicted(self, net: Net, inputs: Tensor) -> Tensor:
        """Values in the target's own units, ``(B,)``."""
        return self.predict(net, inputs)

    def plot(self, predicted: Tensor, targets: Tensor, folder: Path) -> None:
        """``predicted_vs_true.svg``: predictions against targets, in the target's own units."""
        true = targets.cpu().double().numpy() * self.target_std + self.target_mean
        path, title = folder / "predicted_vs_true.svg", f"{self.data_name}, test: {len(true):,} examples"
        draw_predicted_against_true(true, predicted.cpu().double().numpy(), path, title=title, quantity=self.quantity)

    def _error(self, values: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        targets = targets.to(values.dtype)
        if self.loss_name == "mae":
            return F.l1_loss(values, targets, reduction=reduction)
        if self.loss_name == "huber":
            delta = self.huber_delta
            if isinstance(delta, Tensor):  # one member's of many trained as one
                return delta**2 * F.huber_loss(values / delta, targets / delta)
            return F.huber_loss(values, targets, reduction=reduction, delta=delta)
        return F.mse_loss(values, targets, reduction=reduction)


def _ridge(train: Batch, asked: Tensor) -> Tensor:
    """Predictions ``(M,)`` for ``asked`` ``(M, ...)``."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 3, 13)))
    model.fit(train.inputs.flatten(1).cpu().double().numpy(), train.targets.cpu().double().numpy())
    return torch.from_numpy(model.predict(asked.flatten(1).cpu().double().numpy()))


def _values(net: Net, inputs: Tensor) -> Tensor:
    return precise(net(inputs).squeeze(-1))
