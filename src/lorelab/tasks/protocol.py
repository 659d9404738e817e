"""The seam of a task kind. A new kind is one file with one class that fits this protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn
from torchmetrics import MetricCollection

from lorelab.records import Batch, DataSpec


class Net(Protocol):
    """The module, or the same over other parameters: a task never learns whether it trains one model or sixty."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """Outputs ``(B, out_features)``; for text ``(B, T, out_features)``."""
        ...

    def features(self, inputs: Tensor) -> Tensor:
        """What the head sees: the representation ``(B, F)``; for text ``(B, T, F)``."""
        ...


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
        """What a user of the model wants: class probabilities ``(B, C)``, values ``(B,)`` in the target's units,
        probabilities of the next token ``(B, T, V)``, a representation ``(B, F)``, a log-density ``(B,)``."""
        ...

    def metrics(self) -> MetricCollection:
        """Fresh and unprefixed. Vector-valued ones (one value per class) are logged at the end of the run only."""
        ...


Stage = Literal["val", "test"]


@runtime_checkable
class Judge(Protocol):
    """A task that also measures what no batch shows: probes fitted on training data, baselines, whole-set scores."""

    def judge(self, net: Net, train: Batch, held: Batch, stage: Stage) -> Mapping[str, float]:
        """More metrics by bare name, at the end of each evaluation, without gradients. ``train`` and ``held`` (the
        split under evaluation) are whole splits as the net reads them, unaugmented, in the order of their rows."""
        ...


@runtime_checkable
class Illustrator(Protocol):
    """A task that shows what it learned, in files that are stored with the run."""

    def illustrate(self, net: Net, held: Batch, stage: Stage, step: int, folder: Path) -> None:
        """Writes files below ``folder`` (which exists), after each evaluation; most tasks only at "test"."""
        ...


@runtime_checkable
class Plotter(Protocol):
    """A task whose picture of the test takes one number per example, found in the test's own pass."""

    def predicted(self, net: Net, inputs: Tensor) -> Tensor:
        """Of one batch, ``(B,)``. The net is not asked again for what ``evaluate`` asked it last."""
        ...

    def plot(self, predicted: Tensor, targets: Tensor, folder: Path) -> None:
        """Writes files below ``folder`` (which exists); both of the whole test, ``(N,)``, in the order of its rows."""
        ...


@runtime_checkable
class PerExample(Protocol):
    """A task whose loss is a mean over examples, or over their positions: the losses of many nets' outputs can be found
    at once."""

    @property
    def each(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """Takes outputs ``(N, out_features)`` and targets ``(N, ...)``; gives the losses ``(N,)`` whose mean ``loss``
        is; for text ``(N, T, out_features)`` to ``(N, T)``. None where the options make it another thing."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """A task whose metrics of many nets' outputs can be found at once."""

    def scores(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """Of outputs ``(M, N, out_features)`` of ``M`` nets on the same ``N`` examples: what ``evaluate`` and
        ``metrics`` say of each that is one number, ``loss`` first and the others by the alphabet, ``(M,)`` each."""
        ...


@runtime_checkable
class Beginner(Protocol):
    """A task that compares with the net as it was before its first step."""

    def begin(self, net: nn.Module) -> None:
        """Told once, when the weights are drawn; keeps a copy if it needs one."""
        ...


class TaskFactory(Protocol):
    """What ``conf/task/*.yaml`` builds: a task waits for the facts of the data before it is complete."""

    def __call__(self, data: DataSpec) -> Task:
        """The task, fitted to the data."""
        ...
