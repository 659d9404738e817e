"""The check that a task's score is something it measures, read in the direction that means better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lorelab.errors import nearest

Mode = Literal["max", "min"]


def check_monitor(task: str, monitor: str, mode: str, better: Mapping[str, Mode]) -> None:
    """Raises ``ValueError`` unless ``monitor`` is ``val/NAME`` and ``mode`` the direction in which NAME improves.

    ``better``: scalar metrics by bare name, with the direction in which each improves. A score read the wrong way
    round would keep the worst checkpoint without a word, hence the second check.
    """
    valid: dict[str, Mode] = {f"val/{name}": direction for name, direction in better.items()}
    if monitor not in valid:
        raise ValueError(f"{task}: monitor='{monitor}' is not measured by this task: {nearest(monitor, valid)}")
    if mode != valid[monitor]:
        raise ValueError(f"{task}: mode='{mode}' with monitor='{monitor}', expected mode='{valid[monitor]}'")
