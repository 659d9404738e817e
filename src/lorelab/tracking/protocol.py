"""The two seams to the store of runs: ``Tracker`` writes one run, ``RunStore`` reads them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lorelab.records import RunRecord, RunStart


class Tracker(Protocol):
    """Writes one run at a time: ``start``, then any number of ``log`` and ``artifact``, then ``finish``.

    No method but ``start`` and ``finish`` may make training wait: they queue, another thread writes.
    """

    location: str
    """Where the files of the run lie, once it is started; "" if nowhere."""

    def start(self, start: RunStart) -> str:
        """Opens a run and returns its id. Raises ``StoreError`` if the store cannot be reached."""
        ...

    def finished(self, signature: str) -> RunRecord | None:
        """The newest run with this signature that ended with a result, if there is one."""
        ...

    def begun(self, filters: Mapping[str, str]) -> Sequence[StoredRun]:
        """Runs of every end that have these tags and parameters, the newest first; what their processes left open is
        closed before. Raises ``StoreError`` if the store cannot be reached."""
        ...

    def join(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Makes a finished run part of a sweep that would have trained it again, by the tags that say so."""
        ...

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Queues one point per metric at optimiser step ``step``. Non-finite values are kept as such."""
        ...

    def artifact(self, path: Path, folder: str = "") -> None:
        """Queues a file for storage under the run's artifact path ``folder/`` + file name."""
        ...

    def text(self, content: str, path: str) -> None:
        """Queues ``content`` as the text artifact ``path``, e.g. ``config/resolved.yaml``."""
        ...

    def tag(self, tags: Mapping[str, str]) -> None:
        """Queues tags on the run; later values replace earlier ones."""
        ...

    def finish(self, record: RunRecord, patience: float | None = None) -> None:
        """Writes all that is queued, closes the run with ``record.status`` and final metrics. Safe to call twice.

        ``patience``: seconds that the store has for it; None leaves that to the tracker.
        """
        ...


@dataclass(frozen=True)
class StoredRun:
    """One run as read back: plain values only."""

    run_id: str
    name: str
    status: str
    """A ``RunStatus`` value."""
    started: float
    """Seconds since the epoch."""
    seconds: float | None
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: str = ""
    """URI of the run's artifacts."""

    @property
    def monitor(self) -> str:
        """Name of the metric that decides, as the run recorded it."""
        return self.tags.get("lorelab.monitor", "")


class RunStore(Protocol):
    """Reads runs back."""

    def runs(
        self, *, filters: Mapping[str, str] | None = None, limit: int = 1000, newest_first: bool = True
    ) -> Sequence[StoredRun]:
        """Runs whose parameters, tags or status equal ``filters``, as ``{"optimizer.lr": "0.1", "seed": "0"}``."""
        ...

    def get(self, run: str) -> StoredRun:
        """One run by id, unique id prefix or name. Raises ``StoreError`` naming near matches."""
        ...

    def history(self, run_id: str, metric: str) -> Sequence[tuple[int, float]]:
        """All points ``(step, value)`` of one metric in step order."""
        ...

    def download(self, run_id: str, path: str, to: Path) -> Path:
        """Copies the artifact ``path`` of a run below ``to`` and returns where it lies."""
        ...
