"""Where the parameters of a search's trials come from: a sampler of Optuna's, or a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import optuna

from lorelab.sweeps.settings import Factory
from lorelab.sweeps.space import Dimension, Value, draw


@dataclass(frozen=True)
class Proposals:
    """A sampler with what it needs, or a grid."""

    sampler: Factory | None = None
    """None: ``grid``."""
    seed: int = 0
    startup: Factory | None = None
    startup_trials: int = 0
    dimensions: Sequence[Dimension] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Values of keys that do not vary, which conditions may name."""
    grid: Sequence[Mapping[str, Value]] = ()

    def starting(self, number: int) -> bool:
        """Whether trial ``number`` is one of the start-up sampler's."""
        return self.startup is not None and number < self.startup_trials

    def sampler_for(self, number: int) -> optuna.samplers.BaseSampler:
        """One for trial ``number`` and those that this process begins after it.

        It has a seed of its own in each process: the same one would propose the same points again. Quasi-random
        sequences go on by themselves, and only with the same seed.
        """
        if self.sampler is None:
            return optuna.samplers.PartialFixedSampler(dict(self.grid[number]), optuna.samplers.RandomSampler(seed=0))
        starting = self.starting(number)
        make = self.startup if starting and self.startup is not None else self.sampler
        found = make(seed=self.seed)
        if number and not starting and not isinstance(found, optuna.samplers.QMCSampler):
            found = make(seed=self.seed + number)
        return found

    def fill(self, held: Mapping[str, Value], number: int, trial: Callable[[], optuna.Trial]) -> None:
        """Suggests to ``trial()`` what it lacks beside ``held``; not called if that is nothing, because the first
        suggestion to a trial takes a point of a quasi-random sequence."""

        def suggest(each: Dimension) -> Value:
            return held[each.key] if each.key in held else _suggest(trial(), each)

        if self.sampler is not None:
            draw(self.dimensions, self.fixed, suggest)
            return
        for each in self.dimensions:
            if each.key in self.grid[number]:
                suggest(each)


def _suggest(trial: optuna.Trial, each: Dimension) -> Value:
    if each.kind == "choice":
        return str(trial.suggest_categorical(each.key, each.choices))
    if each.kind == "int":
        step = 1 if each.step is None else round(each.step)
        return trial.suggest_int(each.key, round(each.low), round(each.high), step=step, log=each.log)
    return trial.suggest_float(each.key, each.low, each.high, step=each.step, log=each.log)
