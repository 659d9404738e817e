"""How near the range test's suggestions come to the learning rates that tuning chose."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from lorelab.studies.spec import RATE, Study
from lorelab.studies.table import Row

NEAR = 3.0
"""Within this factor a suggestion counts as near."""


@dataclass(frozen=True)
class Near:
    """Of one task."""

    task: str
    runs: int
    suggested: tuple[float, ...]
    """Rates that were suggested, ascending; not every test suggests one."""
    optimum: float
    near: int
    """Suggestions within the factor ``NEAR`` of the optimum."""

    @property
    def median(self) -> float | None:
        """Of the suggestions; None if there are none."""
        return statistics.median(self.suggested) if self.suggested else None


def suggestions(study: Study, rows: Sequence[Row]) -> list[Near]:
    """For every task that was trained, from the runs that decide; nothing if the study does not ask for it."""
    found = []
    for task in study.tasks if study.suggestions else ():
        assert study.suggestions is not None
        finals = [row for row in rows if (row.role, row.task) == ("final", task)]
        mine = [row for row in finals if row.arm == study.suggestions.arm]
        tuned = [row.params[RATE] for row in finals if row.arm == study.suggestions.optimum and RATE in row.params]
        if mine and tuned:
            rates = sorted(row.value("lr_range/rate") for row in mine if row.value("lr_range/suggested") == 1)
            optimum = float(tuned[0])
            near = sum(1 / NEAR <= rate / optimum <= NEAR for rate in rates)
            found.append(Near(task, len(mine), tuple(rates), optimum, near))
    return found
