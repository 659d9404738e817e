"""Sweeps whose processes die, are stopped, or come all at once. The long version of the first test is
``python -m benchmarks.sweep_kill``."""

import os
import signal
import time
from pathlib import Path

import pytest

from benchmarks.forked import Forked, Server
from benchmarks.moments import SINGLE
from benchmarks.sweep_kill import KilledSweep, kill_at_random
from lorelab.sweeps.trials import TrialStatus
from lorelab.tracking.mlflow_store import MLflowStore

LOCAL = "hydra/launcher=local"  # one run after the other, whatever a busy machine makes of its timings
SHORT = (LOCAL, "trainer.max_epochs=2", "data.limit_train=200")
LONG = (LOCAL, "trainer.max_epochs=100000", "search.trials=3", "~search/pruner")


def test_a_sweep_is_the_same_however_often_its_processes_are_killed(server: Server, tmp_path: Path) -> None:
    sweep = KilledSweep(server, tmp_path, 12, *SHORT, "sweep.workers=2")
    tally = kill_at_random(sweep, kills=3, seed=1, within=0.2)  # less than the trials that are left take
    assert tally.pop("exit status 0") == 1, sweep.output.read_text()
    tally.pop("it had ended", None)  # a fast machine may be done before the last kills
    assert sum(tally.values()) >= 1
    assert sweep.problems() == []


@pytest.mark.parametrize(
    "moments", [("created", "halfway", "half_told"), pytest.param(tuple(SINGLE), marks=pytest.mark.slow)], ids=len
)
def test_a_sweep_goes_on_from_every_moment_at_which_it_can_be_killed(
    server: Server, tmp_path: Path, moments: tuple[str, ...]
) -> None:
    sweep = KilledSweep(server, tmp_path, 4, *SHORT)
    for moment in moments:
        assert sweep.start(moment).wait(120) == -signal.SIGKILL, f"{moment}: {sweep.output.read_text()}"
    assert sweep.start().wait(120) == 0, sweep.output.read_text()
    assert sweep.problems() == []
    runs = MLflowStore(sweep.uri).runs(filters={"lorelab.sweep": "killed"})
    assert len(runs) <= 4 + 1, "only the run of which MLflow had been told nothing was not gone on with"


def test_a_grid_goes_on_from_a_trial_that_had_its_number_only(server: Server, tmp_path: Path) -> None:
    sweep = KilledSweep(server, tmp_path, 3, *SHORT)
    kept = [word for word in sweep.arguments if not word.startswith(("search", "optimizer.lr"))]
    sweep.arguments = (*kept, "optimizer.lr=0.001,0.01,0.1")
    for moment in ("asked:2", "proposed:2"):
        assert sweep.start(moment).wait(120) == -signal.SIGKILL
    assert sweep.start().wait(120) == 0, sweep.output.read_text()
    assert sweep.problems() == []
    assert [trial.params["optimizer.lr"] for trial in sweep.search().trials()] == ["0.001", "0.01", "0.1"]


@pytest.mark.parametrize("processes", [4, pytest.param(8, marks=pytest.mark.slow)])
def test_processes_that_come_at_the_same_moment_share_one_sweep(server: Server, tmp_path: Path, processes: int) -> None:
    sweep = KilledSweep(server, tmp_path, 2 * processes, *SHORT)
    crowd = [sweep.start() for _ in range(processes)]
    assert [process.wait(240) for process in crowd] == [0] * processes, sweep.output.read_text()
    assert sweep.problems() == []
    assert sweep.repeated_steps() == {"1": 2 * processes}, "nobody took what another had"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_all_runs_ends_all_processes_and_leaves_what_can_be_gone_on_with(
    server: Server, tmp_path: Path, signum: int
) -> None:
    sweep = KilledSweep(server, tmp_path, 3, *LONG, "sweep.workers=2")
    process = sweep.start()
    _await_checkpoints(sweep, process, 2)
    begun = time.monotonic()
    process.send_signal(signum)
    assert process.wait(60) == 128 + signum, sweep.output.read_text()
    assert time.monotonic() - begun < 15
    assert server.pids() == set()
    store = MLflowStore(sweep.uri)
    runs = store.runs(filters={"lorelab.sweep": "killed"})
    assert [run.status for run in runs] == ["killed", "killed"]
    assert {run.tags["lorelab.reason"] for run in runs} == {"stopped by SIGTERM"}, "none was closed by its neighbours"
    assert [run.status for run in store.runs(filters={"lorelab.kind": "sweep"})] == ["killed"]
    assert all((tmp_path / "checkpoints" / run.run_id / "last.ckpt").is_file() for run in runs)
    assert {trial.status for trial in sweep.search().trials()} == {TrialStatus.INTERRUPTED}


def test_workers_end_with_the_process_that_they_work_for(server: Server, tmp_path: Path) -> None:
    sweep = KilledSweep(server, tmp_path, 3, *LONG, "sweep.workers=2")
    process = sweep.start()
    _await_checkpoints(sweep, process, 2)
    os.kill(process.pid, signal.SIGKILL)
    limit = time.monotonic() + 30
    while server.pids() and time.monotonic() < limit:
        time.sleep(0.1)
    assert server.pids() == set()
    runs = MLflowStore(sweep.uri).runs(filters={"lorelab.sweep": "killed"})
    assert {run.tags["lorelab.reason"] for run in runs} == {"stopped by SIGTERM"}


def _await_checkpoints(sweep: KilledSweep, process: Forked, count: int) -> None:
    """Until so many runs have written one."""
    limit = time.monotonic() + 120
    while len(list(sweep.folder.glob("checkpoints/*/last.ckpt"))) < count:
        assert process.poll() is None, sweep.output.read_text()
        assert time.monotonic() < limit, sweep.output.read_text()
        time.sleep(0.1)
