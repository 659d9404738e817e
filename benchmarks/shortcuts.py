"""What the Learner's overrides of Lightning's private hooks save per step: each put back to Lightning's own."""

from __future__ import annotations

from functools import partial

from pytorch_lightning import LightningModule

from benchmarks.alternate import Comparison, alternate
from benchmarks.parts import Run, own_threads
from benchmarks.step import DIGITS, WithoutShortcuts, learner
from lorelab.training.learner import Learner

ROUNDS = 21


class SlowAttribute(Learner):
    """``_current_fx_name`` goes through ``nn.Module.__setattr__``."""

    __setattr__ = LightningModule.__setattr__


class LightningTransfer(Learner):
    """Batches go through Lightning's transfer hooks."""

    _on_before_batch_transfer = LightningModule._on_before_batch_transfer
    _apply_batch_transfer_handler = LightningModule._apply_batch_transfer_handler


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """On the smallest preset, where they weigh most."""
    own_threads(1)
    run = Run(DIGITS)
    kinds = {
        "Learner as it is": Learner,
        "without the __setattr__ fast path": SlowAttribute,
        "without the two transfer overrides": LightningTransfer,
        "without any of them": WithoutShortcuts,
    }
    ways = {name: partial(learner, run=run, warm_up=39, kind=kind) for name, kind in kinds.items()}
    return [alternate("digits MLP, Learner in the Trainer", ways, rounds, threads=1)], []
