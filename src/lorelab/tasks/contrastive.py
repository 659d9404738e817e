"""Contrastive learning: a representation in which two views of one example lie close together."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric, MetricCollection

from lorelab.errors import LorelabError
from lorelab.records import Batch, DataSpec
from lorelab.tasks.monitor import Mode, check_monitor
from lorelab.tasks.precision import precise
from lorelab.tasks.probes import calibrated, extract, knn_accuracy, probe_accuracy
from lorelab.tasks.protocol import Net, Stage


class Contrastive:
    """InfoNCE in SimCLR's form, NT-Xent (Chen et al. 2020, arXiv:2002.05709), on two views of each example.

    It is cross-entropy: for each of the 2B views a classification among the 2B − 1 others, by cosine similarity of the
    projections over ``temperature``, with its partner as the label. The net's head is the projection, of
    ``projection_features`` outputs; the representation is what the head sees.

    Labels are used by the probes alone: ``k`` nearest neighbours and, at the test, logistic regression with L2
    penalty ``probe_l2``, fitted on at most ``probe_examples`` training examples. Raises ``ValueError`` if the data have
    no classes or a value is out of range.
    """

    views: ClassVar[bool] = True
    """Its batches have an axis of views or generated points, which an augmentation makes."""
    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"image", "table"})
    accepts_targets: ClassVar[frozenset[str]] = frozenset({"class"})
    better: ClassVar[dict[str, Mode]] = {"loss": "min", "pair_accuracy": "max", "knn_accuracy": "max"}
    better_at_test: ClassVar[dict[str, Mode]] = {
        f"{of}{probe}": "max" for of in ("", "raw_", "random_") for probe in ("knn_accuracy", "probe_accuracy")
    }
    """Measured at the test only."""

    def __init__(
        self,
        data: DataSpec,
        temperature: float = 0.2,
        projection_features: int = 64,
        k: int = 20,
        probe_l2: float = 0.01,
        probe_examples: int = 10_000,
        monitor: str = "val/knn_accuracy",
        mode: Mode = "max",
    ) -> None:
        if data.target_kind not in self.accepts_targets:
            raise ValueError(
                f"Contrastive: the targets of '{data.name}' are of kind '{data.target_kind}', expected 'class' (for "
                "the probes that judge the representation); use another task or data set"
            )
        if not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(f"Contrastive: temperature={temperature}, expected a positive number such as 0.2")
        if min(projection_features, k, probe_examples) < 1 or not probe_l2 > 0:
            raise ValueError(
                f"Contrastive: projection_features={projection_features}, k={k}, probe_examples={probe_examples}, "
                f"probe_l2={probe_l2}, expected positive numbers"
            )
        check_monitor("Contrastive", monitor, mode, self.better)
        self.monitor = monitor
        self.mode: Mode = mode
        self.out_features = projection_features
        self.temperature = temperature
        self.k, self.probe_l2, self.probe_examples = k, probe_l2, probe_examples
        self._dims = len(data.input_shape) + 2
        self._initial: nn.Module | None = None

    def begin(self, net: nn.Module) -> None:
        """Keeps the untrained net, for the ``random_...`` baselines of the test."""
        self._initial = copy.deepcopy(net)

    def loss(self, net: Net, batch: Batch) -> Tensor:
        """Mean cross-entropy in nats over all views of ``batch.inputs`` ``(B, 2, *shape)``, shape ``()``.

        Chance is ``log(2B − 1)``: only losses at one batch size can be compared. Raises ``LorelabError`` if the inputs
        are no pairs of views.
        """
        return F.cross_entropy(*self._classification(net, batch))

    def evaluate(self, net: Net, batch: Batch, metrics: MetricCollection) -> Tensor:
        """Updates ``metrics`` and returns the loss, on the views the data module made of the evaluation batch."""
        scores, partners = self._classification(net, batch)
        metrics.update((scores.argmax(-1) == partners).float())
        return F.cross_entropy(scores, partners)

    def predict(self, net: Net, inputs: Tensor) -> Tensor:
        """The representation ``(B, F)`` of plain inputs ``(B, *shape)``."""
        return net.features(inputs)

    def metrics(self) -> MetricCollection:
        """Fresh ``pair_accuracy``: share of views whose most similar other view is their partner, in [0, 1]."""
        return MetricCollection({"pair_accuracy": MeanMetric()})

    def judge(self, net: Net, train: Batch, held: Batch, stage: Stage) -> Mapping[str, float]:
        """``knn_accuracy`` of the frozen representation; at the test ``probe_accuracy``, too, and both as ``raw_...``
        (on the inputs themselves) and ``random_...`` (on the same backbone as it was before its first step)."""
        rows = _subset(len(train.inputs), self.probe_examples).to(train.inputs.device)
        fitted = Batch(train.inputs[rows], train.targets[rows])
        if stage == "val":
            return {"knn_accuracy": self._knn(extract(net, fitted.inputs), fitted, extract(net, held.inputs), held)}
        pairs = {
            "": (extract(net, fitted.inputs), extract(net, held.inputs)),
            "raw_": (fitted.inputs.flatten(1), held.inputs.flatten(1)),
        }
        if self._initial is not None:
            start = calibrated(self._initial, fitted.inputs)
            pairs["random_"] = (extract(start, fitted.inputs), extract(start, held.inputs))
        found: dict[str, float] = {}
        for name, (known, asked) in pairs.items():
            found[f"{name}knn_accuracy"] = self._knn(known, fitted, asked, held)
            found[f"{name}probe_accuracy"] = probe_accuracy(known, fitted.targets, asked, held.targets, self.probe_l2)
        return found

    def _knn(self, known: Tensor, fitted: Batch, asked: Tensor, held: Batch) -> float:
        return knn_accuracy(known, fitted.targets, asked, held.targets, self.k)

    def _classification(self, net: Net, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores ``(2B, 2B)``, minus infinity for a view with itself, and each view's partner ``(2B,)``."""
        views = batch.inputs
        if views.ndim != self._dims or views.shape[1] != 2:
            raise LorelabError(
                f"task=contrastive: found a batch of shape {tuple(views.shape)}, expected two views of each example, "
                "(B, 2, ...). Use augment=two_views for images, augment=two_views_table for tables."
            )
        projections = net(views.flatten(0, 1))
        projections = F.normalize(precise(projections), dim=-1)
        own = torch.eye(len(projections), dtype=torch.bool, device=views.device)
        with torch.autocast(views.device.type, enabled=False):  # which would round similarities to three digits
            scores = (projections @ projections.T / self.temperature).masked_fill(own, -torch.inf)
        # Views of an example are neighbours: 0 with 1, 2 with 3, ...
        return scores, torch.arange(len(projections), device=views.device) ^ 1


def _subset(size: int, limit: int) -> Tensor:
    """At most ``limit`` of ``size`` rows, always the same ones."""
    if size <= limit:
        return torch.arange(size)
    return torch.randperm(size, generator=torch.Generator().manual_seed(0))[:limit].sort().values
