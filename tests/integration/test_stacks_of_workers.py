"""Workers that train stacks: ``hydra/launcher=stacked`` with ``sweep.workers``, and what ``auto`` hands to them."""

import json
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.forked import Server
from benchmarks.sweep_kill import KilledSweep
from lorelab.cli import auto
from lorelab.sweeps.fork_server import VARIABLE
from lorelab.sweeps.summary import summary_of
from lorelab.sweeps.timing import StackedStep
from lorelab.sweeps.trials import Trial
from lorelab.tracking.mlflow_store import MLflowStore

TINY = ("experiment=digits_mlp", "trainer.max_epochs=2", "trainer.threads=1", "data.limit_train=200", "model.width=8")
BY_TWO = ("hydra/launcher=stacked", "sweep.workers=2")


def test_each_worker_trains_stacks_of_what_differs_in_numbers_only(server: Server, store_uri: str, tmp_path) -> None:
    output = tmp_path / "output.txt"
    grid = ("optimizer.lr=0.01,0.02", "seed=0,1", "model.width=8,9")
    words = ("train", "-m", *TINY, *grid, *BY_TWO, "trainer.test=false", f"paths.outputs={tmp_path}")
    process = server.start(*words, output=output, cwd=tmp_path, MLFLOW_TRACKING_URI=store_uri)
    assert process.wait(120) == 0, output.read_text()
    runs = MLflowStore(store_uri).runs()
    assert [run.tags["lorelab.stacked"] for run in runs] == ["4"] * 8
    assert Counter(run.params["model.width"] for run in runs) == {"8": 4, "9": 4}, "numbers of a stack are not in a row"
    assert [(str(trial.status), trial.attempts) for trial in _trials(tmp_path)] == [("finished", 1)] * 8
    (parent,) = MLflowStore(store_uri).runs(filters={"kind": "sweep"})
    processes = {run.tags["lorelab.process"] for run in runs}
    assert parent.tags["lorelab.process"] not in processes
    (folder,) = (tmp_path / "sweeps").iterdir()
    said = "".join((folder / f"worker-{number}.log").read_text() for number in (0, 1))
    assert said.count("4 of 4 runs trained as one") == 2


@pytest.fixture
def auto_line(command_line, server: Server, monkeypatch, work: Path, store_uri: str, tmp_path: Path):
    """Runs a sweep with ``auto`` and two workers, where steps alone take very long; returns what it said."""
    monkeypatch.setenv(VARIABLE, str(server.socket))
    monkeypatch.setattr(auto, "crowding", lambda _workers: 1.0)
    monkeypatch.setattr(auto, "evaluation_stacked", lambda _members, _alone: 0.0)
    monkeypatch.setattr(auto, "step_alone", lambda _member, _threads=None: 10.0)
    monkeypatch.setattr(auto, "step_stacked", lambda *_, **__: StackedStep(2.0, 1.0))
    monkeypatch.setattr("lorelab.sweeps.choice.AT_RISK_SECONDS", 1e9)

    def run(*words: str) -> str:
        own = ("hydra/launcher=auto", "sweep.workers=2", f"paths.outputs={tmp_path}")
        done = command_line(work, store_uri)("train", "-m", *TINY, *words, *own)
        (said,) = [line for line in done.stderr.splitlines() if "auto: " in line]
        return said

    return run


def stacks(store_uri: str) -> Counter:
    return Counter(run.tags.get("lorelab.stacked") for run in MLflowStore(store_uri).runs())


@pytest.mark.slow
def test_auto_has_workers_train_stacks_of_a_search_where_that_is_fastest(auto_line, store_uri: str) -> None:
    search = (
        "search=default",
        "optimizer.lr=tag(log,interval(1e-4,1e-1))",
        "search.trials=10",
        "search.confirm_best=0",
    )
    assert "auto: 10 runs: stacked by workers (expected: one by one " in auto_line(*search)
    found = stacks(store_uri)
    assert sum(found.values()) == 10
    assert found["4"] >= 4, "half a batch each"
    assert found.keys() <= {"4", "2", None}


def test_auto_shares_runs_of_several_kinds_out_among_workers_that_choose_for_each(
    auto_line, store_uri: str, tmp_path: Path
) -> None:
    kinds = ["model.width=8", "model.width=9", "optimizer=sgd", "loader.batch_size=100"]
    jobs = [[kind, f"seed={seed}"] for seed in range(3) for kind in kinds[:3]] + [[kinds[3]]]
    listed = tmp_path / "jobs.json"
    listed.write_text(json.dumps([{"name": str(at), "overrides": overrides} for at, overrides in enumerate(jobs)]))
    said = auto_line(f"sweep.jobs={listed}", "sweep.name=named", "trainer.max_steps=3", "trainer.test=false")
    assert "auto: 9 runs of several kinds, if all were like the first: shared out among workers (expected: " in said
    logs = "".join((tmp_path / "sweeps" / "named" / f"worker-{number}.log").read_text() for number in (0, 1))
    assert logs.count("lorelab train: auto: 3 runs: ") == 3, "a choice for each kind"
    assert [(str(trial.status), trial.attempts) for trial in _trials(tmp_path)] == [("finished", 1)] * 10
    assert sum(stacks(store_uri).values()) == 10
    assert stacks(store_uri).keys() <= {"3", None}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["worker", "parent"])
def test_a_stack_whose_worker_is_killed_is_trained_again(server: Server, tmp_path: Path, target: str) -> None:
    sweep = KilledSweep(server, tmp_path, 6, "trainer.max_epochs=40", "data.limit_train=400", *BY_TWO)
    process = sweep.start()
    limit = time.monotonic() + 60
    while not _running(tmp_path / "mlflow.db"):
        assert process.poll() is None and time.monotonic() < limit, sweep.output.read_text()
        time.sleep(0.1)
    dying = [process.pid] if target == "parent" else sorted(server.pids() - {process.pid})[:1]
    assert dying
    for pid in dying:
        os.kill(pid, signal.SIGKILL)
    if target == "parent":
        process.wait(30)
        process = sweep.start()
    assert process.wait(120) == 0, sweep.output.read_text()
    assert ("another takes its place" in sweep.output.read_text()) == (target == "worker")
    assert sweep.problems() == []
    assert any("lorelab.stacked" in run.tags for run in MLflowStore(sweep.uri).runs())


def _trials(outputs: Path) -> Sequence[Trial]:
    (folder,) = (outputs / "sweeps").iterdir()
    return summary_of(folder).trials


def _running(store: Path) -> int:
    """Runs of trials that are under way."""
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as known:
            rows = known.execute("select count(*) from tags where key='lorelab.trial'").fetchone()
    except sqlite3.OperationalError:  # not made yet
        return 0
    return int(rows[0])
