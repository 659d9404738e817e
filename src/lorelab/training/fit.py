"""One run, from built parts to its record. Needs no config: a notebook calls it as the command line does."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer

from lorelab.data.loading import DataModule
from lorelab.errors import DataError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.seeds import derive_seed
from lorelab.tracking.protocol import Tracker
from lorelab.training.best import Best
from lorelab.training.checkpoint import digest, save_checkpoint
from lorelab.training.curves import draw_curves
from lorelab.training.interrupts import Interrupted, Signals, interruptible
from lorelab.training.journal import Journal
from lorelab.training.keeper import LAST, Keeper, batches_done
from lorelab.training.learner import Diverged, Learner
from lorelab.training.progress import ProgressLine
from lorelab.training.pruning import Pruned
from lorelab.training.settings import TrainerSettings


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
    if not len(data.splits.val):
        raise DataError(
            f"{data.splits.spec.name}: found no validation examples; expected some, because they pick the checkpoint. "
            "Set data.val_fraction above 0, or add a validation part to your own data."
        )
    if start.resume and checkpoints and (kept := checkpoints / start.resume / LAST).is_file():
        data.skip_batches = batches_done(kept)  # a file that cannot be read leaves the run as it is
    progress = progress or ProgressLine()
    journal = Journal(tracker, progress)
    learner.report = journal
    learner.log_every_n_steps = settings.log_every_n_steps
    learner.best, learner.evaluated_at, learner.test_metrics = Best(), -1, {}
    with (
        interruptible() as signals,
        tempfile.TemporaryDirectory(prefix="lorelab-", ignore_cleanup_errors=True) as folder,
    ):
        learner.folder = Path(folder)
        learner.publish = journal.publisher(learner.folder)
        signals.wait()  # a run that is opened is closed, if its store answers soon
        run_id = tracker.start(start)
        record = RunRecord(run_id, start.name, RunStatus.RUNNING, learner.task.monitor, learner.task.mode)
        keeper, clock = None, None
        try:
            signals.release()
            begun(run_id)
            data.describe(learner.folder / "data")
            keeper = None if checkpoints is None else _keeper(checkpoints / run_id, journal, signals, settings)
            clock = time.monotonic()  # as the keeper's
            training = _Training(learner, data, settings, seed, callbacks, keeper, signals)
            weights = training.run(progress, start)
            record = replace(record, status=RunStatus.FINISHED, weights=weights)
        except Diverged as divergence:
            record = replace(record, status=RunStatus.DIVERGED, diverged_at=divergence.step, error=str(divergence))
        except Pruned as end:
            record = replace(record, status=RunStatus.PRUNED, error=str(end))
        except BaseException as error:
            record = broken_off(record, error)
            raise
        finally:
            signals.held = True  # a run that is being closed is closed whole; a second signal still ends the process
            seconds = 0.0 if clock is None else time.monotonic() - clock
            seconds += keeper.seconds_before if keeper else 0.0
            record = _close(record, learner, journal, data, config or {}, seconds, signals)
        if keeper is not None:  # nothing to go on with
            shutil.rmtree(keeper.path.parent, ignore_errors=True)
        signals.release()
    return record


def broken_off(record: RunRecord, error: BaseException) -> RunRecord:
    """The record of a run that ``error`` ended without a result: killed by a signal, or failed, with its traceback."""
    if isinstance(error, Interrupted):
        return replace(record, status=RunStatus.KILLED, error=str(error))
    return replace(record, status=RunStatus.FAILED, error="".join(traceback.format_exception(error)))


@dataclass(frozen=True)
class _Training:
    """What happens between the start and the closing of a run."""

    learner: Learner
    data: DataModule
    settings: TrainerSettings
    seed: int
    callbacks: Sequence[Callback]
    keeper: Keeper | None
    signals: Signals

    def run(self, progress: ProgressLine, start: RunStart) -> str:
        """Trains and tests; returns the digest of the weights after the last step."""
        learner, data = self.learner, self.data
        total = self.settings.total_steps(examples=len(data.splits.train), batch_size=data.batch_size)
        progress.start(start.name, total, learner.task.monitor)
        torch.manual_seed(derive_seed(self.seed, "training"))
        extra = [self.keeper] if self.keeper else []
        trainer = make_trainer(self.settings, total, [*self.callbacks, *extra])
        kept = self.keeper.path if self.keeper and start.resume and self.keeper.path.is_file() else None
        with self.signals.patient() if self.keeper else nullcontext():
            trainer.fit(learner, datamodule=data, ckpt_path=kept, weights_only=True)
        if learner.evaluated_at != trainer.global_step:  # the budget ended within an epoch
            trainer.validate(learner, datamodule=data, verbose=False)
        last = digest(learner.net.state_dict())
        if learner.best.weights is not None:
            learner.net.load_state_dict(learner.best.weights)
        if self.settings.test:
            trainer.test(learner, datamodule=data, verbose=False)
        return last


def _keeper(folder: Path, journal: Journal, signals: Signals, settings: TrainerSettings) -> Keeper:
    steps, seconds = settings.checkpoint_every_steps, settings.checkpoint_every_seconds
    return Keeper(folder, journal, signals, every_steps=steps, every_seconds=seconds)


def make_trainer(settings: TrainerSettings, total_steps: int, callbacks: Sequence[Callback]) -> Trainer:
    """A quiet trainer of ``total_steps`` optimiser steps that keeps nothing by itself."""
    if settings.cpu_threads is not None:
        torch.set_num_threads(settings.cpu_threads)
    if not torch.cuda.is_available():
        # Lightning sets this to 1 on import; then every step of Adam looks for NVIDIA's library on the disk (0.2 ms).
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
    # Its notices (devices found, modules in eval mode, tips) repeat what the run's record says.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
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


def _close(
    record: RunRecord,
    learner: Learner,
    journal: Journal,
    data: DataModule,
    config: Mapping[str, Any],
    seconds: float,
    signals: Signals,
) -> RunRecord:
    """Completes the record, stores the run's files and finishes the run in the store."""
    best, tracker, folder = learner.best, journal.tracker, learner.folder
    assert folder is not None
    last = {key: points[-1][1] for key, points in journal.history.items()}
    record = replace(
        record,
        score=best.score,
        best_step=best.step,
        steps=learner.trainer.global_step if learner._trainer is not None else 0,
        examples=_examples_seen(learner, data),
        seconds=seconds,
        metrics=last | learner.test_metrics,
        location=tracker.location,
    )
    try:
        if best.weights is not None:
            save_checkpoint(folder / "checkpoints" / "best.ckpt", record, best.weights, config, data.splits.spec)
        if journal.history and record.status is not RunStatus.KILLED:  # a killed run must end at once
            title, monitor = record.name, record.monitor
            draw_curves(journal.history, folder / "curves.png", title=title, monitor=monitor, best_step=best.step)
        learner.publish()
    finally:
        _finish(tracker, record, signals)
    journal.progress.finish(record)
    return record


def _finish(tracker: Tracker, record: RunRecord, signals: Signals) -> None:
    """A store that does not answer must not keep a process that is asked to end."""
    if signals.pending is None:
        try:
            with signals.patient():
                tracker.finish(record)
                return
        except Interrupted:
            pass
        finally:
            signals.held = True
    tracker.finish(record, signals.left())


def _examples_seen(learner: Learner, data: DataModule) -> int:
    if learner._trainer is None:
        return 0
    batches = learner.trainer.fit_loop.epoch_loop.total_batch_idx + 1
    per_epoch = -(-len(data.splits.train) // data.batch_size)
    epochs, rest = divmod(batches, per_epoch)
    return epochs * len(data.splits.train) + rest * data.batch_size
