"""A sweep summed up from its folder: counts, the best, what confirmation made of it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorelab.pages.numbers import number
from lorelab.sweeps import folder as folders
from lorelab.sweeps.confirm import Confirmed, confirmed
from lorelab.sweeps.preset import preset_command
from lorelab.sweeps.search import Search
from lorelab.sweeps.space import Dimension
from lorelab.sweeps.trials import Trial, TrialStatus, best_first

EDGE = 0.1
"""The best lies near an edge if it is within this share of the range, on the scale it was searched on."""


@dataclass(frozen=True)
class Summary:
    """A sweep as far as it has come: plain values."""

    name: str
    command: str
    """What goes on with it."""
    monitor: str
    direction: str
    total: int
    trials: Sequence[Trial]
    dimensions: Sequence[Dimension]
    confirmed: Sequence[Confirmed]
    importances: Mapping[str, float]
    preset: str = ""
    """Command that trains with the winner's config."""

    @property
    def best(self) -> Trial | None:
        """The trial that the sweep recommends: best when confirmed, else best when selected."""
        if self.confirmed:
            return next(trial for trial in self.trials if trial.number == self.confirmed[0].trial)
        return next(iter(best_first(self.trials, self.direction)), None)

    @property
    def score(self) -> float | None:
        """Confirmed where it was, else selected."""
        if self.confirmed:
            return self.confirmed[0].mean
        return None if self.best is None else self.best.value

    def counts(self) -> dict[str, int]:
        """Trials by how they ended."""
        ends = [str(trial.status) for trial in self.trials]
        return {status: ends.count(status) for status in map(str, TrialStatus) if status in ends}

    def near_edge(self) -> list[str]:
        """A sentence for each numeric key whose best value lies near an end of what was searched."""
        found = []
        for each in self.dimensions if self.best is not None else ():
            value = self.best.params.get(each.key)  # type: ignore[union-attr]
            if each.kind == "choice" or value is None:
                continue
            place = _place(each, float(value))
            if place < EDGE or place > 1 - EDGE:
                end, bound = ("lower", each.low) if place < EDGE else ("upper", each.high)
                found.append(f"the best {each.key} ({value:.3g}) lies near the {end} end of what was searched "
                             f"({bound:g}): search further out")  # fmt: skip
        return found


def _place(each: Dimension, value: float) -> float:
    if each.log:
        return math.log(value / each.low) / math.log(each.high / each.low)
    return (value - each.low) / (each.high - each.low)


def words_of(trial: Trial) -> str:
    """Its parameters in one line."""
    return " ".join(f"{key}={_short(value)}" for key, value in trial.params.items()) or "(nothing varies)"


def confirmed_line(each: Confirmed, monitor: str) -> str:
    """Selected beside confirmed, and the difference: the winner's curse."""
    spread = "" if each.sd is None else f" ± {number(each.sd)}"
    return (
        f"trial {each.trial}: selected at {monitor} {number(each.selected)}, confirmed {number(each.mean)}{spread} "
        f"on {len(each.scores)} fresh seeds (selected − confirmed {number(each.curse, signed=True)})"
    )


def summary_of(folder: Path) -> Summary:
    """The sweep in ``folder`` as it is now.

    Raises:
        LorelabError: there is none.
    """
    about = folders.read(folder)
    search = Search.of(folder, about)
    trials, dimensions = search.trials(), [Dimension.from_dict(each) for each in about.identity["space"]]
    best, seeds = about.confirm
    fresh = Search.of(folder, about, confirming=True).trials() if best else []
    return Summary(
        name=about.name,
        command=f"lorelab train {shlex.join(about.command)}",
        monitor=about.monitor,
        direction=about.direction,
        total=about.total,
        trials=trials,
        dimensions=dimensions,
        confirmed=confirmed(trials, fresh, about.direction, best, seeds),
        importances=search.importances() if len(dimensions) > 1 else {},
        preset=preset_command(folder, about.name),
    )


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
