"""What one pass over a split measures: the task's metrics, and its loss as a mean over examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from lorelab.records import Batch
from lorelab.tasks.protocol import Net, Stage, Task


class Evaluation:
    """Of one task, pass after pass. ``class_names``: of what vector-valued metrics have one value for each."""

    def __init__(self, task: Task, class_names: Sequence[str]) -> None:
        self.task, self.class_names = task, tuple(class_names)
        self._metrics: MetricCollection | None = None
        self._device: torch.device | None = None
        self._losses: list[tuple[Tensor, int]] = []
        self._taken: Mapping[str, float] | None = None

    def begin(self, device: torch.device) -> None:
        """Fresh metrics on ``device``."""
        if self._metrics is None or self._device != device:  # to move them costs more than to reset
            self._metrics, self._device = self.task.metrics().to(device), device
        self._metrics.reset()
        self._losses, self._taken = [], None

    def add(self, net: Net, batch: Batch) -> None:
        """One batch."""
        assert self._metrics is not None
        self._losses.append((self.task.evaluate(net, batch, self._metrics), len(batch.inputs)))

    def take(self, found: Mapping[str, float]) -> None:
        """Instead of a pass: what was found of this net and others at once."""
        self._taken = found

    def result(self, stage: Stage) -> tuple[dict[str, float], dict[str, float]]:
        """Scalar metrics, the loss among them, and, apart, vector-valued ones by class name: ``val/loss``,
        ``val/recall/cat``."""
        if (taken := self._taken) is not None:
            self._taken = None
            return {f"{stage}/{name}": value for name, value in taken.items()}, {}
        assert self._metrics is not None
        losses = torch.stack([loss.detach() for loss, _ in self._losses]).cpu().double()  # not every device has float64
        sizes = torch.tensor([size for _, size in self._losses], dtype=torch.float64)
        scalars, per_class = {f"{stage}/loss": float(losses @ sizes / sizes.sum())}, dict[str, float]()
        for name, value in self._metrics.compute().items():
            if value.numel() == 1:
                scalars[f"{stage}/{name}"] = float(value)
                continue
            labels = self.class_names or tuple(map(str, range(len(value))))
            per_class |= {f"{stage}/{name}/{label}": float(v) for label, v in zip(labels, value, strict=True)}
        return scalars, per_class
