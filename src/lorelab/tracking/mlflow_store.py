"""Reads runs back from MLflow."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lorelab.errors import StoreError, nearest
from lorelab.records import RunRecord, RunStatus
from lorelab.tracking.database import resolve_uri, sqlite_path
from lorelab.tracking.liveness import BEAT_SECONDS, HEARTBEAT, is_gone
from lorelab.tracking.mlflow_client import LARGEST_FLOAT, connect, store_errors
from lorelab.tracking.protocol import StoredRun
from lorelab.tracking.selection import matches, tag_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PAGE = 1000
SWEEP, REUSED = "lorelab.sweep", "reused"
"""Tag of the sweep that trained a run; each sweep that found it trained already has a tag ``lorelab.sweep.NAME``."""
KIND = "lorelab.kind"
"""Tag of a run in the store that stands for something else than one training."""
_looked: dict[tuple[str, str], float] = {}


class MLflowStore:
    """A ``RunStore`` over MLflow. ``experiment``: the one to read, None for all. Reading makes no store.

    ``dead``: whether to look first for runs that nobody writes any more, and close them.
    """

    def __init__(self, uri: str | None = None, experiment: str | None = "lorelab", *, dead: bool = True) -> None:
        self.uri = resolve_uri(uri)
        self.experiment = experiment
        self._client: MlflowClient | None = None
        self._looked_for_dead = not dead

    def runs(
        self, *, filters: Mapping[str, str] | None = None, limit: int = 1000, newest_first: bool = True
    ) -> Sequence[StoredRun]:
        """Runs that ``matches`` every filter, at most ``limit``; none if there is no store yet.

        Runs that are no training (sweeps, studies, range tests: they have a tag ``lorelab.kind``) are found by their
        kind only.
        """
        wanted = dict(filters or {})
        found = list(itertools.islice(self._matching(wanted, newest_first), limit))
        for key, sweep in wanted.items():  # runs of an earlier sweep that this one did not train again
            if tag_name(key) == SWEEP:
                reused = {name: value for name, value in wanted.items() if name != key} | {f"{SWEEP}.{sweep}": REUSED}
                found += self._matching(reused, newest_first)
                found.sort(key=lambda run: run.started, reverse=newest_first)
        return found[:limit]

    def _matching(self, wanted: Mapping[str, str], newest_first: bool) -> Iterator[StoredRun]:
        other_kinds = any(tag_name(key) == KIND for key in wanted)
        for run in self._search(_server_filter(wanted), newest_first):
            if (other_kinds or KIND not in run.tags) and all(matches(run, key, wanted[key]) for key in wanted):
                yield run

    def get(self, run: str) -> StoredRun:
        """One run by id, unique id prefix or name."""
        candidates = list(self._search(f"attributes.run_name = {_quoted(run)}")) if _can_quote(run) else []
        if re.fullmatch(r"[0-9a-f]{4,32}", run):
            named = {found.run_id for found in candidates}
            by_id = self._search(f"attributes.run_id LIKE '{run}%'")
            candidates += [found for found in by_id if found.run_id not in named]
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            several = ", ".join(f"{found.run_id[:12]} ({found.name})" for found in candidates[:5])
            raise StoreError(f"{self.uri}: '{run}' fits {len(candidates)} runs: {several}. Give more of the run id.")
        known = [found.name for found in self.runs(limit=PAGE)]
        if not known:
            raise StoreError(f"{self.uri}: there is no run '{run}': the store is empty. Train one: lorelab train")
        advice = nearest(run, known) if len(known) <= 20 else nearest(run, known).partition("one of:")[0]
        raise StoreError(
            f"{self.uri}: there is no run '{run}' among {len(known)}. Expected a run's name, its id or the first "
            f"four or more characters of the id; {advice or 'lorelab runs lists them'}"
        )

    def history(self, run_id: str, metric: str) -> Sequence[tuple[int, float]]:
        """All points ``(step, value)`` of one metric in step order; none if it was never logged."""
        with store_errors(self.uri):
            points = self._open().get_metric_history(run_id, metric)
        ordered = sorted(points, key=lambda point: (point.step, point.timestamp))
        return [(int(point.step), _number(point.value)) for point in ordered]

    def download(self, run_id: str, path: str, to: Path) -> Path:
        """Copies an artifact below ``to``. Raises ``StoreError`` that lists the neighbours of a missing one."""
        client = self._open()
        parent = path.rpartition("/")[0]
        with store_errors(self.uri):
            there = [artifact.path for artifact in client.list_artifacts(run_id, parent or None)]
            if path not in there:
                raise StoreError(
                    f"{self.uri}: run {run_id} has no artifact '{path}'; {nearest(path, there) or 'it has none'}"
                )
            to.mkdir(parents=True, exist_ok=True)
            return Path(client.download_artifacts(run_id, path, dst_path=str(to)))

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Sets tags of a run, in place of earlier values."""
        with store_errors(self.uri):
            for key, value in tags.items():
                self._open().set_tag(run_id, key, value)

    def _open(self) -> MlflowClient:
        self._client = self._client or connect(self.uri)
        return self._client

    def _close_dead(self, client: MlflowClient, places: Sequence[str]) -> None:
        if self._looked_for_dead:
            return
        self._looked_for_dead = True
        with suppress(Exception):  # a store that may be read only
            close_dead_runs(client, *places)

    def _search(self, condition: str, newest_first: bool = True) -> Iterator[StoredRun]:
        path = sqlite_path(self.uri)
        if path is not None and not path.is_file():
            return
        client = self._open()
        with store_errors(self.uri):
            if self.experiment is None:
                places = [place.experiment_id for place in client.search_experiments()]
            else:
                place = client.get_experiment_by_name(self.experiment)
                places = [] if place is None else [place.experiment_id]
            self._close_dead(client, places)
            token, order = None, [f"attributes.start_time {'DESC' if newest_first else 'ASC'}"]
            while places:
                page = client.search_runs(places, condition, max_results=PAGE, order_by=order, page_token=token)
                yield from map(_stored, page)
                if not (token := page.token):
                    return


