"""A tracker that keeps everything in memory: for notebooks, tests and ``tracker=none``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from lorelab.records import RunRecord, RunStart
from lorelab.tracking.protocol import StoredRun


class MemoryTracker:
    """Writes nothing to disk. Of several runs in a row it remembers the last; read its attributes after ``finish``."""

    location = ""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.run: RunStart | None = None
        self.points: list[tuple[str, float, int]] = []
        """``(metric, value, step)`` in the order logged."""
        self.tags: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        """Content of each artifact, by artifact path."""
        self.record: RunRecord | None = None

    def start(self, start: RunStart) -> str:
        """Forgets the run before and returns a fresh id."""
        self._forget()
        self.run = start
        self.tags = dict(start.tags)
        self.texts = dict(start.files)
        return start.resume or uuid4().hex

    def finished(self, _signature: str) -> RunRecord | None:
        """None: nothing outlives the process."""
        return None

    def begun(self, filters: Mapping[str, str]) -> Sequence[StoredRun]:
        """None, likewise."""
        return []

    def join(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Nothing to do."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keeps the points."""
        self.points += [(name, float(value), int(step)) for name, value in metrics.items()]

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keeps the content of a file, or of all files below a folder."""
        base = path if path.is_dir() else path.parent
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                self.files["/".join(filter(None, [folder, file.relative_to(base).as_posix()]))] = file.read_bytes()

    def text(self, content: str, path: str) -> None:
        """Keeps the text."""
        self.texts[path] = content

    def tag(self, tags: Mapping[str, str]) -> None:
        """Keeps the tags, later values in place of earlier ones."""
        self.tags |= tags

    def finish(self, record: RunRecord, _patience: float | None = None) -> None:
        """Keeps the record; the first one if called twice."""
        if self.run is not None and self.record is None:
            self.record = record

    def history(self, metric: str) -> list[tuple[int, float]]:
        """All points ``(step, value)`` of one metric in step order."""
        return sorted(
            ((step, value) for name, value, step in self.points if name == metric), key=lambda point: point[0]
        )
