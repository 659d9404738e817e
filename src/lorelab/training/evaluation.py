"""What one pass over a split measures: the task's metrics, and its loss as a mean over examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from lorelab.records import Batch
from lorelab.tasks.protocol import Net, Plotter, Stage, Task


class Evaluation:
    """Of one task, pass after pass. ``class_names``: of what vector-valued metrics have one value for each."""

    def __init__(self, task: Task, class_names: Sequence[str]) -> None:
        self.task, self.class_names = task, tuple(class_names)
        self._metrics: MetricCollection | None = None
        self._device: torch.device | None = None
        self._losses: list[tuple[Tensor, int]] = []
        self._taken: Mapping[str, float] | None = None
        self._plotter: Plotter | None = None
        self._predicted: list[tuple[Tensor, Tensor]] = []

    def begin(self, device: torch.device, plotter: Plotter | None = None) -> None:
        """Fresh metrics on ``device``. ``plotter``: the task, if its picture of the pass is wanted."""
        if self._metrics is None or self._device != device:  # to move them costs more than to reset
            self._metrics, self._device = self.task.metrics().to(device), device
        self._metrics.reset()
        self._losses, self._taken = [], None
        self._plotter, self._predicted = plotter, []

    def add(self, net: Net, batch: Batch) -> None:
        """One batch."""
        assert self._metrics is not None
        net = net if self._plotter is None else _AskedOnce(net)
        self._losses.append((self.task.evaluate(net, batch, self._metrics), len(batch.inputs)))
        if self._plotter is not None:
            self._predicted.append((self._plotter.predicted(net, batch.inputs), batch.targets))

    def plot(self, folder: Path) -> bool:
        """Draws the picture of the pass and forgets what it was drawn from; or says that none is wanted."""
        plotter, pairs = self._plotter, self._predicted
        self._plotter, self._predicted = None, []
        if plotter is None or not pairs:
            return False
        predicted, targets = map(torch.cat, zip(*pairs, strict=True))
        plotter.plot(predicted, targets, folder)
        return True

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


class _AskedOnce:
    """A net that is not asked twice in a row for the same."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._last: tuple[Tensor, Tensor] | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        if self._last is None or self._last[0] is not inputs:
            self._last = inputs, self._net(inputs)
        return self._last[1]

    def features(self, inputs: Tensor) -> Tensor:
        return self._net.features(inputs)
