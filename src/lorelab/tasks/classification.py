"""Classification: one class per example."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassF1Score,
    MulticlassRecall,
)

from lorelab.records import Batch, DataSpec
from lorelab.tasks.monitor import Mode, check_monitor
from lorelab.tasks.protocol import Net


class Classification:
    """Cross-entropy over ``data.num_classes`` logits.

    ``label_smoothing`` in [0, 1) as in ``torch.nn.functional.cross_entropy``, in training only;
    ``calibration_bins``: equal-width confidence bins of the calibration error. Raises ``ValueError`` if the data
    have no classes or a value is out of range.
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
    ) -> None:
        if data.target_kind not in self.accepts_targets:
            raise ValueError(
                f"Classification: the targets of '{data.name}' are of kind '{data.target_kind}', expected 'class'; "
                "use another task or data set"
            )
        if data.num_classes < 2:
            raise ValueError(f"Classification: '{data.name}' has num_classes={data.num_classes}, expected at least 2")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"Classification: label_smoothing={label_smoothing}, expected a number in [0, 1)")
        if calibration_bins < 1:
            raise ValueError(f"Classification: calibration_bins={calibration_bins}, expected at least 1")
        check_monitor("Classification", monitor, mode, self.better)
        self.monitor = monitor
        self.mode: Mode = mode
        self.out_features = data.num_classes
        self.label_smoothing = label_smoothing
        self.calibration_bins = calibration_bins

    def loss(self, net: Net, batch: Batch) -> Tensor:
        """Mean cross-entropy in nats, label smoothing included, shape ``()``."""
        return F.cross_entropy(_logits(net, batch.inputs), batch.targets, label_smoothing=self.label_smoothing)

    def evaluate(self, net: Net, batch: Batch, metrics: MetricCollection) -> Tensor:
        """Updates ``metrics`` with probabilities and returns the mean cross-entropy without smoothing, shape ``()``."""
        logits = _logits(net, batch.inputs)
        # Probabilities, not logits: torchmetrics takes logits that happen to lie within [0, 1] for probabilities.
        metrics.update(logits.softmax(-1), batch.targets)
        return F.cross_entropy(logits, batch.targets)

    def predict(self, net: Net, inputs: Tensor) -> Tensor:
        """Class probabilities ``(B, C)``."""
        return _logits(net, inputs).softmax(-1)

    def metrics(self) -> MetricCollection:
        """Fresh ``accuracy`` (share of all examples), ``macro_f1``, ``calibration_error`` (mean absolute gap between
        confidence and accuracy, Guo et al. 2017, arXiv:1706.04599) and ``recall``, ``(C,)``, one per class.

        All within [0, 1]. A class that does not occur has recall 0 and is left out of ``macro_f1`` unless predicted.
        """
        classes = self.out_features
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
                "macro_f1": MulticlassF1Score(classes, average="macro", validate_args=False),
                "calibration_error": MulticlassCalibrationError(
                    classes, n_bins=self.calibration_bins, norm="l1", validate_args=False
                ),
                "recall": MulticlassRecall(classes, average="none", validate_args=False),
            }
        )


def _logits(net: Net, inputs: Tensor) -> Tensor:
    logits = net(inputs)
    # Half-precision logits are too coarse for a softmax; float64 stays what it is.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
