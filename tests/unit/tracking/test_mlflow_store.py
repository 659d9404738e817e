"""Finding and reading runs."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lorelab.errors import StoreError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.liveness import PROCESS, marks
from lorelab.tracking.mlflow_store import MLflowStore
from lorelab.tracking.mlflow_tracker import MLflowTracker


def write(tracker: MLflowTracker, name: str, status: RunStatus = RunStatus.FINISHED, **tags: str) -> str:
    lr, optimizer = name.split("-")[1:3]
    params = {"optimizer.lr": lr, "optimizer": optimizer, "data.augment": "True"}
    run_id = tracker.start(RunStart(name, params, {f"lorelab.{key}": value for key, value in tags.items()}))
    tracker.log({"val/loss": 1.0}, 0)
    tracker.finish(RunRecord(run_id, name, status, "val/loss", "min", score=1.0))
    return run_id


@pytest.fixture(scope="module")
def filled(store_uri: str) -> MLflowStore:
    tracker = MLflowTracker(store_uri, "store-tests")
    write(tracker, "a-0.01-adam", sweep="s1")
    write(tracker, "b-0.1-adam", sweep="s1")
    write(tracker, "c-0.1-sgd", RunStatus.DIVERGED, sweep="s2", note="it's `odd`")
    write(tracker, "d-1e-05-sgd", RunStatus.FAILED)
    return MLflowStore(store_uri, "store-tests")


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, "dcba"),
        ({"optimizer": "adam"}, "ba"),
        ({"optimizer.lr": "0.1"}, "cb"),
        ({"optimizer.lr": "1e-1", "optimizer": "sgd"}, "c"),
        ({"data.augment": "true"}, "dcba"),
        ({"lorelab.sweep": "s1"}, "ba"),
        ({"sweep": "s2"}, "c"),
        ({"note": "it's `odd`"}, "c"),
        ({"tags.lorelab.note": "it's `odd`"}, "c"),
        ({"status": "finished"}, "ba"),
        ({"status": "diverged"}, "c"),
        ({"status": "failed"}, "d"),
        ({"status": "running"}, ""),
        ({"name": "b-0.1-adam"}, "b"),
        ({"optimizer.lr": "0.1", "status": "finished", "sweep": "s1"}, "b"),
        ({"optimizer.lr": "7"}, ""),
        ({"no.such.key": "7"}, ""),
    ],
)
def test_filters_leave_the_runs_that_fit_newest_first(filled: MLflowStore, filters: dict[str, str], names: str) -> None:
    assert [run.name[0] for run in filled.runs(filters=filters)] == list(names)


def test_a_limit_counts_runs_that_fit_and_the_order_can_be_turned(filled: MLflowStore) -> None:
    assert [run.name[0] for run in filled.runs(filters={"optimizer": "adam"}, limit=1)] == ["b"]
    assert [run.name[0] for run in filled.runs(limit=2, newest_first=False)] == ["a", "b"]


def test_pages_are_read_on_until_the_limit(filled: MLflowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorelab.tracking.mlflow_store.PAGE", 1)
    assert [run.name[0] for run in filled.runs(filters={"optimizer": "adam"})] == ["b", "a"]


def test_a_run_is_had_by_name_by_id_and_by_the_beginning_of_its_id(filled: MLflowStore) -> None:
    run = filled.get("b-0.1-adam")
    assert run.params["optimizer.lr"] == "0.1"
    assert run.artifacts.startswith("file://")
    assert run.monitor == "val/loss"
    assert filled.get(run.run_id) == filled.get(run.run_id[:12]) == run


def test_a_name_that_is_not_there_is_answered_with_the_nearest(filled: MLflowStore) -> None:
    with pytest.raises(StoreError, match=r"no run 'a-0.01-adm' among 4.*did you mean 'a-0.01-adam'"):
        filled.get("a-0.01-adm")


def test_a_name_that_two_runs_bear_is_answered_with_their_ids(store_uri: str, experiment: str) -> None:
    tracker = MLflowTracker(store_uri, experiment)
    first, second = write(tracker, "x-1-adam"), write(tracker, "x-1-adam")
    with pytest.raises(StoreError, match=r"'x-1-adam' fits 2 runs") as error:
        MLflowStore(store_uri, experiment).get("x-1-adam")
    assert first[:12] in str(error.value)
    assert second[:12] in str(error.value)


def test_reading_where_there_is_no_store_finds_nothing_and_makes_nothing(tmp_path: Path) -> None:
    store = MLflowStore(f"sqlite:///{tmp_path}/mlflow.db")
    assert store.runs() == []
    with pytest.raises(StoreError, match=r"there is no run 'abcd': the store is empty. Train one: lorelab train"):
        store.get("abcd")
    assert not list(tmp_path.iterdir())


def test_an_experiment_that_is_not_there_has_no_runs_and_none_means_all(filled: MLflowStore) -> None:
    assert MLflowStore(filled.uri, "nobody's").runs() == []
    assert {run.run_id for run in filled.runs()} <= {run.run_id for run in MLflowStore(filled.uri, None).runs()}


def test_runs_of_other_programs_are_read_too(store_uri: str, experiment: str) -> None:
    client = MlflowClient(store_uri)
    place = client.create_experiment(experiment)
    for status in ("FINISHED", "FAILED", "KILLED"):
        client.set_terminated(client.create_run(place, run_name=status).info.run_id, status)
    client.create_run(place, run_name="RUNNING")
    runs = MLflowStore(store_uri, experiment).runs()
    assert {run.name.lower() for run in runs} == {"finished", "failed", "killed", "running"}
    assert all(run.status == run.name.lower() for run in runs)
    assert [run.seconds is None for run in runs] == [run.status == "running" for run in runs]


def test_a_run_whose_process_vanished_is_closed_as_killed_by_the_next_command(store_uri: str, experiment: str) -> None:
    trackers = {name: MLflowTracker(store_uri, experiment) for name in ("vanished", "elsewhere", "alive")}
    gone = json.loads(marks()[PROCESS]) | {"pid": 2**22 + 1}
    there = gone | {"host": "another"}
    tags = {"vanished": {PROCESS: json.dumps(gone)}, "elsewhere": {PROCESS: json.dumps(there)}, "alive": {}}
    ids = {name: tracker.start(RunStart(name, {}, tags[name])) for name, tracker in trackers.items()}
    store = MLflowStore(store_uri, experiment)
    assert [run.name for run in store.runs(filters={"status": "killed"})] == ["vanished"]
    assert MlflowClient(store.uri).get_run(ids["vanished"]).info.status == "KILLED"
    assert store.get("vanished").tags["lorelab.reason"] == "its process is gone"
    assert [store.get(name).status for name in ("elsewhere", "alive")] == ["running"] * 2
    for tracker in trackers.values():
        tracker.finish(RunRecord("", "", RunStatus.KILLED, "", "max"))


def test_an_artifact_that_is_not_there_is_answered_with_the_nearest(filled: MLflowStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"has no artifact 'recrd.json'; did you mean 'record.json'"):
        filled.download(filled.get("b-0.1-adam").run_id, "recrd.json", tmp_path)
