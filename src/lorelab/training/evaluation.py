"""What one pass over a split measures: the task's metrics, and its loss as a mean over examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from lorelab.records import Batch
from lorelab.tasks.protocol import Net, Stage, Task


class Evaluation:
    """Of one task, pass after pass. ``class_names``: of what vector-valued metrics have one value for each."""

    def __init__(self, task: Task, class_names: Sequence[str]) -> None:
        self.task, self.class_names = task, tuple(class_names)
        self._whole: MetricCollection | None = None
        self._now: Any = None
        self._device: torch.device | None = None
        self._losses: list[tuple[Tensor, int]] = []

    def begin(self, stage: Stage, device: torch.device) -> None:
        """Fresh metrics on ``device``."""
        if self._whole is None or self._device != device:  # to move them costs more than to reset
            self._whole, self._device = self.task.metrics().to(device), device
            self._now = self._whole
        if stage == "test":
            self._now = self._whole
        self._now.reset()
        self._losses = []

    def add(self, net: Net, batch: Batch) -> None:
        """One batch."""
        self._losses.append((self.task.evaluate(net, batch, self._now), len(batch.inputs)))

    def result(self, stage: Stage) -> tuple[dict[str, float], dict[str, float]]:
        """Scalar metrics, the loss among them, and, apart, vector-valued ones by class name: ``val/loss``,
        ``val/recall/cat``. Passes over "val" leave the latter out from the second on: nobody reads them before the
        test."""
        losses = torch.stack([loss.detach() for loss, _ in self._losses]).cpu().double()  # not every device has float64
        sizes = torch.tensor([size for _, size in self._losses], dtype=torch.float64)
        scalars, per_class = {f"{stage}/loss": float(losses @ sizes / sizes.sum())}, dict[str, float]()
        for name, value in self._now.compute().items():
            if value.numel() == 1:
                scalars[f"{stage}/{name}"] = float(value)
                continue
            labels = self.class_names or tuple(map(str, range(len(value))))
            per_class |= {f"{stage}/{name}/{label}": float(v) for label, v in zip(labels, value, strict=True)}
        if per_class and stage == "val":
            self._now = MetricCollection({name: of for name, of in self._now.items() if f"val/{name}" in scalars})
        return scalars, per_class
