"""What a sweep and a search are told by their configs, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Factory = Callable[..., Any]


@dataclass(frozen=True)
class SweepSettings:
    """How the trials of a sweep are run.

    Raises:
        ValueError: a value is out of range.
    """

    name: str | None = None
    """Null: made from the command itself, so that the same command goes on with the same sweep."""
    workers: int | None = None
    """Processes that train at the same time; null: as many as the GPUs take at ``gpu_share``, or one (``stacked``: one;
    ``auto``: one for each core, where they pay)."""
    gpu_share: float = 1.0
    """Part of a GPU that one worker gets: 0.25 puts four workers on each."""
    batch: int | None = None
    """Trials handed to a launcher at once; null: all of a grid, of a search its ``batch`` or ``n_jobs``."""
    max_failures: int = 5
    """So many trials that fail one after the other end the sweep."""
    attempts: int = 3
    """So many workers may die of one trial, while the sweep itself lives, before the trial has failed."""
    jobs: str | None = None
    """A JSON file with a list of ``{"name": ..., "overrides": [...]}``: a trial each, in place of a grid."""
    trial: int | None = None
    """Set by the sweeper for the job of a trial."""
    confirms: int | None = None
    """Set by the sweeper for a job that repeats this trial on a fresh seed."""

    def __post_init__(self) -> None:
        _at_least(1, workers=self.workers, batch=self.batch, max_failures=self.max_failures, attempts=self.attempts)
        if not 0 < self.gpu_share <= 1:
            raise ValueError(f"gpu_share must be above 0 and at most 1, got {self.gpu_share}")
        if self.name is not None and (not self.name or set(self.name) & set("/\\'\"` ") or self.name.startswith(".")):
            raise ValueError(f"name must be usable as a folder, without spaces, slashes and quotes, got {self.name!r}")


@dataclass(frozen=True)
class SearchSettings:
    """What a search proposes, how it is judged and how the winner is confirmed.

    Raises:
        ValueError: a value is out of range.
    """

    sampler: Factory
    """From ``seed`` to an Optuna sampler; ``GridSampler`` goes through a finite space in order."""
    space: Mapping[str, Any] = field(default_factory=dict)
    """Key → sweep in Hydra's grammar; sweeps on the command line come on top and win."""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """Key of the space → ``OTHER=VALUE[,VALUE…]`` without which it is left alone."""
    trials: int | None = 20
    """Total over all starts of the sweep; null: all of a finite space."""
    direction: Literal["auto", "maximize", "minimize"] = "auto"
    """Auto: as the task's score is better."""
    seed: int = 0
    startup_trials: int = 0
    """Trials of ``startup_sampler`` before ``sampler`` takes over."""
    startup_sampler: Factory | None = None
    pruner: Factory | None = None
    seeds: int = 1
    """Training seeds of one trial: seed, seed + 1, … of the config."""
    value: Literal["mean", "worst"] = "mean"
    """Of a trial's scores over its seeds."""
    confirm_best: int = 0
    """So many of the best configurations are trained again at the end, on fresh seeds."""
    confirm_seeds: int = 5
    storage: str = "journal"
    """"journal": a file in the sweep's folder; "env": the database whose URL is in ``LORELAB_SEARCH_URL``; or a URL
    without a password, because it is recorded with every run."""
    test: bool = False
    """Whether trials read the test split; confirmations always do, once."""

    def __post_init__(self) -> None:
        _at_least(1, trials=self.trials, seeds=self.seeds, confirm_seeds=self.confirm_seeds)
        _at_least(0, startup_trials=self.startup_trials, confirm_best=self.confirm_best)
        if re.search(r"://[^/@]*:[^/@]*@", self.storage):
            raise ValueError("storage holds a password; put the URL into LORELAB_SEARCH_URL and use storage=env")
        if self.startup_trials and self.startup_sampler is None:
            raise ValueError(f"startup_trials={self.startup_trials} needs a startup_sampler")
        if unknown := sorted(set(map(str, self.conditions)) - set(map(str, self.space))):
            raise ValueError(f"conditions name {', '.join(unknown)}, which the space does not hold")
        for key, condition in self.conditions.items():
            if not all(part.strip() for part in str(condition).partition("=")):
                raise ValueError(f"conditions: {key}: {condition}, expected OTHER=VALUE or OTHER=VALUE,VALUE")


class GridSampler:
    """Marks a search that goes through every combination of its space, in Hydra's order; nothing is sampled."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed


def _at_least(least: int, **values: int | None) -> None:
    for name, value in values.items():
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
