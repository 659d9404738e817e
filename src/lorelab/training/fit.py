"""One run, from built parts to its record. Needs no config: a notebook calls it as the command line does."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from pytorch_lightning import Callback, Trainer

from lorelab.data.loading import DataModule
from lorelab.records import RunRecord, RunStart
from lorelab.seeds import derive_seed
from lorelab.tracking.protocol import Tracker
from lorelab.training.interrupts import Signals, interruptible
from lorelab.training.journal import Journal
from lorelab.training.keeper import LAST, Keeper, batches_done
from lorelab.training.learner import Diverged, Learner
from lorelab.training.opened import OpenRun, must_have_validation, open_run
from lorelab.training.progress import ProgressLine
from lorelab.training.pruning import Pruned
from lorelab.training.settings import TrainerSettings


@runtime_checkable
class Preparing(Protocol):
    """A callback that has something to do before the optimiser is made."""

    def prepare(self, learner: Learner, data: DataModule, settings: TrainerSettings, seed: int) -> None:
        """Called when a run begins, not when it goes on from a checkpoint."""
        ...


def fit(
    learner: Learner,
    data: DataModule,
    settings: TrainerSettings,
    *,
    tracker: Tracker,
    start: RunStart,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    progress: ProgressLine | None = None,
    config: Mapping[str, Any] | None = None,
    checkpoints: Path | None = None,
    begun: Callable[[str], None] = lambda _run_id: None,
) -> RunRecord:
    """Trains, tests the best checkpoint once and closes the run, however it ends.

    ``seed`` drives what is drawn during training (dropout); the initial weights are the learner's, the batch order
    the data module's. ``config`` is stored in the checkpoint. Below ``checkpoints`` the run keeps, in a folder by its
    id, what it needs to go on after an interruption, until it is finished; a run with ``start.resume`` goes on from
    there, or from its beginning if nothing was kept yet. ``begun`` is told the run's id.

    Returns the record of a finished, diverged or pruned run.

    Raises:
        DataError: there is no validation split.
        LorelabError: the checkpoint to go on from cannot be read; the run is left as it is.
        Interrupted: SIGINT or SIGTERM came; the run is closed as killed.
        Exception: whatever training raised; the run is closed as failed with its traceback.
        StoreError: the tracker cannot start the run, or lost some of it.
    """
    must_have_validation(data)
    if start.resume and checkpoints and (kept := checkpoints / start.resume / LAST).is_file():
        data.skip_batches = batches_done(kept)  # a file that cannot be read leaves the run as it is
    progress = progress or ProgressLine()
    journal = Journal(tracker, progress)
    with (
        interruptible() as signals,
        tempfile.TemporaryDirectory(prefix="lorelab-", ignore_cleanup_errors=True) as folder,
    ):
        signals.wait()  # a run that is opened is closed, if its store answers soon
        run = open_run(learner, data, settings, journal, start=start, config=config, folder=Path(folder))
        run_id, keeper = run.record.run_id, None
        try:
            signals.release()
            begun(run_id)
            data.describe(run.folder / "data")
            keeper = None if checkpoints is None else _keeper(checkpoints / run_id, journal, signals, settings)
            run.begin()
            run.finished(_Training(run, settings, seed, callbacks, keeper, signals).run(progress, start))
        except (Diverged, Pruned) as end:
            run.ended(end)
        except BaseException as error:
            run.ended(error)
            raise
        finally:
            signals.held = True  # a run that is being closed is closed whole; a second signal still ends the process
            (steps, batches), before = _done(learner), keeper.seconds_before if keeper else 0.0
            record = run.close(signals, steps=steps, batches=batches, seconds_before=before)
        if keeper is not None:  # nothing to go on with
            shutil.rmtree(keeper.path.parent, ignore_errors=True)
        signals.release()
    return record


@dataclass(frozen=True)
class _Training:
    """What happens between the start and the closing of a run."""

    opened: OpenRun
    settings: TrainerSettings
    seed: int
    callbacks: Sequence[Callback]
    keeper: Keeper | None
    signals: Signals

    def run(self, progress: ProgressLine, start: RunStart) -> str:
        """Trains and tests; returns the digest of the weights after the last step."""
        learner, data = self.opened.learner, self.opened.data
        total = self.settings.total_steps(examples=len(data.splits.train), batch_size=data.batch_size)
        progress.start(start.name, total, learner.task.monitor)
        kept = self.keeper.path if self.keeper and start.resume and self.keeper.path.is_file() else None
        for callback in self.callbacks if kept is None else ():
            if isinstance(callback, Preparing):
                callback.prepare(learner, data, self.settings, self.seed)
        torch.manual_seed(derive_seed(self.seed, "training"))
        extra = [self.keeper] if self.keeper else []
        trainer = make_trainer(self.settings, total, [*self.callbacks, *extra])
        with self.signals.patient() if self.keeper else nullcontext():
            trainer.fit(learner, datamodule=data, ckpt_path=kept, weights_only=True)
        if learner.evaluated_at != trainer.global_step:  # the budget ended within an epoch
            trainer.validate(learner, datamodule=data, verbose=False)
        last = self.opened.take_best()
        if self.settings.test:
            trainer.test(learner, datamodule=data, verbose=False)
        return last


def _keeper(folder: Path, journal: Journal, signals: Signals, settings: TrainerSettings) -> Keeper:
    steps, seconds = settings.checkpoint_every_steps, settings.checkpoint_every_seconds
    return Keeper(folder, journal, signals, every_steps=steps, every_seconds=seconds)


def quieten(settings: TrainerSettings) -> None:
    """Threads as set; and none of what Lightning does to a process merely by being imported."""
    if settings.cpu_threads is not None:
        torch.set_num_threads(settings.cpu_threads)
    if not torch.cuda.is_available():
        # Lightning sets this to 1 on import; then every step of Adam looks for NVIDIA's library on the disk (0.2 ms).
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
    # Its notices (devices found, modules in eval mode, tips) repeat what the run's record says.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")


def make_trainer(settings: TrainerSettings, total_steps: int, callbacks: Sequence[Callback]) -> Trainer:
    """A quiet trainer of ``total_steps`` optimiser steps that keeps nothing by itself."""
    quieten(settings)
    return Trainer(
        max_steps=total_steps,
        accelerator=settings.accelerator,
        devices=settings.devices,
        precision=settings.precision,
        gradient_clip_val=settings.gradient_clip_val,
        gradient_clip_algorithm=settings.gradient_clip_algorithm,
        accumulate_grad_batches=settings.accumulate_grad_batches,
        check_val_every_n_epoch=None if settings.val_check_interval else settings.check_val_every_n_epoch,
        val_check_interval=settings.val_check_interval,
        deterministic=settings.reproducible == "strict",
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def _done(learner: Learner) -> tuple[int, int]:
    """Optimiser steps and batches."""
    if learner._trainer is None:
        return 0, 0
    return learner.trainer.global_step, learner.trainer.fit_loop.epoch_loop.total_batch_idx + 1
