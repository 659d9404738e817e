"""Trackers for many runs at once in one process, whose writers would otherwise all wait for the same database."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lorelab.records import RunRecord, RunStart
from lorelab.tracking.protocol import StoredRun, Tracker

_OWN_SECONDS, _ALL_SECONDS = 10.0, 0.2


class Pace:
    """Lets one tracker of many write at a time: each after ``own`` seconds again, any two ``between`` seconds apart."""

    def __init__(self, own: float = _OWN_SECONDS, between: float = _ALL_SECONDS) -> None:
        self.own, self.between = own, between
        self._last = 0.0

    def turn(self, since: float) -> bool:
        """Whether it is the turn of one that wrote last at ``since``, on the monotonic clock."""
        now = time.monotonic()
        if now - since < self.own or now - self._last < self.between:
            return False
        self._last = now
        return True


class PacedTracker:
    """``inner``, but points wait here until it is this run's turn, or its end.

    32 MLflow trackers on one SQLite file have a writer each, and the pool of connections that they share has 15: some
    wait for half a minute and lose their points. What a stack loses when it is killed is trained again anyway. A point
    in the store has the time at which it was written, up to some seconds late.
    """

    def __init__(self, inner: Tracker, pace: Pace) -> None:
        self.inner, self.pace = inner, pace
        self._points: list[tuple[Mapping[str, float], int]] = []
        self._wrote = time.monotonic()
        self.location = inner.location

    def start(self, start: RunStart) -> str:
        """At once."""
        self._wrote = time.monotonic()
        run_id = self.inner.start(start)
        self.location = self.inner.location
        return run_id

    def finished(self, signature: str) -> RunRecord | None:
        """As the inner tracker says."""
        return self.inner.finished(signature)

    def begun(self, filters: Mapping[str, str]) -> Sequence[StoredRun]:
        """As the inner tracker says."""
        return self.inner.begun(filters)

    def join(self, run_id: str, tags: Mapping[str, str]) -> None:
        """At once."""
        self.inner.join(run_id, tags)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keeps the points, and hands on all that are kept if it is this run's turn."""
        self._points.append((dict(metrics), step))
        if self.pace.turn(self._wrote):
            self._hand_on()

    def artifact(self, path: Path, folder: str = "") -> None:
        """At once: no database is needed for a file."""
        self.inner.artifact(path, folder)

    def text(self, content: str, path: str) -> None:
        """At once."""
        self.inner.text(content, path)

    def tag(self, tags: Mapping[str, str]) -> None:
        """At once."""
        self.inner.tag(tags)

    def finish(self, record: RunRecord, patience: float | None = None) -> None:
        """With all points that are kept."""
        self._hand_on()
        self.inner.finish(record) if patience is None else self.inner.finish(record, patience)

    def _hand_on(self) -> None:
        points, self._points, self._wrote = self._points, [], time.monotonic()
        for metrics, step in points:
            self.inner.log(metrics, step)
