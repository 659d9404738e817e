"""Between the writer's thread and the store: what the store does not take now waits on disk, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lorelab.errors import StoreError
from lorelab.tracking.items import Item
from lorelab.tracking.outbox import Outbox

RETRY_SECONDS = 5.0
"""Before the first new try while the store is away; a try may take seconds itself."""
LONGEST_PAUSE = 60.0


@dataclass
class Undelivered:
    """What of some items was not stored."""

    away: list[Item] = field(default_factory=list)
    """To be tried again, in order: the store did not answer, or could not write."""
    refused: list[str] = field(default_factory=list)
    """Reasons of what is given up."""
    reason: str = ""
    """Of the first that is away."""


class Nowhere:
    """The sink of a run that began without a store."""

    def __init__(self, reason: str) -> None:
        self.reason = reason.splitlines()[0]

    def __call__(self, items: Sequence[Item]) -> Undelivered:
        """Nothing is delivered."""
        return Undelivered(away=list(items), reason=self.reason)


class Delivery:
    """Hands items on to ``sink``; called on the writer's thread.

    What the store does not take goes to ``outbox`` with all that comes after it, and is tried again as further items
    come, after ``RETRY_SECONDS`` and then twice as long each time. What the outbox cannot take is held in memory.
    Once ``give_up`` was called, by another thread while the sink hangs, everything goes to the outbox.
    """

    def __init__(self, sink: Callable[[Sequence[Item]], Undelivered], outbox: Outbox, about: Mapping[str, Any]) -> None:
        self.sink, self.outbox, self.about = sink, outbox, about
        self.refused: list[str] = []
        self.reason = ""
        """Why the store was away last."""
        self._held: list[Item] = []
        self._in_hand: list[Item] = []
        """What the sink was given and has not answered for."""
        self._given_up = False
        self._lock = threading.Lock()
        self._next_try = 0.0
        self._pause = RETRY_SECONDS

    @property
    def waiting(self) -> bool:
        """Whether something is still to be delivered."""
        return bool(self._held) or bool(self.outbox)

    @property
    def held(self) -> int:
        """Items that are in memory only, because the outbox could not be written."""
        return len(self._held)

    def __call__(self, items: Sequence[Item], *, now: bool = False) -> None:
        """Delivers ``items`` after what waits; ``now``: without waiting for the next try."""
        with self._lock:
            if self._given_up or (self.waiting and not now and time.monotonic() < self._next_try):
                self._keep(items)
                return
            self._in_hand = list(items)
        try:
            backlog = []
            if self.outbox:
                self.outbox.lock()
                backlog = self.outbox.items()
            outcome = self.sink([*backlog, *self._held, *items])
        except Exception as error:
            with self._lock:
                self.reason = str(error)
                self._held += self._in_hand
                self._in_hand = []
            return
        with self._lock:
            if not self._given_up:
                self._in_hand = []
                self._settle(outcome, backlog, len(backlog) + len(self._held) + len(items))

    def give_up(self, reason: str) -> None:
        """Keeps what the sink has not answered for; what it may still take of that arrives twice, and counts once."""
        with self._lock:
            self._given_up, self.reason = True, reason
            self._keep(self._in_hand)
            self._in_hand = []

    def _settle(self, outcome: Undelivered, backlog: Sequence[Item], tried: int) -> None:
        self.refused += outcome.refused
        if outcome.away:
            self.reason, self._next_try = outcome.reason, time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        nothing_new = len(outcome.away) == tried
        rest, self._held = outcome.away[len(backlog) :] if nothing_new else outcome.away, []
        if backlog and not nothing_new:
            self._rewrite(rest, backlog)
        elif rest:
            self._keep(rest)

    def _keep(self, items: Sequence[Item]) -> None:
        try:
            self.outbox.keep([*self._held, *items], self.about)
            self._held = []
        except (OSError, StoreError) as error:
            self.reason = self.reason or str(error)
            self._held += items

    def _rewrite(self, items: Sequence[Item], backlog: Sequence[Item]) -> None:
        try:
            self.outbox.replace(items)
        except OSError as error:  # the old file stands: some of it will be written twice, which leaves each point once
            self.reason = self.reason or str(error)
            self._held = [item for item in items if item not in backlog]
