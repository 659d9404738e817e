"""How long and on what a run trains: Lightning's own names, checked before anything is built."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Precision = Literal["32-true", "64-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true"]


@dataclass(frozen=True)
class TrainerSettings:
    """Budget, device and step options of one run.

    The budget is the first limit reached of ``max_epochs``, ``max_steps`` (optimiser steps) and ``max_examples``
    (training examples seen, rounded up to whole steps); schedules stretch over it.

    Raises:
        ValueError: no limit is given, or a value is out of range.
    """

    max_epochs: int | None = None
    max_steps: int | None = None
    max_examples: int | None = None
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    devices: int = 1
    precision: Precision = "32-true"
    gradient_clip_val: float | None = None
    gradient_clip_algorithm: Literal["norm", "value"] = "norm"
    accumulate_grad_batches: int = 1
    check_val_every_n_epoch: int = 1
    val_check_interval: int | None = None
    """Validate every so many training batches instead of at epoch ends."""
    log_every_n_steps: int = 50
    """Batches between two points of ``train/loss`` (their mean), and between two looks for a NaN."""
    reproducible: Literal["strict", "fast"] = "fast"
    """"strict": deterministic algorithms throughout (``torch.use_deterministic_algorithms``) and a fixed number of
    threads, so that the same machine gives the same bits again; "fast": neither."""
    threads: int | None = None
    """CPU threads per run; null is PyTorch's choice if fast, and 1 if strict. Sums of floats hang on their number."""

    checkpoint_every_steps: int | None = None
    """Optimiser steps between two checkpoints to go on from (``lorelab train resume=RUN``); whichever comes first."""
    checkpoint_every_seconds: float | None = 60.0
    """The same in seconds. Both null: a checkpoint is written only when a signal ends the run."""
    test: bool = True
    """Whether the best weights are tested on the test split. A search leaves it alone."""

    def __post_init__(self) -> None:
        limits = {"max_epochs": self.max_epochs, "max_steps": self.max_steps, "max_examples": self.max_examples}
        if all(limit is None for limit in limits.values()):
            raise ValueError("no budget: set one of max_epochs, max_steps, max_examples")
        if self.devices > 1:
            raise ValueError(f"devices must be 1, got {self.devices}: use more devices by running several runs at once")
        positive = limits | {
            "accumulate_grad_batches": self.accumulate_grad_batches,
            "check_val_every_n_epoch": self.check_val_every_n_epoch,
            "val_check_interval": self.val_check_interval,
            "log_every_n_steps": self.log_every_n_steps,
            "gradient_clip_val": self.gradient_clip_val,
            "devices": self.devices,
            "threads": self.threads,
            "checkpoint_every_steps": self.checkpoint_every_steps,
            "checkpoint_every_seconds": self.checkpoint_every_seconds,
        }
        for name, value in positive.items():
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be greater than 0, got {value}")

    @property
    def cpu_threads(self) -> int | None:
        """Threads to set; None leaves PyTorch's choice."""
        return 1 if self.threads is None and self.reproducible == "strict" else self.threads

    def total_steps(self, *, examples: int, batch_size: int) -> int:
        """Optimiser steps of the whole budget, for a training split of ``examples`` in batches of ``batch_size``."""
        per_epoch = math.ceil(math.ceil(examples / batch_size) / self.accumulate_grad_batches)
        limits = [
            self.max_epochs and self.max_epochs * per_epoch,
            self.max_steps,
            self.max_examples and self._steps_for_examples(self.max_examples, examples, batch_size, per_epoch),
        ]
        return min(limit for limit in limits if limit)

    def _steps_for_examples(self, budget: int, examples: int, batch_size: int, per_epoch: int) -> int:
        """Whole epochs first, because the last batch of an epoch may be smaller than ``batch_size``."""
        epochs, rest = divmod(budget, examples)
        return epochs * per_epoch + math.ceil(rest / (batch_size * self.accumulate_grad_batches))