def close_dead_runs_at_times(client: MlflowClient, uri: str, experiment: str) -> None:
    """``close_dead_runs``, unless this process just did: of a hundred runs that are opened one looks for all."""
    now = time.monotonic()
    if now - _looked.get((uri, experiment), -math.inf) > BEAT_SECONDS:
        close_dead_runs(client, experiment)
        _looked[uri, experiment] = now


def close_dead_runs(client: MlflowClient, *experiments: str) -> None:
    """Ends as killed what a process left running that is certainly gone (``liveness.is_gone``)."""
    if not experiments:
        return
    for run in client.search_runs(list(experiments), "attributes.status = 'RUNNING'", max_results=PAGE):
        tags = run.data.tags
        # Asked once more: it may have ended its run, and itself, since the list was made. Now nobody writes to it.
        if is_gone(tags) and client.get_run(run.info.run_id).info.status == "RUNNING":
            for key, value in {
                "lorelab.status": str(RunStatus.KILLED),
                "lorelab.reason": "its process is gone",
            }.items():
                client.set_tag(run.info.run_id, key, value)
            beat = tags.get(HEARTBEAT, "")
            seen = int(beat) * 1000 if beat.isdigit() else time.time_ns() // 1_000_000
            client.set_terminated(run.info.run_id, "KILLED", max(seen, run.info.start_time))


def record_of(run: StoredRun) -> RunRecord:
    """The record that a run ended with, as far as the store tells."""
    tags = {key.removeprefix("lorelab."): value for key, value in run.tags.items() if key.startswith("lorelab.")}
    return RunRecord(
        run_id=run.run_id,
        name=run.name,
        status=RunStatus(run.status),
        monitor=run.monitor,
        mode="min" if tags.get("mode") == "min" else "max",
        score=float(tags["score"]) if "score" in tags else None,
        best_step=int(tags["best_step"]) if "best_step" in tags else None,
        steps=int(tags.get("steps", 0)),
        examples=int(tags.get("examples", 0)),
        seconds=run.seconds or 0.0,
        metrics=dict(run.metrics),
        diverged_at=int(tags["diverged_at"]) if "diverged_at" in tags else None,
        error=tags.get("reason"),
        weights=tags.get("weights", ""),
        location=run.artifacts.removeprefix("file://"),
    )


def _stored(run: Run) -> StoredRun:
    tags, info = dict(run.data.tags), run.info
    ended = (info.end_time - info.start_time) / 1000 if info.end_time else None
    return StoredRun(
        run_id=info.run_id,
        name=info.run_name or info.run_id,
        status=_status(info.status, tags),
        started=info.start_time / 1000,
        seconds=float(tags["lorelab.seconds"]) if "lorelab.seconds" in tags else ended,
        params=dict(run.data.params),
        metrics={name: _number(value) for name, value in run.data.metrics.items()},
        tags=tags,
        artifacts=info.artifact_uri or "",
    )


def _number(value: float) -> float:
    """MLflow's SQL stores write infinity as the largest float; here it becomes infinity again."""
    return math.copysign(math.inf, value) if abs(value) == LARGEST_FLOAT else float(value)


def _status(mlflow_status: str, tags: Mapping[str, str]) -> str:
    """A ``RunStatus`` value, also for runs that other programs wrote."""
    said = tags.get("lorelab.status", "")
    if mlflow_status in {"RUNNING", "SCHEDULED"}:
        return str(RunStatus.RUNNING)
    if said and said != RunStatus.RUNNING:
        return said
    return {"FINISHED": RunStatus.FINISHED, "FAILED": RunStatus.FAILED}.get(mlflow_status, RunStatus.KILLED).value


def _server_filter(filters: Mapping[str, str]) -> str:
    """What the database can check of ``filters``: exact text of tags and names. ``matches`` checks the rest."""
    conditions = []
    for key, value in filters.items():
        if not _can_quote(key) or not _can_quote(value):
            continue
        if (tag := tag_name(key)) is not None and tag != "lorelab.status":
            conditions.append(f"tags.`{tag}` = {_quoted(value)}")
        elif key == "name":
            conditions.append(f"attributes.run_name = {_quoted(value)}")
        elif key == "status" and value not in {RunStatus.KILLED, RunStatus.RUNNING}:
            conditions.append(f"attributes.status = '{'FAILED' if value == RunStatus.FAILED else 'FINISHED'}'")
    return " and ".join(conditions)


def _can_quote(text: str) -> bool:
    return not set(text) & set("'\"`\\")


def _quoted(text: str) -> str:
    return f"'{text}'"
