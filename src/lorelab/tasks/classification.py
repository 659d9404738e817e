"""Classification: one class per example."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)
from torchmetrics.functional.classification import multiclass_stat_scores

from lorelab.errors import nearest
from lorelab.records import Batch, DataSpec
from lorelab.tasks.likelihood import LOSSES, LossName
from lorelab.tasks.monitor import Mode, check_monitor
from lorelab.tasks.pictures import confusion, draw_confusion
from lorelab.tasks.precision import precise
from lorelab.tasks.protocol import Net

ADVICE = {"real": "use task=regression, or data.target_kind=class if the data set has that key"}
ClassWeights = Literal["balanced"] | Sequence[float] | None


class Classification:
    """Cross-entropy over ``data.num_classes`` logits.

    ``loss``, in training only: another function of the right class's probability (``tasks.likelihood``); evaluation
    always reports cross-entropy. ``label_smoothing`` in [0, 1) as in ``torch.nn.functional.cross_entropy``, in training
    only and of that loss alone; ``calibration_bins``: equal-width confidence bins of the calibration error.
    ``class_weights``, in training only: how much an example of each class counts, one positive number per class in the
    order of ``data.class_names``, or "balanced" for ``N / (C n_c)``, inverse to the class's share of the training split
    (King and Zeng 2001, as in scikit-learn). Raises ``ValueError`` if the data have no classes or a value is out of
    range.
    """

    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"image", "table", "text", "points"})
    accepts_targets: ClassVar[frozenset[str]] = frozenset({"class"})
    better: ClassVar[dict[str, Mode]] = {
        "loss": "min",
        "accuracy": "max",
        "macro_f1": "max",
        "calibration_error": "min",
    }

    def __init__(
        self,
        data: DataSpec,
        label_smoothing: float = 0.0,
        monitor: str = "val/accuracy",
        mode: Mode = "max",
        calibration_bins: int = 15,
        class_weights: ClassWeights = None,
        loss: LossName = "cross_entropy",
    ) -> None:
        if data.target_kind not in self.accepts_targets:
            raise ValueError(
                f"Classification: the targets of '{data.name}' are of kind '{data.target_kind}', expected 'class'; "
                f"{ADVICE.get(data.target_kind, 'use another task or data set')}"
            )
        if data.num_classes < 2:
            raise ValueError(f"Classification: '{data.name}' has num_classes={data.num_classes}, expected at least 2")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"Classification: label_smoothing={label_smoothing}, expected a number in [0, 1)")
        if calibration_bins < 1:
            raise ValueError(f"Classification: calibration_bins={calibration_bins}, expected at least 1")
        if loss not in LOSSES:
            raise ValueError(f"Classification: loss='{loss}' is unknown: {nearest(loss, LOSSES)}")
        if label_smoothing and loss != "cross_entropy":
            raise ValueError(
                f"Classification: label_smoothing={label_smoothing} with loss='{loss}', expected 0: only cross_entropy "
                "has a smoothed form"
            )
        check_monitor("Classification", monitor, mode, self.better)
        self.monitor = monitor
        self.mode: Mode = mode
        self.out_features = data.num_classes
        self.loss_name: LossName = loss
        self.label_smoothing: float | Tensor = label_smoothing
        self.calibration_bins = calibration_bins
        self.class_names = data.class_names or tuple(map(str, range(data.num_classes)))
        self.data_name = data.name
        self.class_weights = _weights(class_weights, data)

    def loss(self, net: Net, batch: Batch) -> Tensor:
        """Mean loss, shape ``()``: cross-entropy in nats, label smoothing included, or another function of the right
        class's probability; with class weights the weighted mean."""
        logits = _logits(net, batch.inputs)
        weight = self.class_weights
        if weight is not None:
            if weight.device != logits.device:  # once: a copy per step would make a GPU wait
                # The type first: a Mac's GPU takes no float64.
                weight = self.class_weights = weight.to(logits.dtype).to(logits.device)
            weight = weight.to(logits.dtype)
        if self.loss_name != "cross_entropy":
            each = LOSSES[self.loss_name](logits, batch.targets)
            return each.mean() if weight is None else each @ weight[batch.targets] / weight[batch.targets].sum()
        smoothing = self.label_smoothing
        if isinstance(smoothing, Tensor):  # one member's of many trained as one; the loss is linear in it
            none, full = (F.cross_entropy(logits, batch.targets, weight, label_smoothing=s) for s in (0.0, 1.0))
            return none.lerp(full, smoothing)
        return F.cross_entropy(logits, batch.targets, weight, label_smoothing=smoothing)

    @property
    def each(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """With neither class weights nor a smoothing that differs."""
        smoothing, own = self.label_smoothing, LOSSES[self.loss_name]
        if self.class_weights is not None or isinstance(smoothing, Tensor):
            return None
        if self.loss_name != "cross_entropy":
            return lambda outputs, targets: own(precise(outputs), targets)
        return lambda outputs, targets: F.cross_entropy(
            precise(outputs), targets, reduction="none", label_smoothing=smoothing
        )

    def evaluate(self, net: Net, batch: Batch, metrics: MetricCollection) -> Tensor:
        """Updates ``metrics`` with probabilities and returns the mean cross-entropy, shape ``()``, without smoothing
        and class weights."""
        logits = _logits(net, batch.inputs)
        # Probabilities, not logits: torchmetrics takes logits that happen to lie within [0, 1] for probabilities.
        metrics.update(logits.softmax(-1), batch.targets)
        return F.cross_entropy(logits, batch.targets)

    def predict(self, net: Net, inputs: Tensor) -> Tensor:
        """Class probabilities ``(B, C)``."""
        return _logits(net, inputs).softmax(-1)

    def metrics(self) -> MetricCollection:
        """Fresh ``accuracy`` (share of all examples), ``macro_f1``, ``calibration_error`` (mean absolute gap between
        confidence and accuracy, Guo et al. 2017, arXiv:1706.04599); and one per class, ``(C,)``: ``precision``,
        ``recall`` and ``f1``.

        All within [0, 1]. A class that does not occur has recall 0, one that is not predicted precision 0, either f1 0;
        one that is neither is left out of ``macro_f1``. Metrics of the same counts share them after the first batch.
        """
        classes = self.out_features
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
                "macro_f1": MulticlassF1Score(classes, average="macro", validate_args=False),
                "calibration_error": MulticlassCalibrationError(
                    classes, n_bins=self.calibration_bins, norm="l1", validate_args=False
                ),
                "precision": MulticlassPrecision(classes, average="none", validate_args=False),
                "recall": MulticlassRecall(classes, average="none", validate_args=False),
                "f1": MulticlassF1Score(classes, average="none", validate_args=False),
            }
        )

    def scores(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """The metrics that are one number, of many nets at once."""
        logits, many = precise(outputs), targets.expand(len(outputs), -1)
        losses = F.cross_entropy(logits.transpose(1, 2), many, reduction="none")
        confidence, predicted = logits.softmax(-1).max(-1)
        counts = multiclass_stat_scores(
            predicted, many, self.out_features, average="none", multidim_average="samplewise", validate_args=False
        )
        hits, false, _, missed, _ = counts.unbind(-1)
        of_class = hits + false + missed
        f1 = 2 * hits / (hits + of_class).clamp(min=1)
        return {
            "loss": losses.mean(1),
            "accuracy": hits.sum(1) / len(targets),
            "calibration_error": calibration_errors(confidence, predicted == many, self.calibration_bins),
            "macro_f1": f1.sum(1) / (of_class > 0).sum(1),
        }

    def predicted(self, net: Net, inputs: Tensor) -> Tensor:
        """The most probable class, ``(B,)``."""
        return self.predict(net, inputs).argmax(-1)

    def plot(self, predicted: Tensor, targets: Tensor, folder: Path) -> None:
        """``confusion_matrix.svg``: which class was taken for which."""
        counts = confusion(targets.cpu().numpy(), predicted.cpu().numpy(), self.out_features)
        right = counts.trace() / counts.sum()
        title = f"{self.data_name}, test: {counts.sum():,} examples, {right:.1%} right"
        draw_confusion(counts, self.class_names, folder / "confusion_matrix.svg", title=title)


def _weights(wanted: ClassWeights, data: DataSpec) -> Tensor | None:
    """Float64 ``(C,)`` on the CPU, or None where every example counts the same."""
    if wanted is None:
        return None
    if isinstance(wanted, str):
        if wanted != "balanced":
            raise ValueError(f"Classification: class_weights='{wanted}', expected null, balanced or a list of numbers")
        if len(data.class_counts) != data.num_classes:
            raise ValueError(
                f"Classification: class_weights=balanced needs the classes' counts, which '{data.name}' does not tell; "
                f"give a list of {data.num_classes} numbers"
            )
        present = [max(1, count) for count in data.class_counts]  # of a class that does not occur, any weight will do
        return torch.tensor([sum(data.class_counts) / (len(present) * count) for count in present], dtype=torch.float64)
    weights = [float(weight) for weight in wanted]
    if len(weights) != data.num_classes:
        raise ValueError(
            f"Classification: class_weights has {len(weights)} numbers, expected {data.num_classes}, one per class: "
            + ", ".join(data.class_names[:20])
        )
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise ValueError(f"Classification: class_weights={weights}, expected positive numbers")
    return torch.tensor(weights, dtype=torch.float64)


def calibration_errors(confidence: Tensor, right: Tensor, bins: int) -> Tensor:
    """``MulticlassCalibrationError`` (l1) of many nets at once: ``(M,)`` from ``(M, N)``."""
    place = torch.bucketize(confidence, torch.linspace(0, 1, bins + 1, device=confidence.device), right=True) - 1
    gaps = torch.zeros(len(confidence), bins + 1, device=confidence.device, dtype=confidence.dtype)
    return gaps.scatter_add_(1, place, right.to(confidence.dtype) - confidence).abs().sum(1) / confidence.shape[1]


def _logits(net: Net, inputs: Tensor) -> Tensor:
    return precise(net(inputs))
