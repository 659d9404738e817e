"""What happens to each point of a run: stored, shown, and kept for the picture of the curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

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
