"""What is particular to writing to MLflow: its limits, its statuses, its environment variables, its failures."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact import artifact_repo

from lorelab.errors import StoreError
from lorelab.records import DatasetRecord, RunRecord, RunStart, RunStatus
from lorelab.tracking.items import Point, Tags, Text
from lorelab.tracking.mlflow_client import connect
from lorelab.tracking.mlflow_items import RunSink
from lorelab.tracking.mlflow_store import MLflowStore
from lorelab.tracking.mlflow_tracker import MLflowTracker


@pytest.fixture
def tracker(store_uri: str, experiment: str) -> MLflowTracker:
    return MLflowTracker(store_uri, experiment)


@pytest.fixture
def store(store_uri: str, experiment: str) -> MLflowStore:
    return MLflowStore(store_uri, experiment)


def begin(name: str = "run", **facts: object) -> RunStart:
    return RunStart(name, **{"params": {}, "tags": {}} | facts)  # type: ignore[arg-type]


def ended(run_id: str, status: RunStatus = RunStatus.FINISHED, **facts: object) -> RunRecord:
    return RunRecord(run_id, "run", status, "val/accuracy", "max", **facts)  # type: ignore[arg-type]


def test_importing_the_trackers_does_not_import_mlflow() -> None:
    code = "import sys, lorelab.tracking.mlflow_tracker, lorelab.tracking.mlflow_store as s; s.MLflowStore('sqlite:////no/db').runs()"
    subprocess.run([sys.executable, "-c", code + "; assert 'mlflow' not in sys.modules"], check=True)


@pytest.mark.parametrize(
    ("status", "mlflow_status"),
    [
        (RunStatus.FINISHED, "FINISHED"),
        (RunStatus.DIVERGED, "FINISHED"),
        (RunStatus.PRUNED, "FINISHED"),
        (RunStatus.FAILED, "FAILED"),
        (RunStatus.KILLED, "KILLED"),
    ],
)
def test_every_end_is_recorded_in_mlflows_words_and_in_ours(
    tracker: MLflowTracker, store: MLflowStore, status: RunStatus, mlflow_status: str
) -> None:
    run_id = tracker.start(begin())
    assert store.get(run_id).status == "running"
    tracker.finish(ended(run_id, status))
    assert MlflowClient(tracker.uri).get_run(run_id).info.status == mlflow_status
    assert store.get(run_id).status == status


def test_a_failed_run_keeps_its_traceback_and_a_diverged_one_its_step(
    tracker: MLflowTracker, store: MLflowStore, tmp_path: Path
) -> None:
    failed = tracker.start(begin())
    tracker.finish(ended(failed, RunStatus.FAILED, error="Traceback\nValueError: no"))
    assert store.download(failed, "traceback.txt", tmp_path).read_text() == "Traceback\nValueError: no"
    diverged = tracker.start(begin())
    tracker.finish(ended(diverged, RunStatus.DIVERGED, diverged_at=17, error="loss is nan"))
    tags = store.get(diverged).tags
    assert (tags["lorelab.diverged_at"], tags["lorelab.reason"]) == ("17", "loss is nan")
    with pytest.raises(StoreError, match=r"has no artifact 'traceback.txt'; one of: record.json"):
        store.download(diverged, "traceback.txt", tmp_path)


def test_the_record_is_stored_as_metrics_tags_and_json(
    tracker: MLflowTracker, store: MLflowStore, tmp_path: Path
) -> None:
    run_id = tracker.start(begin())
    tracker.log({"val/accuracy": 0.75}, 10)
    final = {"test/accuracy": 0.5, "val/accuracy": 0.75}
    record = ended(run_id, score=0.875, best_step=5, steps=20, examples=640, seconds=1.5, metrics=final)
    tracker.finish(record)
    run = store.get(run_id)
    assert run.metrics == {"val/accuracy": 0.75, "test/accuracy": 0.5, "score": 0.875}
    assert run.seconds == 1.5
    expected = {"monitor": "val/accuracy", "mode": "max", "score": "0.875", "best_step": "5", "steps": "20"}
    assert {name: run.tags[f"lorelab.{name}"] for name in expected} == expected
    assert store.history(run_id, "test/accuracy") == [(20, 0.5)]
    assert store.history(run_id, "val/accuracy") == [(10, 0.75)], "the curve's end is not written a second time"
    assert json.loads(store.download(run_id, "record.json", tmp_path).read_text()) == record.to_dict()


def test_parameters_in_any_number_and_length_are_kept(tracker: MLflowTracker, store: MLflowStore) -> None:
    params = {f"group.key_{index}": str(index) for index in range(250)}
    odd = {"long": "x" * 6001, "exact": "y" * 6000, "model@net": "odd name", "empty": ""}
    run_id = tracker.start(begin(params=params | odd, tags={"long": "z" * 9000}))
    run = store.get(run_id)
    assert {key: run.params[key] for key in params} == params
    assert run.params["long"] == "x" * 5999 + "…"
    assert run.params["exact"] == "y" * 6000
    assert run.params["model_net"] == "odd name"
    assert run.params["empty"] == ""
    assert run.tags["long"] == "z" * 7999 + "…"
    tracker.finish(ended(run_id))


def test_the_data_set_is_an_input_of_the_run_with_its_whole_fingerprint(
    tracker: MLflowTracker, store: MLflowStore
) -> None:
    data = DatasetRecord("digits", "0123456789abcdef" * 4, {"train": 1437, "val": 180}, "scikit-learn", {"F": 64})
    run_id = tracker.start(begin(dataset=data))
    tracker.finish(ended(run_id))
    (used,) = MlflowClient(tracker.uri).get_run(run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("digits", data.fingerprint[:36])
    assert json.loads(used.dataset.schema) == {"F": 64}
    assert json.loads(used.dataset.profile) == {"fingerprint": data.fingerprint, "sizes": {"train": 1437, "val": 180}}
    assert store.runs(filters={"lorelab.data_fingerprint": data.fingerprint})[0].run_id == run_id


def test_the_run_says_who_wrote_it(tracker: MLflowTracker, store: MLflowStore) -> None:
    run_id = tracker.start(begin())
    tracker.finish(ended(run_id))
    tags = store.get(run_id).tags
    assert tags["mlflow.source.name"] == "lorelab train"
    assert tags["mlflow.user"]


def test_run_and_experiment_ids_in_the_environment_are_not_obeyed(
    tracker: MLflowTracker, store: MLflowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tracker.start(begin("other"))
    tracker.finish(ended(other))
    monkeypatch.setenv("MLFLOW_RUN_ID", other)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    run_id = tracker.start(begin("own"))
    tracker.log({"loss": 1.0}, 0)
    tracker.finish(ended(run_id))
    assert run_id != other
    assert store.get("own").run_id == run_id
    assert store.history(run_id, "loss") == [(0, 1.0)]
    assert store.history(other, "loss") == []


def test_logging_does_not_wait_for_a_locked_database_and_loses_nothing(
    tracker: MLflowTracker, store: MLflowStore
) -> None:
    run_id = tracker.start(begin())
    with closing(sqlite3.connect(tracker.uri.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # every write of the tracker now waits
        for step in range(3000):
            tracker.log({"loss": 1.0 / (step + 1)}, step)
        assert store.history(run_id, "loss") == []
        other.execute("ROLLBACK")
    tracker.finish(ended(run_id))
    assert store.history(run_id, "loss") == [(step, 1.0 / (step + 1)) for step in range(3000)]


def test_one_refused_point_is_reported_and_the_rest_is_kept(tracker: MLflowTracker, store: MLflowStore) -> None:
    run_id = tracker.start(begin())
    for step in range(40):
        tracker.log({"loss": float(step), "n/o//such" if step == 23 else "fine": 0.0}, step)
    with pytest.raises(StoreError, match=r"parts of run \w+ were refused .*metric 'n/o//such' at step 23"):
        tracker.finish(ended(run_id, score=0.5))
    assert len(store.history(run_id, "loss")) == 40
    assert len(store.history(run_id, "fine")) == 39
    assert store.get(run_id).status == "finished"
    tracker.finish(ended(run_id))  # safe, and says nothing a second time


def test_what_mlflow_takes_together_is_written_together_and_in_the_end_as_in_order(
    tracker: MLflowTracker, store: MLflowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run's texts, tags and points before its end each take one request; the later of two of one name stands."""
    run_id, asked = tracker.start(begin()), list[str]()
    log_batch = MlflowClient.log_batch
    monkeypatch.setattr(
        MlflowClient, "log_batch", lambda self, run, **what: (asked.extend(what), log_batch(self, run, **what))[1]
    )
    items = [Text("old", "a/b.txt"), Tags({"t": "old", "u": "1"}), Point("x", 1.0, 1, 1), Text("new", "a/b.txt")]
    items += [Text("c", "c.txt"), Point("x", 2.0, 2, 2), Tags({"t": "new"})]
    assert not RunSink(connect(tracker.uri), run_id)(items).away
    assert [name for name in asked if name != "synchronous"] == ["metrics", "tags", "metrics", "tags"]
    run = store.get(run_id)
    assert (run.tags["t"], run.tags["u"]) == ("new", "1")
    assert store.history(run_id, "x") == [(1, 1.0), (2, 2.0)]
    place = Path(tracker.location)
    assert ((place / "a/b.txt").read_text(), (place / "c.txt").read_text()) == ("new", "c")
    tracker.finish(ended(run_id))


