"""Eight processes open a store that is not there yet, at the same moment, and every one of them writes its run."""

import multiprocessing
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

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


@pytest.mark.slow  # eight interpreters that import torch and MLflow
def test_eight_train_commands_at_once_on_a_fresh_checkout_all_succeed(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    command = [sys.executable, "-m", "lorelab", "train", "experiment=digits_mlp", "trainer.max_epochs=1"]
    options = ["trainer.threads=1", "progress=plain", f"paths.outputs={tmp_path}/outputs"]
    running = [
        subprocess.Popen(
            [*command, *options, f"seed={seed}"],
            cwd=tmp_path,
            env=os.environ | {"MLFLOW_TRACKING_URI": uri, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for seed in range(PROCESSES)
    ]
    said = [process.communicate(timeout=1500)[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES, "\n".join(said)
    store = MLflowStore(uri)
    runs = store.runs()
    assert sorted(run.params["seed"] for run in runs) == sorted(map(str, range(PROCESSES)))
    for run in runs:
        assert run.status == "finished"
        assert 0 < run.metrics["test/accuracy"] <= 1
        assert len(store.history(run.run_id, "val/accuracy")) == 1
        assert store.download(run.run_id, "checkpoints/best.ckpt", tmp_path / run.run_id).stat().st_size > 0
    assert len({run.name for run in runs}) == PROCESSES
