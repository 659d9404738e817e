"""Ctrl-C and SIGTERM as one exception that nothing between the signal and the run's closing swallows."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType

Handler = Callable[[int, FrameType | None], None]
GRACE_SECONDS = 2.5
"""How long a signal waits for the end of a training step before it interrupts whatever is under way."""
END_SECONDS = 3.5
"""From the signal to the last that a run's closing may wait for; with the end of the process that is below five."""


class Interrupted(BaseException):
    """The user or the system asked the process to stop. Not an ``Exception``, so that no library's handler keeps it;
    not a ``KeyboardInterrupt``, because Lightning turns that one into ``sys.exit``."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


@dataclass
class Signals:
    """What ``interruptible`` yields. While ``held`` or ``graceful``, a signal is kept in ``pending`` instead of raised:
    held until ``release``, graceful until then or somebody looks, at most ``GRACE_SECONDS``."""

    held: bool = False
    graceful: bool = False
    pending: int | None = None
    came: float = 0.0
    """When the pending signal did, on the monotonic clock."""
    handlers: Mapping[int, Handler] = field(default_factory=dict)

    def install(self) -> None:
        """Puts the handlers in place, again if a library has put its own before them (Lightning does, for SIGTERM)."""
        for signum, handler in self.handlers.items():
            signal.signal(signum, handler)

    def left(self, among: int = 1) -> float:
        """Seconds that closing may still take after a signal; never less than a moment for all of ``among`` runs."""
        return max(0.5 / among, END_SECONDS - (time.monotonic() - self.came))

    def wait(self) -> None:
        """From here to ``release`` signals are graceful, one that is pending already included."""
        self.held, self.graceful = False, True
        if self.pending is not None:
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def release(self) -> None:
        """Raises ``Interrupted`` for a signal that came while held or graceful."""
        self._calm()
        if self.pending is not None:
            raise Interrupted(self.pending)

    @contextlib.contextmanager
    def patient(self) -> Iterator[None]:
        """Inside, signals are graceful; at the end one that is still pending is raised."""
        self.wait()
        try:
            yield
        finally:
            self._calm()
        self.release()

    def _calm(self) -> None:
        self.held = self.graceful = False
        if threading.current_thread() is threading.main_thread():
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def interruptible() -> Iterator[Signals]:
    """Inside, the first SIGINT or SIGTERM raises ``Interrupted`` in the main thread; a second ends the process at once.

    Outside the main thread, where Python delivers no signals, this does nothing.
    """
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return

    def stop(signum: int, _frame: FrameType | None) -> None:
        if signals.pending is not None:
            os._exit(128 + signum)
        signals.pending, signals.came = signum, time.monotonic()
        if signals.graceful and not signals.held:
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        elif not signals.held:
            raise Interrupted(signum)

    def no_longer(_signum: int, _frame: FrameType | None) -> None:
        if signals.graceful and not signals.held and signals.pending is not None:
            raise Interrupted(signals.pending)

    signals.handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGALRM: no_longer}
    before = {signum: signal.getsignal(signum) for signum in signals.handlers}
    signals.install()
    try:
        yield signals
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for signum, handler in before.items():
            signal.signal(signum, handler)
