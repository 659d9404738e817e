"""Trains at the learning rate that the range test suggests."""

from __future__ import annotations

from pytorch_lightning import Callback

from lorelab.data.loading import DataModule
from lorelab.training.curves import draw_lr_range
from lorelab.training.learner import Learner
from lorelab.training.lr_range import RangeOptions, at_rate, lr_range
from lorelab.training.settings import TrainerSettings


class SuggestedRate(Callback):
    """Runs the learning-rate range test (``lr_range``) before the first step and trains at the rate it suggests, or at
    the configured one where it suggests none.

    The test is made of copies: weights, batches and draws of the run are those of a run without it. Its steps are not
    counted as steps of the run. Reported: ``lr_range/rate`` (trained at), ``lr_range/suggested`` (1, or 0 where there
    was no suggestion); its curve lies with the run as ``lr_range.png``.

    Raises:
        ValueError: an option is out of range.
    """

    stackable = True

    def __init__(self, start: float = 1e-6, end: float = 10.0, steps: int = 200) -> None:
        self.options = RangeOptions(start=start, end=end, steps=steps)

    def prepare(self, learner: Learner, data: DataModule, settings: TrainerSettings, seed: int) -> None:
        """Called by ``fit`` before a run begins, not when it goes on: then the rate is in its checkpoint."""
        found = lr_range(learner, data, settings, seed=seed, options=self.options)
        rate = found.suggestion.chosen
        if learner.folder is not None:
            draw_lr_range(found, learner.folder / "lr_range.png", title="learning-rate range test")
        configured = learner.make_optimizer(learner.net.parameters()).param_groups[0]["lr"]
        learner.report({"lr_range/rate": rate or configured, "lr_range/suggested": float(rate is not None)}, 0)
        if rate is not None:
            learner.make_optimizer = at_rate(learner.make_optimizer, rate)
