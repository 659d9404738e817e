"""Groups runs by what was varied, aggregates each group over its seeds, and says what makes the comparison unfair."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lorelab.errors import LorelabError, nearest
from lorelab.records import RunStatus
from lorelab.tracking.fairness import unfairness
from lorelab.tracking.protocol import StoredRun
from lorelab.tracking.selection import lookup, require_names

ABSENT = "–"
"""Shown for a run that does not have the parameter it is grouped by."""


@dataclass(frozen=True)
class Group:
    """Runs that agree in every parameter of ``by``. The statistics are over finished runs with a finite metric."""

    values: tuple[str, ...]
    """Of the parameters grouped by, in their order."""
    n: int
    mean: float | None
    sd: float | None
    """Sample standard deviation (n - 1); None below two runs."""
    low: float | None
    high: float | None
    """95 % interval of the mean from Student's t with n - 1 degrees of freedom; it assumes roughly normal scores."""
    best: float | None
    worst: float | None
    diverged: int
    failed: int
    killed: int
    unfinished: int
    """Still running, or pruned."""
    missing: int
    """Finished without a finite value of the metric."""
    seeds: tuple[str, ...]

    @property
    def total(self) -> int:
        """All runs of the group, however they ended."""
        return self.n + self.diverged + self.failed + self.killed + self.unfinished + self.missing


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found."""

    by: tuple[str, ...]
    metric: str
    monitor: str
    """What ``score`` stands for."""
    mode: Literal["max", "min"]
    groups: tuple[Group, ...]
    warnings: tuple[str, ...]


def compare(runs: Sequence[StoredRun], by: Sequence[str], metric: str = "score") -> Comparison:
    """One ``Group`` per combination of the values of ``by``; see there for what is in it. Repeats by ``lorelab rerun``
    are left out: they are no further observations.

    Groups come in numeric order if ``by`` is one number-valued parameter, else best mean first. Raises
    ``LorelabError`` if there are no runs, if no run knows a name, or if the runs do not agree on what is better.
    """
    runs = [run for run in runs if "lorelab.rerun_of" not in run.tags]
    if not runs:
        raise LorelabError("There are no runs to compare. Expected at least one; lorelab runs lists what there is.")
    require_names(by, runs, "--by")
    _require_metric(metric, runs)
    monitor, mode = orientation(runs, metric)
    members: dict[tuple[str, ...], list[StoredRun]] = {}
    for run in runs:
        members.setdefault(tuple(lookup(run, key) or ABSENT for key in by), []).append(run)
    groups = [_aggregate(values, held, metric, mode) for values, held in members.items()]
    return Comparison(tuple(by), metric, monitor, mode, tuple(_ordered(groups, mode)), unfairness(members, by))


def measured(run: StoredRun, metric: str) -> float | None:
    """The metric's last value, None if there is none; ``score`` and ``seconds`` are known of every run that ended."""
    if metric == "seconds":
        return run.seconds
    if metric == "score" and metric not in run.metrics and "lorelab.score" in run.tags:
        return float(run.tags["lorelab.score"])
    return run.metrics.get(metric)


def _require_metric(metric: str, runs: Sequence[StoredRun]) -> None:
    known = sorted({name for run in runs for name in run.metrics} | {"score", "seconds"})
    if metric not in known:
        raise LorelabError(f"--metric '{metric}': none of {len(runs)} runs has it; {nearest(metric, known)}")


def orientation(runs: Sequence[StoredRun], metric: str) -> tuple[str, Literal["max", "min"]]:
    """What ``score`` stands for, and which way is better.

    The score and its likes on other splits (``test/accuracy`` for ``val/accuracy``) go as the runs recorded; of other
    metrics losses, errors and times are better small, the rest large. Raises ``LorelabError`` if scores differ in kind.
    """
    ends = Counter((run.monitor, run.tags["lorelab.mode"]) for run in runs if run.tags.get("lorelab.mode"))
    if metric == "score" and len(ends) > 1:
        several = ", ".join(f"{monitor} ({mode}) in {count} runs" for (monitor, mode), count in ends.most_common())
        raise LorelabError(
            f"--metric score: it means different things here: {several}. Expected one; narrow the runs down with "
            "key=value (e.g. task=classification), or name a metric that all have."
        )
    kind = metric.rpartition("/")[2].lower()
    for name, mode in ends:
        if metric == "score" or kind == name.rpartition("/")[2].lower():
            return name, "min" if mode == "min" else "max"
    smaller = (
        metric == "seconds"
        or kind == "kl"
        or any(word in kind for word in ("loss", "error", "rmse", "mse", "mae", "perplexity", "bits_per"))
    )
    return next(iter(ends), ("", ""))[0], "min" if smaller else "max"


def _aggregate(values: tuple[str, ...], runs: Sequence[StoredRun], metric: str, mode: str) -> Group:
    ends = Counter(run.status for run in runs)
    finished = [measured(run, metric) for run in runs if run.status == RunStatus.FINISHED]
    scores = [score for score in finished if score is not None and math.isfinite(score)]
    n = len(scores)
    mean = statistics.fmean(scores) if n else None
    sd = statistics.stdev(scores) if n > 1 else None
    half = None if sd is None else _t_quantile(n - 1) * sd / math.sqrt(n)
    least, most = (min(scores), max(scores)) if n else (None, None)
    return Group(
        values=values,
        n=n,
        mean=mean,
        sd=sd,
        low=None if mean is None or half is None else mean - half,
        high=None if mean is None or half is None else mean + half,
        best=most if mode == "max" else least,
        worst=least if mode == "max" else most,
        diverged=ends[RunStatus.DIVERGED],
        failed=ends[RunStatus.FAILED],
        killed=ends[RunStatus.KILLED],
        unfinished=ends[RunStatus.RUNNING] + ends[RunStatus.PRUNED],
        missing=len(finished) - n,
        seeds=tuple(sorted((run.params.get("seed", ABSENT) for run in runs), key=_natural)),
    )


def _t_quantile(freedom: int) -> float:
    """97.5 % quantile of Student's t, which leaves 95 % within plus and minus."""
    from scipy.special import stdtrit  # scipy.stats takes a second longer to import

    return float(stdtrit(freedom, 0.975))


def _ordered(groups: list[Group], mode: str) -> list[Group]:
    keys = [_natural(group.values[0]) for group in groups if len(group.values) == 1]
    if len(keys) == len(groups) and all(word == "" for _, word in keys):
        return sorted(groups, key=lambda group: _natural(group.values[0]))
    sign = -1.0 if mode == "max" else 1.0
    return sorted(groups, key=lambda group: math.inf if group.mean is None else sign * group.mean)


def _natural(text: str) -> tuple[float, str]:
    """Sorts numbers as numbers, before words."""
    try:
        return float(text), ""
    except ValueError:
        return math.inf, text
