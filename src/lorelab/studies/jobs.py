"""The runs that a study needs: first those that tune, then, with what tuning chose, those that decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lorelab.errors import LorelabError
from lorelab.studies.spec import TUNING_SEED, Arm, Search, Study, StudyTask
from lorelab.studies.table import Role, Row

Params = Mapping[str, str | int | float]
Draw = Callable[[Search], Sequence[Params]]
"""The configurations that a search tries, in their order; equal searches try the same."""


@dataclass(frozen=True)
class Job:
    """One run that a study asks for."""

    task: str
    arm: str
    role: Role
    seed: int
    trial: int
    """Of a search, in its order, or of a grid; −1 for a run that decides."""
    params: Params
    """What was tried, or chosen, of the arm's space."""
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        """Unique within a study; stable as long as the job means the same."""
        which = {"tune": f"{self.trial}", "grid": f"{self.trial}/{self.seed}", "final": f"{self.seed}"}[self.role]
        return f"{self.task}/{self.arm}/{self.role}/{which}"


def tuning(study: Study, draw: Draw) -> list[Job]:
    """Every configuration of every tuned arm on every task, once. Trials read no test data."""
    jobs = []
    for task, arm in _pairs(study):
        if arm.search is not None:
            for trial, params in enumerate(draw(arm.search)):
                more = ("trainer.test=false",)
                jobs.append(_job(study, task, arm, "tune", TUNING_SEED, trial, params, more))
    return jobs


def deciding(study: Study, chosen: Mapping[tuple[str, str], Params], seeds: Sequence[int]) -> list[Job]:
    """Every arm on every task with every seed; the seeds are the same for all, so that differences are paired. Then the
    grids that claims ask for, which read no test data.

    ``chosen``: (task, arm) → what tuning chose, for the arms that are tuned.
    """
    finals, grids = [], []
    for task, arm in _pairs(study):
        best = chosen.get((task.name, arm.name), {})
        finals += [_job(study, task, arm, "final", seed, -1, best, ()) for seed in seeds]
        for index, point in enumerate(points_of_grids(study, task.name, arm.name)):
            params, more = {**best, **point}, ("trainer.test=false",)
            grids += [_job(study, task, arm, "grid", seed, index, params, more) for seed in seeds]
    return [*finals, *grids]


def points_of_grids(study: Study, task: str, arm: str) -> list[dict[str, float]]:
    """What the claims' grids ask of an arm on a task, each key and value once."""
    grids = [each.grid for each in study.claims if each.grid and task in each.tasks and arm in (each.a, each.b)]
    points = dict.fromkeys((grid.key, value) for grid in grids for value in grid.values)
    return [{key: value} for key, value in points]


def choose(study: Study, rows: Sequence[Row]) -> dict[tuple[str, str], Params]:
    """What each tuned arm does best with on the validation split of each task; of equals the earlier trial.

    Raises:
        LorelabError: every trial of an arm diverged or failed.
    """
    chosen: dict[tuple[str, str], Params] = {}
    for task, arm in _pairs(study):
        if arm.search is None:
            continue
        mine = [row for row in rows if (row.task, row.arm, row.role) == (task.name, arm.name, "tune")]
        alive = [row for row in mine if math.isfinite(row.score)]
        if not alive:
            raise LorelabError(
                f"study {study.name}: none of the {len(mine)} trials of arm '{arm.name}' on {task.name} ended with a "
                f"score; expected one at least. Widen arms.{arm.name}.search.space."
            )
        sign = -1.0 if alive[0].score_mode == "max" else 1.0
        chosen[task.name, arm.name] = min(alive, key=lambda row: (sign * row.score, row.trial)).params
    return chosen


def _pairs(study: Study) -> Iterator[tuple[StudyTask, Arm]]:
    for task in study.tasks.values():
        for arm in study.arms.values():
            yield task, arm


def _job(
    study: Study,
    task: StudyTask,
    arm: Arm,
    role: Role,
    seed: int,
    trial: int,
    params: Params,
    more: tuple[str, ...],
) -> Job:
    values = tuple(f"{key}={value}" for key, value in params.items())
    own = (*task.overrides, *arm.overrides, *values, f"seed={seed}", f"+tags.arm={arm.name}", *more)
    return Job(task.name, arm.name, role, seed, trial, params, own)
