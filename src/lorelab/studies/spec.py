"""A study as it is declared before any run: arms, tasks, seeds, claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lorelab.studies.rules import Claim, Kind

SCALES = ("smoke", "laptop", "full")
RATE = "optimizer.lr"
TUNING_SEED, FRESH_SEED = 1_000, 0
"""First of the seeds that tuning trains with, and of those that decide."""


@dataclass(frozen=True)
class Search:
    """How an arm is tuned on each task: draws that cover its space evenly and hang on none of the scores, so that what
    fewer of them would have found can be told from any of them."""

    space: Mapping[str, str]
    """Key → sweep in Hydra's grammar."""
    trials: int


@dataclass(frozen=True)
class Arm:
    """One of the things compared."""

    name: str
    overrides: tuple[str, ...]
    search: Search | None
    label: str


@dataclass(frozen=True)
class StudyTask:
    """A data set, a net and a budget."""

    name: str
    overrides: tuple[str, ...]
    """The preset, then what the scale changes of it."""
    metric: str
    mode: Literal["max", "min"]
    margin: float
    """The smallest difference of ``metric`` that would matter here, in its unit."""
    worst: float | None
    """What a diverged run scores; None if the metric has no worst value."""


@dataclass(frozen=True)
class Measure:
    """What a claim compares, where it is not the task's metric."""

    metric: str
    mode: Literal["max", "min"]
    worst: float | None
    """What a diverged run scores; None if the metric has no worst value."""


@dataclass(frozen=True)
class Grid:
    """A key at fixed values, each with every seed. What it is for: over how many decades of it an arm scores within the
    task's margin of its best (``ranges``)."""

    key: str
    values: tuple[float, ...]
    """Ascending, above 0."""


@dataclass(frozen=True)
class StudyClaim:
    """One sentence that ends in a verdict."""

    name: str
    kind: Kind
    a: str
    b: str
    """The other arm; "" where the claim is ``against`` a baseline."""
    tasks: tuple[str, ...]
    says: str
    """What is claimed, for a reader."""
    margins: Mapping[str, float]
    """By task."""
    measure: Measure | None = None
    """In place of each task's metric."""
    grid: Grid | None = None
    """The claim is about the width of the range of good values, in decades."""
    against: str = ""
    """In place of an arm: another metric of A's own runs, what a baseline scores there (``test/ridge_rmse``)."""

    def measured(self, task: StudyTask) -> Measure:
        """What is compared on one task."""
        if self.grid is not None:
            return Measure(f"decades of {self.grid.key} within {task.margin:g} of the best", "max", 0.0)
        return self.measure or Measure(task.metric, task.mode, task.worst)

    def rule(self, task: str) -> Claim:
        """What decides it on one task."""
        return Claim(self.kind, self.margins[task])


@dataclass(frozen=True)
class Identity:
    """A claim of kind exact: needs no runs."""

    name: str
    says: str
    function: str
    """Dotted path of an ``evidence.Evaluate``."""
    tolerances: Mapping[str, float]
    """Number format → largest deviation that still counts as rounding."""


@dataclass(frozen=True)
class Picture:
    """A metric of the runs that decide, against a number that sets the tasks apart."""

    title: str
    metric: str
    """Also one of no claim: ``mechanism/sign_changes``."""
    x: str
    """What sets them apart: hidden layers."""
    tasks: Mapping[str, float]
    """Task → its place on that axis."""
    says: str = ""


@dataclass(frozen=True)
class Suggestions:
    """How often the learning rate that ``arm``'s runs took from the range test lies near the one that tuning chose."""

    arm: str
    """Trains with ``callbacks=lr_range``."""
    optimum: str
    """The arm whose tuned ``optimizer.lr`` is the optimum."""


@dataclass(frozen=True)
class Study:
    """Everything that is fixed before the first run, for one scale."""

    name: str
    question: str
    title: str
    scale: str
    arms: Mapping[str, Arm]
    tasks: Mapping[str, StudyTask]
    claims: tuple[StudyClaim, ...]
    looks: tuple[int, ...]
    """Numbers of seeds at which the claims are judged; one number where it is fixed beforehand."""
    change: str
    """What would change our mind."""
    identities: tuple[Identity, ...] = ()
    """The claims that are exact."""
    pictures: tuple[Picture, ...] = ()
    suggestions: Suggestions | None = None

    def labels(self, claim: StudyClaim) -> tuple[str, str]:
        """What a claim compares, for a reader."""
        rival = self.arms[claim.b].label if claim.b else claim.against.removeprefix("test/").replace("_", " ")
        return self.arms[claim.a].label, rival

    @property
    def seeds(self) -> range:
        """All that may be needed."""
        return range(FRESH_SEED, FRESH_SEED + self.looks[-1])