def test_what_waits_keeps_its_order(tracker: MLflowTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise requests.ConnectionError("no route")

    run_id = tracker.start(begin())
    items = [Tags({"t": "1"}), Point("x", 1.0, 1, 1), Text("a", "a.txt"), Point("x", 2.0, 2, 2), Tags({"t": "1"})]
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_batch", away)
        result = RunSink(connect(tracker.uri), run_id)(items)
    assert result.away == [item for item in items if not isinstance(item, Text)]
    assert result.reason == "no route"
    tracker.finish(ended(run_id))


def test_of_a_run_that_is_gone_not_every_point_is_asked_for(
    tracker: MLflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()

    def gone(_self: object, _run: str, **what: list[object]) -> None:
        asked.append(len(what["metrics"]))
        raise MlflowException("no such run", RESOURCE_DOES_NOT_EXIST)

    run_id = tracker.start(begin())
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_batch", gone)
        result = RunSink(connect(tracker.uri), run_id)([Point("x", 1.0, step, 1) for step in range(40)])
    assert (asked, len(result.refused), result.away) == ([40], 1, [])
    tracker.finish(ended(run_id))


def test_one_refused_text_does_not_take_others_with_it(tracker: MLflowTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    def choosy(path: str) -> None:
        if "bad" in path:
            raise MlflowException("not this one", INVALID_PARAMETER_VALUE)

    monkeypatch.setattr(artifact_repo, "verify_artifact_path", choosy)
    run_id = tracker.start(begin())
    result = RunSink(connect(tracker.uri), run_id)([Text(name, f"{name}.txt") for name in ("one", "bad", "two")])
    assert result.refused == ["bad.txt: not this one"]
    assert not result.away
    assert {"one.txt", "two.txt"} <= {path.name for path in Path(tracker.location).iterdir()}
    tracker.finish(ended(run_id))


def test_a_missing_artifact_is_reported_after_the_run_is_closed(
    tracker: MLflowTracker, store: MLflowStore, tmp_path: Path
) -> None:
    run_id = tracker.start(begin())
    tracker.artifact(tmp_path / "gone.ckpt")
    with pytest.raises(StoreError, match=r"were refused .*gone.ckpt"):
        tracker.finish(ended(run_id))
    assert store.get(run_id).status == "finished"


def test_calls_outside_a_run_are_refused(tracker: MLflowTracker) -> None:
    with pytest.raises(StoreError, match=r"no open run; expected start\(\)"):
        tracker.log({"loss": 1.0}, 0)
    run_id = tracker.start(begin())
    with pytest.raises(StoreError, match=rf"run {run_id} is still open"):
        tracker.start(begin())
    tracker.finish(ended(run_id))


def test_a_deleted_experiment_is_explained(tracker: MLflowTracker, experiment: str) -> None:
    tracker.finish(ended(tracker.start(begin())))
    client = MlflowClient(tracker.uri)
    client.delete_experiment(client.get_experiment_by_name(experiment).experiment_id)
    with pytest.raises(StoreError, match=f"the experiment '{experiment}' was deleted in MLflow"):
        tracker.start(begin())


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is no database, " * 500)
    with pytest.raises(StoreError, match=r"mlflow.db: the run store .*not a database"):
        MLflowTracker(f"sqlite:///{tmp_path}/mlflow.db").start(begin())


def test_a_store_of_another_mlflow_is_explained_with_the_command_to_run(tracker: MLflowTracker, tmp_path: Path) -> None:
    tracker.finish(ended(tracker.start(begin())))
    copy = tmp_path / "old.db"
    with (
        closing(sqlite3.connect(tracker.uri.removeprefix("sqlite:///"))) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
        target.execute("UPDATE alembic_version SET version_num = '0c779009ac13'")
        target.execute("PRAGMA user_version = 1")
        target.commit()
    with pytest.raises(StoreError, match=rf"old.db: .*another MLflow .*run: mlflow db upgrade sqlite:///{copy}"):
        MLflowTracker(f"sqlite:///{copy}").start(begin())


def test_a_row_that_another_process_wrote_first_is_no_failure() -> None:
    from sqlalchemy.exc import IntegrityError

    from lorelab.tracking.mlflow_client import patiently

    calls: list[int] = []

    def write(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            raise IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed: datasets.name"))
        return value

    assert patiently(write, 3) == 3
    assert calls == [3, 3]


def test_a_store_is_written_without_waiting_for_the_disk_but_ahead_of_its_changes(tmp_path: Path) -> None:
    """What that gives up is the last moments before a power failure, not the store."""
    client = connect(f"sqlite:///{tmp_path / 'mlflow.db'}")
    with client._tracking_client.store.engine.connect() as connection:
        modes = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 1]
