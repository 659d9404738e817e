"""The runs of a study as a table: enough to recompute every number without the store that they came from."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lorelab.errors import LorelabError
from lorelab.studies.differences import Floats

_PLAIN = (
    "task",
    "arm",
    "role",
    "seed",
    "trial",
    "status",
    "score",
    "score_name",
    "score_mode",
    "seconds",
    "steps",
    "run_id",
    "run",
    "commit",
    "fingerprint",
)

Role = Literal["tune", "final", "grid"]
"""What a run is for: to tune, to decide, or to show the response to one key at fixed values."""


@dataclass(frozen=True)
class Row:
    """One run."""

    task: str
    arm: str
    role: Role
    seed: int
    trial: int
    """Of a search, in its order, or of a grid; −1 for a run that decides."""
    params: Mapping[str, str | int | float]
    """Of the arm's search space or grid."""
    status: str
    score: float
    """On the validation split; NaN if diverged."""
    score_name: str
    """Of the metric: ``val/accuracy``."""
    score_mode: Literal["max", "min"]
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of the test split, and of the mechanism where it was measured; {} for a run that diverged."""
    seconds: float = 0.0
    """Of a run that was stacked, its share of the stack's."""
    steps: int = 0
    run_id: str = ""
    run: str = ""
    commit: str = ""
    fingerprint: str = ""

    def value(self, metric: str) -> float:
        """The metric; NaN for a run that diverged."""
        return self.metrics.get(metric, math.nan)


def as_csv(rows: Sequence[Row]) -> str:
    """Plain columns, ``params`` as JSON, and a column for each metric."""
    metrics = sorted({name for row in rows for name in row.metrics})
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*_PLAIN, "params", *metrics])
    for row in rows:
        plain = [repr(float(value)) if isinstance(value := getattr(row, name), float) else value for name in _PLAIN]
        held = [repr(float(row.metrics[name])) if name in row.metrics else "" for name in metrics]
        writer.writerow([*plain, json.dumps(dict(row.params)), *held])
    return file.getvalue()


def read_rows(path: Path) -> list[Row]:
    """The rows of a file that holds what ``as_csv`` gave, bit for bit.

    Raises:
        LorelabError: the file is not there, or a line is not what it should be.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except OSError as error:
        raise LorelabError(f"{path}: cannot be read ({error}); lorelab study run writes it") from error
    rows = []
    for number, line in enumerate(lines, start=2):
        try:
            rows.append(_row(line))
        except (KeyError, ValueError, TypeError) as error:
            raise LorelabError(
                f"{path}, line {number}: found {type(error).__name__}: {error}; expected a row that lorelab study run "
                "wrote. Restore the file from git."
            ) from error
    return rows


def scores(rows: Sequence[Row], task: str, arm: str, metric: str, seeds: Sequence[int]) -> Floats:
    """(n,) values of ``metric`` in the order of ``seeds``; NaN where the run diverged.

    Raises:
        LorelabError: a seed is missing or there twice, or runs are of several versions of the data.
    """
    mine = [row for row in rows if (row.task, row.arm, row.role) == (task, arm, "final") and row.seed in seeds]
    by_seed = {row.seed: row for row in mine}
    missing = [seed for seed in seeds if seed not in by_seed]
    doubled = sorted(seed for seed, count in Counter(row.seed for row in mine).items() if count > 1)
    if missing or doubled:
        found = f"no run for seeds {missing}" if missing else f"several runs for seeds {doubled}"
        raise LorelabError(f"{task}, arm '{arm}': found {found}; expected one run for each of {list(seeds)}.")
    prints = {row.fingerprint for row in mine}
    if len(prints) > 1:
        raise LorelabError(f"{task}, arm '{arm}': its runs saw {len(prints)} versions of the data; expected one.")
    values = [by_seed[seed].value(metric) for seed in seeds]
    lost = [seed for seed in seeds if metric not in by_seed[seed].metrics and by_seed[seed].status == "finished"]
    if lost:
        known = sorted(by_seed[lost[0]].metrics)
        raise LorelabError(f"{task}, arm '{arm}': its runs measured no '{metric}'; expected one of {', '.join(known)}.")
    return np.array(values, dtype=np.float64)


def _row(line: Mapping[str, str]) -> Row:
    metrics = {name: float(text) for name, text in line.items() if name not in (*_PLAIN, "params") and text}
    return Row(
        task=line["task"],
        arm=line["arm"],
        role=_role(line["role"]),
        seed=int(line["seed"]),
        trial=int(line["trial"]),
        params=json.loads(line["params"]),
        status=line["status"],
        score=float(line["score"]),
        score_name=line["score_name"],
        score_mode="min" if line["score_mode"] == "min" else "max",
        metrics=metrics,
        seconds=float(line["seconds"]),
        steps=int(line["steps"]),
        run_id=line["run_id"],
        run=line["run"],
        commit=line["commit"],
        fingerprint=line["fingerprint"],
    )


def _role(text: str) -> Role:
    for role in get_args(Role):
        if role == text:
            return role
    raise ValueError(f"role '{text}'")
