"""One progress display for a whole sweep: done, running, pruned, failed, the best so far and the time left."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from lorelab.sweeps.trials import ENDED, Trial, TrialStatus, best_first
from lorelab.training.progress import clock

_TERMINAL_S, _PLAIN_S = 0.5, 10.0


def status_line(name: str, trials: Sequence[Trial], total: int, direction: str) -> str:
    """The state of a sweep in one line."""
    ends = [trial.status for trial in trials]
    counts = {str(status): ends.count(status) for status in TrialStatus if status in ends}
    done = counts.pop("finished", 0)
    words = [f"{done}/{total} done", *(f"{count} {word}" for word, count in counts.items())]
    best = next(iter(best_first(trials, direction)), None)
    if best is not None:
        words.append(f"best {best.value:.5g} (trial {best.number})")
    return f"{name}: " + "  ".join(words)


class Display:
    """Shows ``trials()`` on standard error from a thread of its own, until closed."""

    def __init__(
        self, name: str, trials: Callable[[], Sequence[Trial]], total: int, direction: str, mode: str = "auto",
        stream: TextIO | None = None,
    ) -> None:  # fmt: skip
        self.stream = stream or sys.stderr
        self.mode = mode if mode != "auto" else ("line" if self.stream.isatty() else "plain")
        self._name, self._trials, self._total, self._direction = name, trials, total, direction
        self._begun, self._done_before = time.monotonic(), 0
        self._shown = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lorelab-sweep", daemon=True)

    def __enter__(self) -> Display:
        if self.mode != "quiet":
            self._done_before = _done(self._trials())
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(5.0)
            self._show(last=True)

    def _run(self) -> None:
        while not self._ended.wait(_TERMINAL_S if self.mode == "line" else _PLAIN_S):
            self._show()

    def _show(self, last: bool = False) -> None:
        trials = self._trials()
        text = status_line(self._name, trials, self._total, self._direction)
        changed, self._shown = text != self._shown, text
        if (left := self._left(trials)) is not None and not last:
            text += f"  {clock(left)} left"
        if self.mode == "line":
            width = shutil.get_terminal_size().columns
            self._write("\r\x1b[2K" + text[: width - 1] + ("\n" if last else ""))
        elif changed:
            self._write(text + "\n")

    def _left(self, trials: Sequence[Trial]) -> float | None:
        done = _done(trials)
        new = done - self._done_before
        return (time.monotonic() - self._begun) / new * max(self._total - done, 0) if new > 0 else None

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _done(trials: Sequence[Trial]) -> int:
    return sum(trial.status in ENDED for trial in trials)
