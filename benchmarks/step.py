"""One optimiser step: the hand-written loop, then Lorelab's layers on top of it one by one."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.bare import TimedBatches, own_batches, shared_batches, train_bare
from benchmarks.parts import Run, missing_images, own_threads
from lorelab.data.batches import TensorBatches
from lorelab.records import Batch
from lorelab.tracking.memory import MemoryTracker
from lorelab.tracking.mlflow_tracker import MLflowTracker
from lorelab.tracking.protocol import Tracker
from lorelab.training.fit import fit, make_trainer
from lorelab.training.learner import Learner
from lorelab.training.progress import ProgressLine
from lorelab.training.schedules import Constant

ROUNDS = 7


@dataclass(frozen=True)
class Case:
    """A preset, shortened; ``warm_up`` steps are not counted."""

    title: str
    overrides: Sequence[str]
    warm_up: int
    threads: int = 1
    needs: str | None = None
    every_rung: bool = True


DIGITS = ("experiment=digits_mlp", "trainer.max_epochs=12")
# Validation and test are not timed: smaller, they cost the benchmark less.
FASHION = ("experiment=fashion_mnist_cnn", "trainer.max_steps=71", "data.val_fraction=0.02", "data.limit_test=500")
CNN = Case("Fashion-MNIST CNN (batch 128)", FASHION, warm_up=20, needs="FashionMNIST", every_rung=False)
CASES = (Case("digits MLP (64-64-64-10, batch 32)", DIGITS, warm_up=39), CNN, replace(CNN, threads=2))


class Plain(LightningModule):
    """Lightning with nothing of ours."""

    def __init__(self, net: nn.Module, make_optimizer: Any) -> None:
        super().__init__()
        self.net, self.make_optimizer = net, make_optimizer

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        return F.cross_entropy(self.net(batch.inputs), batch.targets)

    def configure_optimizers(self) -> Any:
        return self.make_optimizer(self.net.parameters())


class WithoutShortcuts(Learner):
    """The Learner with Lightning's own hooks in the place of its overrides."""

    __setattr__ = LightningModule.__setattr__
    _on_before_batch_transfer = LightningModule._on_before_batch_transfer
    _apply_batch_transfer_handler = LightningModule._apply_batch_transfer_handler


def bare(run: Run, warm_up: int, *, own: bool = False, scheduled: bool = False) -> Sample:
    batches = own_batches(run) if own else shared_batches(run)
    train_bare(run, batches, scheduled=scheduled)
    return batches.sample(warm_up)


def plain(run: Run, warm_up: int) -> Sample:
    learner = run.learner()
    batches = shared_batches(run)
    module = Plain(learner.net, learner.make_optimizer)
    make_trainer(run.parts.settings, run.total_steps, ()).fit(module, train_dataloaders=batches)
    return batches.sample(warm_up)


def learner(
    run: Run, warm_up: int, kind: type[Learner] = Learner, *, read: bool = True, scheduled: bool = True
) -> Sample:
    """Our Trainer over our Learner, without fit around them and without validation."""
    module, batches = run.learner(kind, scheduled=scheduled), shared_batches(run)
    settings = run.parts.settings
    module.log_every_n_steps = settings.log_every_n_steps if read else 10**9
    trainer = make_trainer(settings, run.total_steps, ())
    trainer.fit(module, train_dataloaders=batches)
    return batches.sample(warm_up)


def whole(run: Run, warm_up: int, tracker: Tracker) -> Sample:
    """What ``lorelab train`` runs."""
    parts, start = run.parts, replace(run.start, name="bench")
    held = parts.data.train_dataloader()
    assert isinstance(held, TensorBatches)
    batches = TimedBatches(held)  # the order asks the trainer to come for its epoch
    timed: Any = parts.data
    timed.train_dataloader = lambda: batches
    try:
        fit(run.learner(), timed, parts.settings, tracker=tracker, start=start, progress=ProgressLine("quiet"))
    finally:
        del timed.train_dataloader
    return batches.sample(warm_up)


def ladder(run: Run, case: Case, tracker: Tracker) -> dict[str, Way]:
    """From the bare loop to the whole: each way after the Trainer adds to the one before."""
    again = partial(partial, run=run, warm_up=case.warm_up)
    scheduled = not isinstance(run.parts.learner.schedule, Constant)
    ways: dict[str, Way] = {"bare loop": again(bare)}
    if scheduled:
        ways["bare loop with the schedule"] = again(bare, scheduled=True)
    if case.every_rung:
        ways["bare loop, rows picked batch by batch"] = again(bare, own=True)
    ways["Lightning's Trainer, nothing of ours"] = again(plain)
    if case.every_rung:
        original = again(learner, kind=WithoutShortcuts, read=False, scheduled=False)
        ways["Learner with Lightning's own hooks, losses not read"] = original
        ways["+ its shortcuts past them"] = again(learner, read=False, scheduled=False)
    ways["Learner as it is, in the Trainer"] = again(learner)
    if case.every_rung:
        ways["+ fit, tracker=none"] = again(whole, tracker=MemoryTracker())
    ways["+ fit, tracker=mlflow (SQLite): as a user runs it"] = again(whole, tracker=tracker)
    return ways


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """All cases whose data are there."""
    done: list[Comparison] = []
    notes: list[str] = []
    for case in CASES:
        reason = missing_images(case.needs) if case.needs else None
        if reason:
            notes.append(f"{case.title}: {reason}.")
            continue
        own_threads(case.threads)
        with tempfile.TemporaryDirectory(prefix="lorelab-bench-") as folder:
            store = Path(folder)
            tracker = MLflowTracker(f"sqlite:///{store / 'mlflow.db'}", artifacts=str(store / "artifacts"))
            ways = ladder(Run(case.overrides), case, tracker)
            done.append(alternate(case.title, ways, rounds * 2 if case.every_rung else rounds, threads=case.threads))
    return done, notes
