"""Trying something out without the run noticing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lorelab.training.interrupts import Signals
from lorelab.training.keeper import random_states, set_random_states


@contextmanager
def no_trace(signals: Signals | None = None) -> Iterator[None]:
    """What is drawn inside leaves the random states of torch, NumPy and Python as they were, also after an exception.

    Of ``signals``, one that comes while they are put back waits until they are whole, and raises ``Interrupted`` then.
    """
    states = random_states()
    try:
        yield
    finally:
        if signals is not None:
            signals.held = True
        set_random_states(states)
        if signals is not None:
            signals.release()
