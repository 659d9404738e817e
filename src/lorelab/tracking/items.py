"""What one run sends to its store after its start, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Point:
    """One value of one metric; ``millis`` since the epoch. Writing the same point twice leaves one."""

    name: str
    value: float
    step: int
    millis: int


@dataclass(frozen=True)
class Tags:
    """Tags to set, in place of earlier values."""

    tags: Mapping[str, str]


@dataclass(frozen=True)
class File:
    """A file or folder to copy below the artifact path ``folder``."""

    path: Path
    folder: str


@dataclass(frozen=True)
class Text:
    """A text artifact."""

    content: str
    path: str


@dataclass(frozen=True)
class End:
    """Closes the run with MLflow's ``status``; ``millis`` since the epoch."""

    status: str
    millis: int


Item = Point | Tags | File | Text | End
