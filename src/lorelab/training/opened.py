"""A run between its opening in the store and its closing there, which every way of training shares."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lorelab.data.loading import DataModule
from lorelab.errors import DataError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.protocol import Tracker
from lorelab.training.best import Best
from lorelab.training.checkpoint import digest, save_checkpoint
from lorelab.training.curves import draw_curves
from lorelab.training.interrupts import Interrupted, Signals
from lorelab.training.journal import Journal
from lorelab.training.learner import Diverged, Learner
from lorelab.training.pruning import Pruned
from lorelab.training.settings import TrainerSettings


def must_have_validation(data: DataModule) -> None:
    """Raises ``DataError`` if nothing could pick the checkpoint."""
    if not len(data.splits.val):
        raise DataError(
            f"{data.splits.spec.name}: found no validation examples; expected some, because they pick the checkpoint. "
            "Set data.val_fraction above 0, or add a validation part to your own data."
        )


def broken_off(record: RunRecord, error: BaseException) -> RunRecord:
    """The record of a run that ``error`` ended without a result: killed by a signal, or failed, with its traceback."""
    if isinstance(error, Interrupted):
        return replace(record, status=RunStatus.KILLED, error=str(error))
    return replace(record, status=RunStatus.FAILED, error="".join(traceback.format_exception(error)))


@dataclass
class OpenRun:
    """One run that is open in the store. Made by ``open_run``; ``ended`` and ``close`` belong to it alone."""

    learner: Learner
    data: DataModule
    journal: Journal
    config: Mapping[str, Any]
    folder: Path
    """What lies below it is stored with the run."""
    record: RunRecord
    clock: float | None = None
    """When its training began, on the monotonic clock."""

    def begin(self) -> None:
        """From here on its time counts, until it is ``finished`` or has ``ended``."""
        self.clock = time.monotonic()  # as the keeper's

    def finished(self, weights: str) -> None:
        """The budget is spent; ``weights``: digest of those after the last step."""
        self._end(replace(self.record, status=RunStatus.FINISHED, weights=weights))

    def ended(self, error: BaseException) -> None:
        """Takes note of what ended the run before its budget did."""
        if isinstance(error, Diverged):
            self._end(replace(self.record, status=RunStatus.DIVERGED, diverged_at=error.step, error=str(error)))
        elif isinstance(error, Pruned):
            self._end(replace(self.record, status=RunStatus.PRUNED, error=str(error)))
        else:
            self._end(broken_off(self.record, error))

    def take_best(self) -> str:
        """Puts the best weights into the net; returns the digest of those that it had."""
        last, best = digest(self.learner.net.state_dict()), self.learner.best
        if best.weights is not None:
            self.learner.net.load_state_dict(best.weights)
        return last

    def close(
        self, signals: Signals, *, steps: int, batches: int, seconds_before: float = 0.0, among: int = 1
    ) -> RunRecord:
        """Completes the record, stores the run's files and finishes the run in the store.

        To be called with ``signals`` held, and they still are afterwards; a store that hangs does not hold up one who
        asks the process to end. ``steps``: optimiser steps taken; ``batches``: training batches seen;
        ``seconds_before``: wall time of the run's earlier processes; ``among``: runs that must be closed in the same
        few seconds after a signal.
        """
        best, tracker, history = self.learner.best, self.journal.tracker, self.journal.history
        last = {key: points[-1][1] for key, points in history.items()}
        self.record = record = replace(
            self.record,
            score=best.score,
            best_step=best.step,
            steps=steps,
            examples=self._examples(batches),
            seconds=seconds_before + self.record.seconds,
            metrics=last | self.learner.test_metrics,
            location=tracker.location,
        )
        try:
            if best.weights is not None:
                path = self.folder / "checkpoints" / "best.ckpt"
                save_checkpoint(path, record, best.weights, self.config, self.data.splits.spec)
            if history and record.status is not RunStatus.KILLED:  # a killed run must end at once
                title, monitor = record.name, record.monitor
                draw_curves(history, self.folder / "curves", title=title, monitor=monitor, best_step=best.step)
            self.learner.publish()
        finally:
            _finish(tracker, record, signals, among)
        self.journal.progress.finish(record)
        return record

    def _end(self, record: RunRecord) -> None:
        self.record = replace(record, seconds=0.0 if self.clock is None else time.monotonic() - self.clock)

    def _examples(self, batches: int) -> int:
        size, per_batch = len(self.data.splits.train), self.data.batch_size
        epochs, rest = divmod(batches, -(-size // per_batch))
        return epochs * size + rest * per_batch


def open_run(
    learner: Learner,
    data: DataModule,
    settings: TrainerSettings,
    journal: Journal,
    *,
    start: RunStart,
    config: Mapping[str, Any] | None,
    folder: Path,
) -> OpenRun:
    """Opens the run in the journal's store and makes the Learner write to it. Raises ``StoreError``."""
    learner.report, learner.publish, learner.folder = journal, journal.publisher(folder), folder
    learner.log_every_n_steps = settings.log_every_n_steps
    learner.best, learner.evaluated_at, learner.test_metrics = Best(), -1, {}
    run_id = journal.tracker.start(start)
    record = RunRecord(run_id, start.name, RunStatus.RUNNING, learner.task.monitor, learner.task.mode)
    return OpenRun(learner, data, journal, config or {}, folder, record)


def _finish(tracker: Tracker, record: RunRecord, signals: Signals, among: int) -> None:
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
    tracker.finish(record, signals.left(among))
