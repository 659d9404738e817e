"""A run between its opening in the store and its closing there, which every way of training shares."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lorelab.data.loading import DataModule
from lorelab.errors import DataError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.training.best import Best
from lorelab.training.checkpoint import digest, save_checkpoint
from lorelab.training.curves import draw_curves
from lorelab.training.interrupts import Interrupted
from lorelab.training.journal import Journal
from lorelab.training.learner import Diverged, Learner
from lorelab.training.settings import TrainerSettings


def must_have_validation(data: DataModule) -> None:
    """Raises ``DataError`` if nothing could pick the checkpoint."""
    if not len(data.splits.val):
        raise DataError(
            f"{data.splits.spec.name}: found no validation examples; expected some, because they pick the checkpoint. "
            "Set data.val_fraction above 0, or add a validation part to your own data."
        )


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
    clock: float = field(default_factory=time.perf_counter)

    def finished(self, weights: str) -> None:
        """The budget is spent; ``weights``: digest of those after the last step."""
        self.record = replace(self.record, status=RunStatus.FINISHED, weights=weights)

    def ended(self, error: BaseException) -> None:
        """Takes note of what ended the run before its budget did; to be called while ``error`` is being handled."""
        if isinstance(error, Diverged):
            facts: dict[str, Any] = {"status": RunStatus.DIVERGED, "diverged_at": error.step, "error": str(error)}
        elif isinstance(error, Interrupted):
            facts = {"status": RunStatus.KILLED, "error": str(error)}
        else:
            facts = {"status": RunStatus.FAILED, "error": traceback.format_exc()}
        self.record = replace(self.record, **facts)

    def take_best(self) -> str:
        """Puts the best weights into the net; returns the digest of those that it had."""
        last, best = digest(self.learner.net.state_dict()), self.learner.best
        if best.weights is not None:
            self.learner.net.load_state_dict(best.weights)
        return last

    def close(self, *, steps: int, batches: int, seconds_before: float = 0.0) -> RunRecord:
        """Completes the record, stores the run's files and finishes the run in the store.

        ``steps``: optimiser steps taken; ``batches``: training batches seen; ``seconds_before``: wall time of the
        run's earlier processes.
        """
        best, tracker, history = self.learner.best, self.journal.tracker, self.journal.history
        last = {key: points[-1][1] for key, points in history.items()}
        self.record = record = replace(
            self.record,
            score=best.score,
            best_step=best.step,
            steps=steps,
            examples=self._examples(batches),
            seconds=seconds_before + time.perf_counter() - self.clock,
            metrics=last | self.learner.test_metrics,
            location=tracker.location,
        )
        try:
            if best.weights is not None:
                path = self.folder / "checkpoints" / "best.ckpt"
                save_checkpoint(path, record, best.weights, self.config, self.data.splits.spec)
            if history and record.status is not RunStatus.KILLED:  # a killed run must end at once
                path, title, monitor = self.folder / "curves.png", record.name, record.monitor
                draw_curves(history, path, title=title, monitor=monitor, best_step=best.step)
            self.learner.publish()
        finally:
            tracker.finish(record)
        self.journal.progress.finish(record)
        return record

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
    clock = time.perf_counter()
    learner.report, learner.publish, learner.folder = journal, journal.publisher(folder), folder
    learner.log_every_n_steps = settings.log_every_n_steps
    learner.best, learner.evaluated_at, learner.test_metrics = Best(), -1, {}
    run_id = journal.tracker.start(start)
    record = RunRecord(run_id, start.name, RunStatus.RUNNING, learner.task.monitor, learner.task.mode)
    return OpenRun(learner, data, journal, config or {}, folder, record, clock)
