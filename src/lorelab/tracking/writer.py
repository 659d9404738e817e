"""A queue and one thread that writes it away in batches, so that training never waits for a store."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class BatchWriter(Generic[T]):
    """Hands queued items to ``write`` in the order they came, from one daemon thread.

    A batch is written after ``wait`` seconds or at ``size`` items, whichever is first. What ``write`` raises is kept
    in ``errors`` and the next batch is tried as usual: a store that hiccups must not end a training run.
    """

    def __init__(self, write: Callable[[list[T]], None], *, wait: float = 1.0, size: int = 500) -> None:
        self.errors: list[Exception] = []
        self._write = write
        self._wait = wait
        self._size = size
        self._queue: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="lorelab-tracker", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Queues ``item`` and returns at once."""
        self._queue.put(item)

    def close(self, timeout: float) -> bool:
        """Waits until all is written, ``timeout`` seconds at most, and says whether it is. May be called again."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def take_back(self) -> list[T]:
        """What is queued and not yet handed to ``write``: for one who gives up waiting for it."""
        rest: list[T] = []
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._queue.get_nowait()
                rest += [] if item is None else [item]
        self._queue.put(None)  # the thread ends, if ever `write` returns
        return rest

    def _run(self) -> None:
        closing = False
        while not closing:
            batch, closing = self._collect()
            if batch:
                try:
                    self._write(batch)
                except Exception as error:
                    self.errors.append(error)

    def _collect(self) -> tuple[list[T], bool]:
        """The next batch, and whether it is the last."""
        batch: list[T] = []
        deadline: float | None = None  # counts from the first item: an idle run costs nothing
        while len(batch) < self._size:
            try:
                item = self._queue.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
            deadline = deadline if deadline is not None else time.monotonic() + self._wait
        return batch, False
