"""What happens to each point of a run: stored, shown, and kept for the picture of the curves."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lorelab.tracking.protocol import Tracker
from lorelab.training.progress import ProgressLine


@dataclass
class Journal:
    """Fans each point out to the store and the screen, and keeps the history."""

    tracker: Tracker
    progress: ProgressLine
    history: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))

    def __call__(self, points: Mapping[str, float], step: int) -> None:
        """Points (metric → value) at an optimiser step."""
        self.tracker.log(points, step)
        self.progress.update(points, step)
        for key, value in points.items():
            self.history[key].append((step, value))

    def restore(self, history: Mapping[str, Sequence[tuple[int, float]]]) -> None:
        """Takes the points of an interrupted process back, and hands them to the store once more, which leaves out what
        it has: a process that is killed takes with it what was queued."""
        for key, points in history.items():
            self.history[key] = list(points)
            for step, value in points:
                self.tracker.log({key: value}, step)

    def publisher(self, folder: Path) -> Callable[[], None]:
        """A function that stores those files below ``folder`` which are new since its last call."""
        known: dict[Path, int] = {}

        def publish() -> None:
            found = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
            for file in sorted(path for path in found if path.is_file()):
                changed = file.stat().st_mtime_ns
                if known.get(file) != changed:
                    known[file] = changed
                    self.tracker.artifact(file, "" if file.parent == folder else str(file.parent.relative_to(folder)))

        return publish
