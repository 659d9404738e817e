"""The seam of a task kind. A new kind is one file with one class that fits this protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from torch import Tensor
from torchmetrics import MetricCollection

from lorelab.records import Batch, DataSpec

Net = Callable[[Tensor], Tensor]
"""The module itself, or the same over other parameters: a task never learns whether it trains one model or sixty."""


class Task(Protocol):
    """What a kind of problem must say of itself; everything else is the Learner's."""

    monitor: str
    """Metric that picks the checkpoint and is the score, e.g. ``val/accuracy``."""
    mode: Literal["max", "min"]
    out_features: int
    """Size of what the net must return per example: the head is built to it."""

    def loss(self, net: Net, batch: Batch) -> Tensor:
        """Mean training loss over the batch, shape ``()``."""
        ...

    def evaluate(self, net: Net, batch: Batch, metrics: MetricCollection) -> Tensor:
        """One evaluation batch in one forward pass: updates ``metrics`` and returns the mean loss (without
        training-only terms such as label smoothing), shape ``()``."""
        ...

    def predict(self, net: Net, inputs: Tensor) -> Tensor:
        """What a user of the model wants: class probabilities ``(B, C)``, or values ``(B,)`` in the target's units."""
        ...

    def metrics(self) -> MetricCollection:
        """Fresh and unprefixed. Vector-valued ones (one value per class) are logged at the end of the run only."""
        ...


class TaskFactory(Protocol):
    """What ``conf/task/*.yaml`` builds: a task waits for the facts of the data before it is complete."""

    def __call__(self, data: DataSpec) -> Task:
        """The task, fitted to the data."""
        ...
