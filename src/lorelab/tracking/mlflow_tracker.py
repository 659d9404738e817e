"""Writes runs to MLflow: ``start`` and ``finish`` wait for the store, everything between is queued."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from lorelab.errors import StoreError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.database import resolve_uri
from lorelab.tracking.delivery import Delivery, Nowhere
from lorelab.tracking.items import File, Item, Point, Tags, Text
from lorelab.tracking.liveness import Beat, marks
from lorelab.tracking.mlflow_client import connect, experiment_id, patiently, store_errors
from lorelab.tracking.mlflow_facts import end_items, now_millis, start_tags, with_parent, write_facts
from lorelab.tracking.mlflow_items import MAX_TAG, RunSink, clip, legal_name
from lorelab.tracking.mlflow_store import REUSED, SWEEP, MLflowStore, close_dead_runs_at_times, record_of
from lorelab.tracking.outbox import OUTBOX, Outbox, sync_command
from lorelab.tracking.protocol import StoredRun
from lorelab.tracking.writer import BatchWriter

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DRAIN_SECONDS = 120.0
OFFLINE = "offline-"
"""What the id of a run begins with that the store does not know yet."""


class MLflowTracker:
    """A ``Tracker`` over MLflow.

    ``uri``: the store, default SQLite in the checkout (``lorelab.tracking.database.resolve_uri``). ``artifacts``:
    where a new experiment keeps files. ``if_unreachable``: what ``start`` does then, "fail" or go on "offline", with
    all of the run kept in ``outbox`` until ``lorelab sync``. A store that goes away later never stops a run. A file
    given to ``artifact`` must stay in place until ``finish``.
    """

    def __init__(
        self,
        uri: str | None = None,
        experiment: str = "lorelab",
        artifacts: str | None = None,
        if_unreachable: Literal["fail", "offline"] = "fail",
        outbox: str | None = None,
    ) -> None:
        self.uri = resolve_uri(uri)
        self.experiment = experiment
        self.artifacts = artifacts
        self.if_unreachable = if_unreachable
        self.outbox = Path(outbox) if outbox else OUTBOX
        self.location = ""
        self._client: MlflowClient | None = None
        self._writer: BatchWriter[Item] | None = None
        self._delivery: Delivery | None = None
        self._beat: Beat | None = None
        self._run_id = self._place = ""
        self._last: dict[str, float] = {}
        self._stored: dict[str, int] = {}
        self._record: RunRecord | None = None

    def start(self, start: RunStart) -> str:
        """Opens a run, or again the one that goes on; its parameters, tags and data set are stored on return."""
        if self._writer is not None:
            raise StoreError(f"{self.uri}: run {self._run_id} is still open; finish() it before the next start().")
        self._last, self._stored, self._record = {}, {}, None
        about: dict[str, Any] = {"uri": self.uri, "experiment": self.experiment, "artifacts": self.artifacts}
        about["process"] = marks()
        sink: RunSink | Nowhere
        try:
            self._run_id = self._reopen(start) if start.resume else self.create(start)
            sink = RunSink(self._open(), self._run_id, self._place)
        except StoreError as error:
            if self.if_unreachable == "fail" or start.resume:
                raise
            self._run_id, sink = OFFLINE + uuid4().hex, Nowhere(str(error))
            about["start"] = asdict(start) | {"tags": start_tags(start), "files": {}}
            about["began"] = now_millis()
            print(f"{error}\nGoing on offline; later: {sync_command(self.outbox)}", file=sys.stderr)
        box = Outbox(self.outbox / self._run_id)
        if "start" in about:
            box.keep([], about | {"run_id": self._run_id})
            self.location = str(box.folder)
        self._delivery = Delivery(sink, box, about | {"run_id": self._run_id})
        self._writer = BatchWriter(self._delivery)
        self._beat = Beat(self.tag)
        for path, content in start.files.items() if not start.resume else ():
            self.text(content, path)
        return self._run_id

    def finished(self, signature: str) -> RunRecord | None:
        """The newest run with this ``lorelab.signature`` that ended with a result, if the store answers."""
        try:
            store = MLflowStore(self.uri, self.experiment, dead=False)  # none of those has a result
            found = store.runs(filters={"lorelab.signature": signature})
        except StoreError:  # `start` will say so
            return None
        done = [run for run in found if run.status in (RunStatus.FINISHED, RunStatus.DIVERGED)]
        return record_of(done[0]) if done else None

    def begun(self, filters: Mapping[str, str]) -> Sequence[StoredRun]:
        """Runs of every end, the newest first."""
        return MLflowStore(self.uri, self.experiment).runs(filters=filters)

    def join(self, run_id: str, tags: Mapping[str, str]) -> None:
        """A run stays what the first sweep made it; it is found by the names of the others, too."""
        store, sweep = MLflowStore(self.uri, self.experiment), tags.get(SWEEP, "")
        if store.get(run_id).tags.get(SWEEP, sweep) != sweep:
            tags = {f"{SWEEP}.{sweep}": REUSED}
        store.tag(run_id, with_parent(tags))

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Queues one point per metric at ``step``; of a run that goes on, those that are stored already are not."""
        millis = now_millis()
        for name, value in metrics.items():
            self._last[name] = float(value)
            legal = legal_name(name)
            if step > self._stored.get(legal, -1):
                self._put(Point(legal, float(value), int(step), millis))

    def artifact(self, path: Path, folder: str = "") -> None:
        """Queues a file, or a folder with all that is in it."""
        self._put(File(Path(path), folder))

    def text(self, content: str, path: str) -> None:
        """Queues a text artifact."""
        self._put(Text(content, path))

    def tag(self, tags: Mapping[str, str]) -> None:
        """Queues tags."""
        self._put(Tags(dict(tags)))

    def finish(self, record: RunRecord, patience: float | None = None) -> None:
        """Writes what is queued and closes the run; does nothing if none is open.

        What the store does not take within ``patience`` seconds, ``DRAIN_SECONDS`` by default, waits in the outbox for
        ``lorelab sync``. May be called again after an interrupt or an error in the first call, whose record then
        stands. Raises ``StoreError``, after the run is closed, if something is lost.
        """
        if self._writer is None or self._delivery is None:
            return
        if self._record is None:
            self._record = record
            if self._beat is not None:
                self._beat.stop()
            self._put_end(record)
        delivery = self._delivery
        if not self._writer.close(DRAIN_SECONDS if patience is None else patience):
            delivery.give_up("the store does not answer")
            delivery(self._writer.take_back())
        elif delivery.waiting and patience is None:
            delivery([], now=True)
        errors, self._writer = self._writer.errors, None
        delivery.outbox.unlock()
        if delivery.held or errors:
            raise StoreError(
                f"{self.uri}: run {self._run_id} ended with points unwritten: neither the store took them nor "
                f"{delivery.outbox.folder} ({delivery.reason or errors[0]})."
            )
        if delivery.waiting:
            kept = f"Parts of run {self._run_id} are kept in {delivery.outbox.folder}"
            print(f"{self.uri}: {delivery.reason}. {kept}; later: {sync_command(self.outbox)}", file=sys.stderr)
        if delivery.refused:
            raise StoreError(
                f"{self.uri}: parts of run {self._run_id} were refused ({len(delivery.refused)}). "
                f"The first: {delivery.refused[0]}. Training itself was not affected."
            )

    def create(self, start: RunStart, began: int | None = None) -> str:
        """Opens a run without writing to it any further; for ``lorelab sync``. ``began``: milliseconds."""
        client = self._open()
        with store_errors(self.uri):
            place = patiently(experiment_id, client, self.experiment, self.artifacts)
            close_dead_runs_at_times(client, self.uri, place)
            tags = clip(start_tags(start), MAX_TAG)
            run = patiently(client.create_run, place, tags=tags, run_name=start.name, start_time=began)
            self._stored_at(run)
            run_id = str(run.info.run_id)
            try:
                write_facts(client, run_id, start)
            except Exception:
                with suppress(Exception):
                    client.set_terminated(run_id, "FAILED")
                raise
        return run_id

    def _reopen(self, start: RunStart) -> str:
        """The run as it is in the store, running again; notes which points it has."""
        client, run_id = self._open(), start.resume
        with store_errors(self.uri):
            run = client.get_run(run_id)
            waiting = Outbox(self.outbox / run_id)
            if waiting:  # what an earlier process could not deliver comes first, its end included
                waiting.lock()
                waiting.replace(RunSink(client, run_id)(waiting.items()).away)
                waiting.unlock()
                if waiting:
                    raise StoreError(f"{self.uri}: parts of run {run_id} still wait; {sync_command(self.outbox)}")
                run = client.get_run(run_id)
            for name in run.data.metrics:
                self._stored[name] = max(point.step for point in client.get_metric_history(run_id, name))
            for tag in ("lorelab.reason", "lorelab.stacked", "lorelab.share_seconds"):  # of how it went before
                if tag in run.data.tags:
                    client.delete_tag(run_id, tag)
            self._stored_at(run)
            RunSink(client, run_id)._write([Tags(start_tags(start))])
            patiently(client.update_run, run_id, "RUNNING")
        return run_id

    def _stored_at(self, run: Run) -> None:
        self._place = str(run.info.artifact_uri)
        self.location = self._place.removeprefix("file://")

    def _open(self) -> MlflowClient:
        self._client = self._client or connect(self.uri)
        return self._client

    def _put_end(self, record: RunRecord) -> None:
        final = dict(record.metrics) | ({} if record.score is None else {"score": record.score})
        if record.status in (RunStatus.KILLED, RunStatus.FAILED):  # it may go on: no end of its curves yet
            final = {}
        self.log({name: value for name, value in final.items() if not self._ends_with(name, value)}, record.steps)
        for item in end_items(record):
            self._put(item)

    def _ends_with(self, name: str, value: float) -> bool:
        """Whether the curve ends with this value already: the same point again would only blot it."""
        last = self._last.get(name)
        return last is not None and (last == value or (math.isnan(last) and math.isnan(value)))

    def _put(self, item: Item) -> None:
        if self._writer is None:
            raise StoreError("The tracker has no open run; expected start() before this call and finish() after it.")
        self._writer.put(item)
