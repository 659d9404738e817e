"""Eight processes open a store that is not there yet, at the same moment, and every one of them writes its run."""

import multiprocessing
import sqlite3
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.mlflow_store import MLflowStore
from lorelab.tracking.mlflow_tracker import MLflowTracker

PROCESSES, POINTS = 8, 20


def write_run(uri: str, number: int, start: Barrier) -> None:
    tracker = MLflowTracker(uri)
    start.wait(timeout=120)
    run_id = tracker.start(RunStart(f"run-{number}", {"seed": str(number)}, {}, {"note.txt": f"{number}"}))
    for step in range(POINTS):
        tracker.log({"train/loss": number + step / POINTS}, step)
    tracker.finish(RunRecord(run_id, f"run-{number}", RunStatus.FINISHED, "val/accuracy", "max", score=float(number)))


def test_eight_processes_at_once_on_a_fresh_checkout_all_succeed(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    # Each process has MLflow imported before the barrier: without that spread all eight meet at the database.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlflow.store.tracking.sqlalchemy_store", "lorelab.tracking.mlflow_tracker"])
    start = context.Barrier(PROCESSES)
    workers = [context.Process(target=write_run, args=(uri, number, start)) for number in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=180)
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES

    store = MLflowStore(uri)
    runs = {run.name: run for run in store.runs()}
    assert sorted(runs) == [f"run-{number}" for number in range(PROCESSES)]
    for number in range(PROCESSES):
        run = runs[f"run-{number}"]
        assert run.status == "finished"
        assert store.history(run.run_id, "train/loss") == [(step, number + step / POINTS) for step in range(POINTS)]
        assert store.download(run.run_id, "note.txt", tmp_path / run.name).read_text() == str(number)
    with closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as connection:
        assert connection.execute("SELECT count(*) FROM experiments WHERE name = 'lorelab'").fetchone() == (1,)
