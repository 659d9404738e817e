"""Checkpoints to go on from: the whole state of a run between two steps, in a file that is whole or not there."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from lorelab.errors import LorelabError
from lorelab.training.checkpoint import reason
from lorelab.training.interrupts import Interrupted, Signals
from lorelab.training.journal import Journal

LAST = "last.ckpt"


class Keeper(Callback):
    """Writes ``folder/last.ckpt`` before a step when one is due, and when a signal asks the run to end.

    Lightning's own checkpoint (weights, optimiser, schedule, gradient scaler, loops, callbacks) taken before the first
    batch of an optimiser step, where no gradient is pending, plus the random states and the journal. Bit for bit, a run
    that goes on from it takes the steps that it would have taken (on a CPU, with the same number of threads).

    ``every_steps`` optimiser steps or ``every_seconds``, whichever comes first; both None: only when asked to end.
    """

    def __init__(
        self,
        folder: Path,
        journal: Journal,
        signals: Signals,
        *,
        every_steps: int | None = None,
        every_seconds: float | None = None,
    ) -> None:
        self.path = folder / LAST
        self.journal, self.signals = journal, signals
        self.every_steps, self.every_seconds = every_steps, every_seconds
        self.begun = self._saved_at = time.monotonic()
        self._saved_step = 0
        self._random: Mapping[str, Any] | None = None
        self.seconds_before = 0.0

    @property
    def seconds(self) -> float:
        """Wall time of the run so far, that of its earlier processes included."""
        return self.seconds_before + time.monotonic() - self.begun

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Between two batches; the only place where a checkpoint is taken."""
        if self._random is not None:  # only now: what Lightning and the loaders set up may have drawn
            set_random_states(self._random)
            self._random = None
        if batch_idx % trainer.accumulate_grad_batches:
            return
        if self.signals.pending is not None:
            self.signals.held = True  # its patience may end now: not in mid-file
            self.save(trainer)
            raise Interrupted(self.signals.pending)
        step = trainer.global_step
        due = self.every_steps is not None and step - self._saved_step >= self.every_steps
        due |= self.every_seconds is not None and time.monotonic() - self._saved_at >= self.every_seconds
        if due:
            self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        """Writes beside the old file, waits until it is on the disk, and only then takes its place.

        A disk that is full costs the checkpoint, not the run.
        """
        new = self.path.with_suffix(".new")
        try:
            new.parent.mkdir(parents=True, exist_ok=True)
            trainer.save_checkpoint(new)
            with new.open("rb") as file:
                os.fsync(file.fileno())
            new.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            print(f"no checkpoint at step {trainer.global_step}: {error}", file=sys.stderr)
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Puts Lightning's counters back to the end of the batch before: it has counted the next one as begun."""
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for counts in (progress["total"], progress["current"]):
            counts["ready"] = counts["completed"]
        progress["is_last_batch"] = False

    def state_dict(self) -> dict[str, Any]:
        """Random states, the points so far, and the time that they took."""
        history = {key: [list(point) for point in points] for key, points in self.journal.history.items()}
        return {"random": random_states(), "history": history, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes them back; the random states when the first batch is ready."""
        self._random = state_dict["random"]
        self.seconds_before = state_dict["seconds"]
        history = state_dict["history"].items()
        self.journal.restore({key: [(int(step), float(value)) for step, value in points] for key, points in history})

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts steps from where the run goes on; takes signals back from Lightning, which ends quietly on SIGTERM."""
        self.signals.install()
        self._saved_step = trainer.global_step


def batches_done(path: Path) -> int:
    """Batches of its epoch that a run had finished at the checkpoint ``path``.

    Raises:
        LorelabError: the file cannot be read.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return int(content["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]["completed"])
    except Exception as error:
        raise LorelabError(
            f"{path}: cannot be read as a checkpoint to go on from: {reason(error)}. Remove it to begin anew."
        ) from error


def random_states() -> dict[str, Any]:
    """Of torch (every GPU included), NumPy and Python, as plain values and tensors."""
    name, keys, *rest = np.random.get_state(legacy=True)
    version, internal, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [name, torch.from_numpy(np.asarray(keys, dtype=np.int64)), *rest],
        "python": [version, list(internal), gauss],
    }


def set_random_states(states: Mapping[str, Any]) -> None:
    """Puts back what ``random_states`` returned."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
