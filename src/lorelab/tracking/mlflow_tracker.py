"""Writes runs to MLflow: ``start`` and ``finish`` wait for the store, everything between is queued."""

from __future__ import annotations

import getpass
import json
import math
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lorelab.errors import StoreError
from lorelab.records import DatasetRecord, RunRecord, RunStart, RunStatus
from lorelab.tracking.database import resolve_uri
from lorelab.tracking.mlflow_client import connect, experiment_id, patiently, store_errors
from lorelab.tracking.mlflow_items import MAX_TAG, File, Item, Point, RunSink, Tags, Text, clip, legal_name
from lorelab.tracking.writer import BatchWriter

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

DRAIN_SECONDS = 120.0
MAX_PARAM, MAX_PARAMS, MAX_DIGEST = 6000, 100, 36
"""What MLflow accepts: characters of a parameter's value, parameters per request, characters of a digest."""
MLFLOW_STATUS = {RunStatus.FAILED: "FAILED", RunStatus.KILLED: "KILLED"}
"""Of runs that ended without a result; every other end (diverged and pruned too) is one, hence FINISHED."""


class MLflowTracker:
    """A ``Tracker`` over MLflow.

    ``uri``: the store, default SQLite in the checkout (``lorelab.tracking.database.resolve_uri``). ``artifacts``:
    where a new experiment keeps files. A file given to ``artifact`` must stay in place until ``finish``.
    """

    def __init__(self, uri: str | None = None, experiment: str = "lorelab", artifacts: str | None = None) -> None:
        self.uri = resolve_uri(uri)
        self.experiment = experiment
        self.artifacts = artifacts
        self.location = ""
        self._client: MlflowClient | None = None
        self._writer: BatchWriter[Item] | None = None
        self._run_id = ""
        self._last: dict[str, float] = {}
        self._record: RunRecord | None = None

    def start(self, start: RunStart) -> str:
        """Opens a run; its parameters, tags and data set are stored on return, its text artifacts are queued."""
        if self._writer is not None:
            raise StoreError(f"{self.uri}: run {self._run_id} is still open; finish() it before the next start().")
        client = self._client = self._client or connect(self.uri)
        tags = _origin() | dict(start.tags) | {"lorelab.status": str(RunStatus.RUNNING)}
        if start.dataset is not None:
            tags["lorelab.data_fingerprint"] = start.dataset.fingerprint
        with store_errors(self.uri):
            place = patiently(experiment_id, client, self.experiment, self.artifacts)
            run = patiently(client.create_run, place, tags=clip(tags, MAX_TAG), run_name=start.name)
            self.location = str(run.info.artifact_uri).removeprefix("file://")
            self._run_id, self._last, self._record = str(run.info.run_id), {}, None
            try:
                _write_facts(client, self._run_id, start)
            except BaseException:
                with suppress(Exception):
                    client.set_terminated(self._run_id, "FAILED")
                raise
        self._writer = BatchWriter(RunSink(client, self._run_id))
        for path, content in start.files.items():
            self.text(content, path)
        return self._run_id

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Queues one point per metric at ``step``."""
        millis = time.time_ns() // 1_000_000
        for name, value in metrics.items():
            self._last[name] = float(value)
            self._put(Point(legal_name(name), float(value), int(step), millis))

    def artifact(self, path: Path, folder: str = "") -> None:
        """Queues a file, or a folder with all that is in it."""
        self._put(File(Path(path), folder))

    def text(self, content: str, path: str) -> None:
        """Queues a text artifact."""
        self._put(Text(content, path))

    def tag(self, tags: Mapping[str, str]) -> None:
        """Queues tags."""
        self._put(Tags(dict(tags)))

    def finish(self, record: RunRecord) -> None:
        """Writes what is queued and closes the run; does nothing if none is open.

        May be called again after an interrupt or an error in the first call, whose record then stands. Raises
        ``StoreError``, after the run is closed, if anything could not be written.
        """
        if self._writer is None or self._client is None:
            return
        if self._record is None:
            self._record = record
            self._put_end(record)
        drained = self._writer.close(DRAIN_SECONDS)
        status = MLFLOW_STATUS.get(self._record.status, "FINISHED")
        with store_errors(self.uri):
            patiently(self._client.set_terminated, self._run_id, status)
        errors, self._writer = self._writer.errors, None
        if not drained:
            raise StoreError(
                f"{self.uri}: run {self._run_id} was closed with points still unwritten after {DRAIN_SECONDS:.0f} s. "
                "The store is too slow or locked: look for processes that hold it open."
            )
        if errors:
            raise StoreError(
                f"{self.uri}: parts of run {self._run_id} could not be stored ({len(errors)} failed writes). "
                f"The first: {errors[0]}. Training itself was not affected."
            ) from errors[0]

    def _put_end(self, record: RunRecord) -> None:
        final = dict(record.metrics) | ({} if record.score is None else {"score": record.score})
        self.log({name: value for name, value in final.items() if not self._ends_with(name, value)}, record.steps)
        names = ("status", "monitor", "mode", "score", "best_step", "steps", "examples", "seconds", "diverged_at")
        facts = {f"lorelab.{name}": getattr(record, name) for name in names}
        self.tag({name: str(value) for name, value in facts.items() if value is not None})
        self.text(json.dumps(record.to_dict(), indent=2), "record.json")
        if record.error and record.status is RunStatus.FAILED:
            self.text(record.error, "traceback.txt")
        elif record.error:
            self.tag({"lorelab.reason": record.error})

    def _ends_with(self, name: str, value: float) -> bool:
        """Whether the curve ends with this value already: the same point again would only blot it."""
        last = self._last.get(name)
        return last is not None and (last == value or (math.isnan(last) and math.isnan(value)))

    def _put(self, item: Item) -> None:
        if self._writer is None:
            raise StoreError("The tracker has no open run; expected start() before this call and finish() after it.")
        self._writer.put(item)


def _write_facts(client: MlflowClient, run_id: str, start: RunStart) -> None:
    from mlflow.entities import Param

    params = [Param(key, value) for key, value in clip(start.params, MAX_PARAM).items()]
    for first in range(0, len(params), MAX_PARAMS):
        patiently(client.log_batch, run_id, params=params[first : first + MAX_PARAMS], synchronous=True)
    if start.dataset is not None:
        patiently(client.log_inputs, run_id, datasets=[_dataset_input(start.dataset)])


def _dataset_input(data: DatasetRecord) -> DatasetInput:
    """MLflow's view of the data. Its digest holds 36 characters: the whole fingerprint is in the profile."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=data.name,
        digest=data.fingerprint[:MAX_DIGEST],
        source_type="local",
        source=json.dumps({"source": data.source}),
        schema=json.dumps(dict(data.schema), default=str),
        profile=json.dumps({"fingerprint": data.fingerprint, "sizes": dict(data.sizes)}),
    )
    return DatasetInput(dataset, tags=[InputTag("mlflow.data.context", "train, validation and test")])


def _origin() -> dict[str, str]:
    """Who writes, and from which process: a run whose process is gone was killed (``mlflow_store`` looks)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        user = f"uid {os.getuid()}"
    return {
        "mlflow.source.name": "lorelab train",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": user,
        "lorelab.host": socket.gethostname(),
        "lorelab.pid": str(os.getpid()),
    }
