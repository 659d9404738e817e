"""One user-facing seed, many independent streams: weights, batch order, augmentation and dropout never share one."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *labels: str | int) -> int:
    """A 63-bit seed for one purpose, e.g. ``derive_seed(0, "order", epoch)``.

    Hashed, not added, so that neighbouring seeds and epochs share nothing; equal on every machine and Python version.
    """
    text = "/".join([str(seed), *map(str, labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
