"""What a run shows while it trains: one line in a terminal, a few plain lines when piped, nothing by choice."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from typing import Literal, TextIO

from lorelab.records import RunRecord, RunStatus

_TERMINAL_S, _PLAIN_S = 0.1, 10.0


class ProgressLine:
    """Progress of one run on ``stream`` (standard error by default, so that piped output stays clean)."""

    def __init__(self, mode: Literal["auto", "plain", "quiet"] = "auto", stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.mode = mode if mode != "auto" else ("line" if self.stream.isatty() else "plain")
        self._interval = _TERMINAL_S if self.mode == "line" else _PLAIN_S
        self._name, self._total, self._begun, self._shown = "", 0, 0.0, 0.0
        self._latest: dict[str, float] = {}
        self._keys: tuple[str, ...] = ()

    def of_one(self) -> ProgressLine:
        """For one of many runs that share this line: shows nothing but the run's outcome."""
        one = _Outcome(stream=self.stream)
        one.mode = self.mode
        return one

    def start(self, name: str, total_steps: int, monitor: str = "val/loss") -> None:
        """Begins to count time for the run ``name`` of ``total_steps`` optimiser steps, of which it will show the
        training loss and ``monitor``."""
        self._keys = ("train/loss", monitor)
        self._name, self._total, self._latest = name, total_steps, {}
        self._begun = self._shown = time.monotonic()
        if self.mode == "plain":
            self._write(f"{name}: {total_steps} steps\n")

    def update(self, metrics: Mapping[str, float], step: int) -> None:
        """Shows the newest values, at most ten times a second in a terminal and every ten seconds elsewhere."""
        self._latest |= metrics
        now = time.monotonic()
        if self.mode == "quiet" or now - self._shown < self._interval:
            return
        self._shown = now
        done = min(step / self._total, 1.0) if self._total else 0.0
        left = (now - self._begun) * (1 - done) / done if done else 0.0
        values = "  ".join(f"{key} {value:.4g}" for key, value in self._latest.items() if key in self._keys)
        text = f"{self._name}  {done:4.0%}  step {step}/{self._total}  {clock(left)} left  {values}"
        if self.mode == "plain":
            self._write(text + "\n")
        else:
            width = shutil.get_terminal_size().columns
            self._write("\r\x1b[2K" + text[: width - 1])

    def finish(self, record: RunRecord) -> None:
        """Replaces the line by the run's outcome."""
        if self.mode == "quiet":
            return
        score = "" if record.score is None else f"  {record.monitor} {record.score:.4g}"
        where = f" at step {record.diverged_at}" if record.diverged_at is not None else ""
        lead = "\r\x1b[2K" if self.mode == "line" else ""
        on = f"  go on: lorelab train resume={record.name}" if record.status is RunStatus.KILLED else ""
        self._write(
            f"{lead}{record.name}: {record.status}{where}{score}  {record.steps} steps  {clock(record.seconds)}{on}\n"
        )

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class _Outcome(ProgressLine):
    def update(self, metrics: Mapping[str, float], step: int) -> None:
        pass


def clock(seconds: float) -> str:
    """Seconds as a reader says them: ``4.2 s``, ``3:05``, ``1:02:03``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
