"""Ends a run that a sweep has given up on."""

from __future__ import annotations

from typing import Any, Protocol

from pytorch_lightning import Callback, LightningModule, Trainer


class TrialReporter(Protocol):
    """The seam to whoever judges a run while it trains."""

    def report(self, value: float, step: int) -> bool:
        """Takes the score at evaluation ``step`` (1, 2, …); returns whether the run should end."""
        ...


class Pruned(Exception):  # noqa: N818 - an end, not an error
    """The run was ended because its score so far does not promise enough."""


class Pruning(Callback):
    """Reports ``monitor`` after each evaluation and raises ``Pruned`` when told to end.

    Steps are evaluations, counted from 1 and kept in checkpoints, so that a resumed run goes on counting. After the
    last evaluation of the budget nothing is left to save, and the run is not pruned.
    """

    stackable = True

    def __init__(self, reporter: TrialReporter, monitor: str) -> None:
        self.reporter, self.monitor = reporter, monitor
        self.evaluations = 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reports."""
        if trainer.state.fn != "fit":
            return
        self.evaluations += 1
        score = float(trainer.callback_metrics[self.monitor])
        if self.reporter.report(score, self.evaluations) and trainer.global_step < trainer.max_steps:
            raise Pruned(f"pruned at evaluation {self.evaluations}: {self.monitor} {score:.6g}")

    def state_dict(self) -> dict[str, Any]:
        """The count."""
        return {"evaluations": self.evaluations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes it back."""
        self.evaluations = int(state_dict["evaluations"])
