"""What is tried next: a grid's combinations in order, or what Optuna's samplers propose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna

from lorelab.sweeps.settings import Factory
from lorelab.sweeps.space import Dimension, Value, draw


@dataclass(frozen=True)
class Proposals:
    """Where the parameters of a search's trials come from."""

    sampler: Factory | None = None
    """None: ``grid``."""
    seed: int = 0
    startup: Factory | None = None
    startup_trials: int = 0
    dimensions: Sequence[Dimension] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Values of keys that do not vary, which conditions may name."""
    grid: Sequence[Mapping[str, Value]] = ()


class Proposer:
    """One process's samplers, kept from one proposal to the next."""

    def __init__(self) -> None:
        self._sampler: Any = None

    def propose(self, known: Proposals, study: optuna.Study, number: int, known_id: int | None = None) -> None:
        """Begins trial ``number``, or goes on with what its process left of it (``known_id``)."""
        if known.sampler is not None:
            study.sampler = self._sampler_for(known, number) if known_id is None else _make_sampler(known, number)
        trial = study.ask() if known_id is None else optuna.Trial(study, known_id)
        if known.sampler is not None:
            draw(known.dimensions, known.fixed, lambda each: _suggest(trial, each))
            return
        params = dict(known.grid[number])  # as ``enqueue_trial`` does it, but without a trial that waits
        study._storage.set_trial_system_attr(trial._trial_id, "fixed_params", params)
        trial = optuna.Trial(study, trial._trial_id)
        for each in known.dimensions:
            if each.key in params:
                _suggest(trial, each)

    def _sampler_for(self, known: Proposals, number: int) -> Any:
        """This process's own, from the first new trial on that it proposes."""
        starting = number < known.startup_trials
        if self._sampler is None or self._sampler[0] != starting:
            self._sampler = (starting, _make_sampler(known, number))
        return self._sampler[1]


def _make_sampler(known: Proposals, number: int) -> Any:
    """Seeded by the trial that it begins with: two of one seed would propose the same points.

    Quasi-random sequences go on by themselves, and only with the same seed; not so what they draw independently.
    """
    make = known.startup if number < known.startup_trials else known.sampler
    assert make is not None
    sampler = make(seed=known.seed + number)
    if number and isinstance(sampler, optuna.samplers.QMCSampler):
        sampler = make(seed=known.seed, independent_sampler=sampler._independent_sampler)
    return sampler


def _suggest(trial: optuna.Trial, each: Dimension) -> Value:
    if each.kind == "choice":
        return str(trial.suggest_categorical(each.key, each.choices))
    if each.kind == "int":
        step = 1 if each.step is None else round(each.step)
        return trial.suggest_int(each.key, round(each.low), round(each.high), step=step, log=each.log)
    return trial.suggest_float(each.key, each.low, each.high, step=each.step, log=each.log)
