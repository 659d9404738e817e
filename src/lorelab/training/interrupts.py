"""Ctrl-C and SIGTERM as one exception that nothing between the signal and the run's closing swallows."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType


class Interrupted(BaseException):
    """The user or the system asked the process to stop. Not an ``Exception``, so that no library's handler keeps it;
    not a ``KeyboardInterrupt``, because Lightning turns that one into ``sys.exit``."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


@dataclass
class Signals:
    """What ``interruptible`` yields. While ``held``, a signal is kept in ``pending`` instead of raised."""

    held: bool = False
    pending: int | None = None

    def release(self) -> None:
        """Raises ``Interrupted`` for a signal that came while held."""
        self.held = False
        if self.pending is not None:
            raise Interrupted(self.pending)


@contextlib.contextmanager
def interruptible() -> Iterator[Signals]:
    """Inside, the first SIGINT or SIGTERM raises ``Interrupted`` in the main thread; a second ends the process at once.

    Outside the main thread, where Python delivers no signals, this does nothing.
    """
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    asked = False

    def stop(signum: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + signum)
        asked = True
        if signals.held:
            signals.pending = signum
            return
        raise Interrupted(signum)

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
