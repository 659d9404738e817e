"""Memory that was freed stays with the process. A step frees what the next one asks for, and the kernel hands out fresh
pages one by one, each cleared first: a fifth to a third of the time of a small convolutional net on a CPU."""

from __future__ import annotations

import ctypes
import os

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD = -3, -1, -2
"""Of glibc's ``malloc.h``; see mallopt(3)."""
_HUGE, _NEVER, _AT_ONCE = 1 << 30, (1 << 31) - 1, 64 << 20
"""Bytes. A block from the first on is given back when it is freed, as always; of others nothing is; the heap grows by
the last."""


def keep_freed_memory() -> bool:
    """Tells glibc's allocator to keep what is freed below 1 GiB, at the price of holding on to the most that the
    process needed so far. Returns whether that was done: not where another C library is in use, nor where the
    environment tunes the allocator (``MALLOC_…``, ``GLIBC_TUNABLES``)."""
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    try:
        if not os.confstr("CS_GNU_LIBC_VERSION"):
            return False
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError, ValueError):  # macOS, musl, Windows
        return False
    return all(mallopt(*each) for each in ((_MMAP_THRESHOLD, _HUGE), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _AT_ONCE)))
