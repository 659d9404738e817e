"""The weights that a run keeps: those of its best evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass
class Best:
    """The best evaluation so far, with the weights that reached it."""

    score: float | None = None
    step: int | None = None
    weights: dict[str, Tensor] | None = None

    def offer(self, score: float, step: int, net: nn.Module, mode: str) -> None:
        """Keeps a copy of the weights if ``score`` is strictly better: of equals, the earliest stays."""
        if self.score is not None and not (score > self.score if mode == "max" else score < self.score):
            return
        self.score, self.step = score, step
        self.weights = {name: value.detach().clone() for name, value in net.state_dict().items()}
