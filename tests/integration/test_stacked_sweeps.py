"""Sweeps with ``hydra/launcher=stacked``: the same runs as one by one, whatever becomes of some of them."""

import json
import math
import re
import signal
from pathlib import Path

import pytest
from filelock import FileLock

from benchmarks.forked import Server
from benchmarks.sweep_kill import KilledSweep
from lorelab.sweeps.fork_server import VARIABLE
from lorelab.sweeps.summary import summary_of
from lorelab.sweeps.timing import StackedStep
from lorelab.sweeps.trials import Trial
from lorelab.tracking.mlflow_store import MLflowStore

TINY = ("experiment=digits_mlp", "trainer.max_epochs=2", "trainer.threads=1", "data.limit_train=200", "model.width=8")
UNTESTED = "trainer.test=false"
STACKED = "hydra/launcher=stacked"
FAULTY = '''"""A callback at fault at the second evaluation where the file `fault` says so: LEARNING_RATE crash|stop."""
import os
import signal
from pathlib import Path

from pytorch_lightning import Callback


class Faulty(Callback):
    stackable = True
    evaluations = 0

    def on_validation_end(self, trainer, pl_module):
        self.evaluations += 1
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        words = Path("fault").read_text().split() if Path("fault").exists() else []
        if self.evaluations != 2 or not words or words[0] != str(rate):
            return
        if words[1] == "crash":
            raise KeyError(f"no such thing at {rate}")
        os.kill(os.getpid(), signal.SIGTERM)
'''
FAULT = "+callbacks.faulty._target_=mine.Faulty"


@pytest.fixture
def sweep(command_line, work: Path, store_uri: str, tmp_path: Path):
    """Runs ``lorelab train -m`` with the tiny preset, into outputs and a store by name."""
    (work / "mine.py").write_text(FAULTY)

    def run(*overrides: str, store: str = store_uri, outputs: str = "outputs", check: bool = True):
        words = ["train", "-m", *TINY, *overrides, f"paths.outputs={tmp_path / outputs}"]
        return command_line(work, store)(*words, check=check, LORELAB_TRUST="mine")

    return run


def trials(tmp_path: Path, outputs: str = "outputs") -> list[Trial]:
    (folder,) = (tmp_path / outputs / "sweeps").iterdir()
    return list(summary_of(folder).trials)


def statuses(tmp_path: Path) -> list[str]:
    return [str(trial.status) for trial in trials(tmp_path)]


def by_trial(uri: str) -> dict[str, object]:
    runs = MLflowStore(uri).runs()
    found = {run.tags["lorelab.trial"]: run for run in runs}
    assert len(found) == len(runs), "each trial has one run"
    return dict(sorted(found.items()))


def test_a_stacked_grid_leaves_the_runs_of_one_by_one_and_each_way_spares_what_the_other_did(
    sweep, store_uri: str, tmp_path: Path
) -> None:
    grid, other = ("optimizer=sgd", "optimizer.lr=0.01,1e30", "seed=0,1"), f"sqlite:///{tmp_path / 'other.db'}"
    said = sweep(*grid, STACKED)
    assert "2 finished, 2 diverged" in said.stdout
    sweep(*grid, "hydra/launcher=local", store=other, outputs="alone")
    stacked, alone = by_trial(store_uri), by_trial(other)
    assert stacked.keys() == alone.keys() == set("0123")
    for number, one in alone.items():
        many = stacked[number]
        assert (many.status, many.params) == (one.status, one.params)
        assert many.tags["lorelab.signature"] == one.tags["lorelab.signature"]
        assert many.tags.keys() - one.tags.keys() == {"lorelab.stacked", "lorelab.share_seconds"}
        assert many.tags["lorelab.stacked"] == "4"
        assert many.metrics.keys() == one.metrics.keys()
        for name, value in one.metrics.items():
            if math.isfinite(value):
                assert many.metrics[name] == pytest.approx(value, rel=2e-3, abs=2e-3), (number, name)
    for mine, its in zip(trials(tmp_path), trials(tmp_path, "alone"), strict=True):
        assert (mine.status, mine.params, mine.attempts) == (its.status, its.params, its.attempts)
        assert mine.value == pytest.approx(its.value, rel=2e-3)
        assert [run.steps for run in mine.runs] == [run.steps for run in its.runs]
    parents = {run.tags["mlflow.parentRunId"] for run in stacked.values()}
    assert parents == {MLflowStore(store_uri).runs(filters={"kind": "sweep"})[0].run_id}
    assert not list((tmp_path / "outputs" / "checkpoints").iterdir()), "nothing is kept to go on with"

    spared = f"{len(stacked)} of {len(stacked)} runs had been trained before"
    assert spared in sweep(*grid, "sweep.name=again", "hydra/launcher=local").stdout
    assert spared in sweep(*grid, "sweep.name=again", STACKED, store=other, outputs="third").stdout
    for uri, before in ((store_uri, stacked), (other, alone)):
        assert {run.run_id for run in MLflowStore(uri).runs()} == {run.run_id for run in before.values()}
    assert [trial.runs[0].run_id for trial in trials(tmp_path, "third")] == [run.run_id for run in alone.values()]
    assert str(trials(tmp_path, "third")[3].status) == "diverged"


def test_named_jobs_that_cannot_be_stacked_run_alone_and_one_run_twice_is_trained_once(
    sweep, store_uri: str, tmp_path: Path
) -> None:
    jobs = {"a": ["optimizer.lr=0.01"], "b": ["optimizer.lr=0.02"], "wide": ["model.width=9"],
            "again": ["optimizer.lr=0.01"]}  # fmt: skip
    listed = tmp_path / "jobs.json"
    listed.write_text(json.dumps([{"name": name, "overrides": overrides} for name, overrides in jobs.items()]))
    sweep(UNTESTED, f"sweep.jobs={listed}", "sweep.name=named", STACKED)
    done = {trial.params["job"]: trial for trial in trials(tmp_path)}
    assert {name: str(trial.status) for name, trial in done.items()} == dict.fromkeys(jobs, "finished")
    assert [trial.attempts for trial in done.values()] == [1, 1, 1, 1]
    assert done["again"].runs[0].run_id == done["a"].runs[0].run_id
    runs = {run.run_id: run for run in MLflowStore(store_uri).runs()}
    assert len(runs) == 3
    stacked = {name: runs[trial.runs[0].run_id].tags.get("lorelab.stacked") for name, trial in done.items()}
    assert stacked == {"a": "2", "b": "2", "wide": None, "again": "2"}


def test_pruned_members_leave_the_stack_and_their_trials_are_pruned(sweep, store_uri: str, tmp_path: Path) -> None:
    search = ("search=default", "search/sampler=grid", "search/pruner=median", "search.pruner.n_startup_trials=1")
    sweep(*search, "optimizer.lr=0.05,0.04,1e-7,1e-6", "sweep.batch=2", STACKED)
    assert statuses(tmp_path) == ["finished", "finished", "pruned", "pruned"]
    runs = by_trial(store_uri)
    assert [run.status for run in runs.values()] == ["finished", "finished", "pruned", "pruned"]
    assert [run.tags["lorelab.stacked"] for run in runs.values()] == ["2"] * 4
    store = MLflowStore(store_uri)
    assert [len(store.history(run.run_id, "val/accuracy")) for run in runs.values()] == [2, 2, 1, 1]
    assert store.download(runs["3"].run_id, "checkpoints/best.ckpt", tmp_path).is_file()
    assert not any(name.startswith("test/") for run in runs.values() for name in run.metrics), "a search does not test"


@pytest.mark.slow
def test_replicates_run_alone_and_confirmations_are_stacked(sweep, store_uri: str, tmp_path: Path) -> None:
    sweep(UNTESTED, "search=default", "search/sampler=grid", "search.seeds=2", "search.confirm_best=1",
          "search.confirm_seeds=2", "optimizer.lr=0.05,1e-6", STACKED)  # fmt: skip
    runs = MLflowStore(store_uri).runs()
    assert sorted(run.tags.get("lorelab.stacked", "alone") for run in runs) == ["2", "2", *["alone"] * 4]
    assert all("lorelab.confirms" in run.tags for run in runs if "lorelab.stacked" in run.tags)
    assert [len(trial.runs) for trial in trials(tmp_path)] == [2, 2]


def test_a_member_that_crashes_has_failed_and_the_others_finish(sweep, work, store_uri: str, tmp_path: Path) -> None:
    (work / "fault").write_text("0.02 crash")
    done = sweep(UNTESTED, "optimizer.lr=0.01,0.02,0.03", FAULT, STACKED, check=False)
    assert done.returncode == 1
    assert statuses(tmp_path) == ["finished", "failed", "finished"]
    assert "trial 1 failed: KeyError: 'no such thing at 0.02'" in done.stderr
    (file,) = tmp_path.glob("outputs/sweeps/*/trials/1/traceback.txt")
    assert file.read_text(encoding="utf-8") == trials(tmp_path)[1].error
    assert "mine.py" in file.read_text(encoding="utf-8")
    runs = by_trial(store_uri)
    assert [(run.status, run.tags["lorelab.stacked"]) for run in runs.values()] == [
        ("finished", "3"), ("failed", "3"), ("finished", "3"),
    ]  # fmt: skip


def test_runs_that_are_refused_as_one_run_alone_and_it_is_said_why(sweep, work, store_uri: str, tmp_path: Path) -> None:
    (work / "mine.py").write_text(FAULTY.replace("stackable = True", "stackable = False"))
    done = sweep(UNTESTED, "optimizer.lr=0.01,0.02", FAULT, STACKED)
    assert "2 of 2 runs alone, not stacked: Faulty may act on a trainer, which a stack has not" in done.stderr
    assert statuses(tmp_path) == ["finished", "finished"]
    assert not any("lorelab.stacked" in run.tags for run in MLflowStore(store_uri).runs())


def test_a_stack_that_was_stopped_goes_on_with_the_same_command(sweep, work, store_uri: str, tmp_path: Path) -> None:
    (work / "fault").write_text("0.02 stop")
    command = (UNTESTED, "optimizer.lr=0.01,0.02,0.03", FAULT, STACKED)
    stopped = sweep(*command, check=False)
    assert stopped.returncode == 143
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    assert (
        f"The same command goes on, or: lorelab sweep resume {folder.name} --folder {folder.parent}" in stopped.stderr
    )
    assert statuses(tmp_path) == ["interrupted"] * 3
    begun = by_trial(store_uri)
    assert [run.status for run in begun.values()] == ["killed"] * 3
    (work / "fault").write_text("")
    assert "3 of 3 runs trained as one" in sweep(*command).stderr
    assert statuses(tmp_path) == ["finished"] * 3
    assert [trial.attempts for trial in trials(tmp_path)] == [2, 2, 2]
    runs = by_trial(store_uri)
    assert {run.run_id for run in runs.values()} == {run.run_id for run in begun.values()}, "they are the same runs"
    assert [run.status for run in runs.values()] == ["finished"] * 3
    assert {(run.tags["lorelab.stacked"], run.tags["lorelab.resumed"]) for run in runs.values()} == {("3", "1")}
    points = MLflowStore(store_uri).history(runs["0"].run_id, "val/accuracy")
    assert len(points) == len({step for step, _ in points}) == 2


@pytest.mark.slow
def test_a_stack_that_is_stopped_again_and_again_ends_one_by_one(sweep, work, store_uri: str, tmp_path: Path) -> None:
    (work / "fault").write_text("0.02 stop")
    command = (UNTESTED, "optimizer.lr=0.01,0.02,0.03", FAULT, STACKED)
    for _ in range(2):
        assert sweep(*command, check=False).returncode == 143
    (work / "fault").write_text("")
    assert "3 of 3 runs alone, not stacked: it was interrupted more than once" in sweep(*command).stderr
    assert statuses(tmp_path) == ["finished"] * 3
    assert not any("lorelab.stacked" in run.tags for run in by_trial(store_uri).values())
    assert not list((tmp_path / "outputs" / "checkpoints").glob("*/")), "nothing is kept to go on with"


@pytest.mark.slow
def test_a_run_with_a_checkpoint_goes_on_alone_others_are_stacked_anew(
    sweep, work, store_uri: str, tmp_path: Path
) -> None:
    """All were interrupted in a stack; one has a checkpoint, as if it had been trained alone, but a broken one."""
    (work / "fault").write_text("0.02 stop")
    command = (UNTESTED, "optimizer.lr=0.01,0.02,0.03", FAULT, STACKED)
    assert sweep(*command, check=False).returncode == 143
    (work / "fault").write_text("")
    run = by_trial(store_uri)["1"]
    (Path(run.tags["lorelab.checkpoints"]) / run.run_id / "last.ckpt").write_text("broken")
    said = sweep(*command).stderr
    assert "1 of 3 runs alone, not stacked: it goes on from a checkpoint of a run alone" in said
    assert "2 of 3 runs trained as one" in said
    assert statuses(tmp_path) == ["finished"] * 3


def test_a_run_that_another_process_goes_on_with_is_not_stacked(sweep, work, store_uri: str, tmp_path: Path) -> None:
    (work / "fault").write_text("0.02 stop")
    command = (UNTESTED, "optimizer.lr=0.01,0.02,0.03", FAULT, STACKED)
    assert sweep(*command, check=False).returncode == 143
    (work / "fault").write_text("")
    run = by_trial(store_uri)["1"]
    with FileLock(Path(run.tags["lorelab.checkpoints"]) / f"{run.run_id}.lock"):
        sweep(*command)
    assert statuses(tmp_path) == ["finished"] * 3
    found = {run.tags["lorelab.trial"]: run for run in MLflowStore(store_uri).runs() if run.status == "finished"}
    assert [("lorelab.stacked" in found[number].tags) for number in "012"] == [True, False, True]


def test_a_stack_that_breaks_down_costs_no_trial_its_run(sweep, monkeypatch, store_uri: str, tmp_path: Path) -> None:
    from lorelab.training.stacked_loop import StackedLoop

    train, steps = StackedLoop._train_batch, []

    def breaks_down(loop, *args, **kwargs):
        steps.append(1)
        if len(steps) == 3:
            raise RuntimeError("out of memory")
        return train(loop, *args, **kwargs)

    monkeypatch.setattr(StackedLoop, "_train_batch", breaks_down)
    done = sweep(UNTESTED, "optimizer.lr=0.01,1e30,0.03", "optimizer=sgd", STACKED)
    assert "a stack of 3 runs ended; those that had not go on alone." in done.stderr
    assert "RuntimeError: out of memory" in done.stderr
    assert statuses(tmp_path) == ["finished", "diverged", "finished"]
    runs = by_trial(store_uri)
    assert [run.status for run in runs.values()] == ["finished", "diverged", "finished"]
    assert [trial.runs[0].run_id for trial in trials(tmp_path)] == [run.run_id for run in runs.values()]


def test_hydras_own_sweeper_has_its_jobs_run_one_by_one(sweep, store_uri: str) -> None:
    sweep(UNTESTED, "hydra/sweeper=basic", "seed=0,1")
    runs = MLflowStore(store_uri).runs()
    assert [run.status for run in runs] == ["finished"] * 2
    assert not any("lorelab.stacked" in run.tags for run in runs)


@pytest.mark.parametrize("launcher", ["stacked", "auto"])
def test_impossible_settings_of_the_launcher_are_refused(sweep, launcher: str, tmp_path: Path) -> None:
    wrong = (f"hydra/launcher={launcher}", "hydra.launcher.batch=0", "hydra.launcher.memory_gb=some")
    done = sweep("optimizer.lr=0.01,0.02", *wrong, "tracker=none", check=False)
    assert done.returncode == 2
    assert "nothing was started" in done.stderr
    assert not list((tmp_path / "outputs").glob("sweeps/*"))
    assert re.search(r"hydra\.launcher\.batch\n *found: +0\n *expected: trials, at least 1\n", done.stderr)
    assert re.search(r"hydra\.launcher\.memory_gb\n *found: +'some'\n *expected: .*null for half", done.stderr)


def test_memory_decides_how_many_are_trained_at_once(sweep, store_uri: str) -> None:
    sweep(UNTESTED, "optimizer.lr=0.01,0.02,0.03,0.04", STACKED, "hydra.launcher.memory_gb=0.0004")
    sizes = {run.tags.get("lorelab.stacked", "alone") for run in MLflowStore(store_uri).runs()}
    assert sizes == {"2"}


@pytest.mark.slow
def test_a_preset_at_its_own_rate_scores_stacked_what_it_scores_alone(
    command_line, work: Path, store_uri: str, tmp_path: Path
) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    preset = ("train", "-m", "experiment=digits_mlp", "trainer.threads=1", "seed=0,1,2,3,4,5,6,7")
    for uri, launcher in ((store_uri, STACKED), (other, "hydra/launcher=local")):
        command_line(work, uri)(*preset, launcher, f"paths.outputs={tmp_path / launcher[-5:]}")
    stacked, alone = ({run.params["seed"]: run for run in MLflowStore(uri).runs()} for uri in (store_uri, other))
    assert {run.tags.get("lorelab.stacked") for run in stacked.values()} == {"8"}
    for seed, run in alone.items():
        apart = abs(stacked[seed].metrics["test/accuracy"] - run.metrics["test/accuracy"])
        assert apart <= 1 / 270 + 1e-6, "one of the examples"
        assert stacked[seed].metrics["test/loss"] == pytest.approx(run.metrics["test/loss"], rel=1e-3)


def test_a_stack_says_what_it_does_and_why_not(sweep) -> None:
    stacked = ("optimizer.lr=0.01,0.02", "hydra/launcher=stacked", "tracker=none")
    assert "lorelab train: 2 of 2 runs trained as one" in sweep(UNTESTED, *stacked).stderr
    strict = sweep(UNTESTED, *stacked, "reproducible=strict").stderr
    assert "2 of 2 runs alone, not stacked: reproducible=strict promises the bits" in strict
    narrow = sweep(UNTESTED, "optimizer.lr=0.03,0.04", *stacked[1:], "hydra.launcher.memory_gb=0.00001").stderr
    assert "2 of 2 runs alone, not stacked: each needs some " in narrow
    assert "a stack may take 1e-05 GB (hydra.launcher.memory_gb)" in narrow
    widths = sweep(UNTESTED, "model.width=8,9", *stacked[1:]).stderr
    assert "2 of 2 runs alone, not stacked: model.width differs, which the runs of a stack have in common" in widths


AUTO = "hydra/launcher=auto"


@pytest.fixture
def times(monkeypatch):
    """What ``auto`` measures, in seconds a step: alone, with a worker's threads, and stacked by how many they are; how
    many times as long all takes in a crowd, and the seconds of an evaluation at once."""
    from lorelab.cli import auto

    def are(alone: float, stacked: float, crowd: float = 1.0, evaluation: float = 0.0) -> None:
        monkeypatch.setattr(auto, "crowding", lambda workers: crowd)
        monkeypatch.setattr(auto, "evaluation_stacked", lambda _members, _alone: evaluation)
        monkeypatch.setattr(auto, "step_alone", lambda _member, _threads=None: alone)
        monkeypatch.setattr(auto, "step_stacked", lambda _members, *_, **__: StackedStep(2 * stacked, stacked))

    return are


def test_auto_stacks_where_that_is_fast_and_says_why(sweep, times, store_uri: str, tmp_path: Path) -> None:
    times(alone=10.0, stacked=0.01)
    done = sweep(UNTESTED, "optimizer=adam,sgd", "optimizer.lr=0.01,0.02", AUTO)
    lines = [line for line in done.stderr.splitlines() if "auto: " in line]
    assert len(lines) == 2
    assert all(line.startswith("lorelab train: auto: 2 runs: stacked (expected: one by one 4:") for line in lines)
    assert [run.tags["lorelab.stacked"] for run in MLflowStore(store_uri).runs()] == ["2"] * 4
    assert statuses(tmp_path) == ["finished"] * 4


@pytest.mark.slow
def test_auto_trains_one_by_one_what_neither_stacks_nor_pays_for_workers(
    sweep, times, store_uri: str, tmp_path
) -> None:
    times(alone=0.001, stacked=0.1)
    done = sweep(UNTESTED, "optimizer.lr=0.01,0.02", AUTO, "sweep.workers=2")
    assert "auto: 2 runs: one by one (expected: " in done.stderr
    assert done.stderr.count("auto: ") == 1, "the same runs are not judged twice"
    assert not any("lorelab.stacked" in run.tags for run in MLflowStore(store_uri).runs())
    assert [trial.attempts for trial in trials(tmp_path)] == [1, 1]
    quiet = sweep(UNTESTED, "optimizer.lr=0.03,0.04", AUTO, "sweep.name=quiet", "progress=quiet")
    assert "auto" not in quiet.stderr


def test_auto_measures_what_it_chooses_from(sweep, tmp_path: Path) -> None:
    done = sweep(UNTESTED, "optimizer.lr=0.01,0.02,0.03", AUTO, "sweep.workers=1", "tracker=none")
    assert "auto: 3 runs: " in done.stderr
    assert "by workers" not in done.stderr
    assert statuses(tmp_path) == ["finished"] * 3


def test_auto_reckons_with_crowded_workers_and_dear_evaluations(sweep, times, tmp_path: Path) -> None:
    times(alone=10.0, stacked=0.01, crowd=7.0, evaluation=1000.0)
    done = sweep(UNTESTED, "optimizer.lr=0.01,0.02", AUTO, "sweep.workers=2", "tracker=none")
    (line,) = [line for line in done.stderr.splitlines() if "auto: " in line]
    expected = dict(re.findall(r"(one by one|stacked|by workers) ([\d:.]+)", line.partition("expected")[2]))
    alone, stacked, workers = (_seconds(expected[way]) for way in ("one by one", "stacked", "by workers"))
    assert line.startswith("lorelab train: auto: 2 runs: one by one")
    assert stacked > 2000, "an evaluation each"
    assert workers == pytest.approx(10 + 7 * alone / 2, rel=0.02)


def _seconds(clock: str) -> float:
    return sum(float(part) * 60**power for power, part in enumerate(reversed(clock.split(":"))))


@pytest.mark.slow
def test_auto_hands_what_is_left_to_workers(
    sweep, times, server: Server, store_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(server.socket))
    times(alone=10.0, stacked=100.0)
    jobs = [["optimizer.lr=0.01"], ["optimizer.lr=0.02"], ["model.width=9"]]
    listed = tmp_path / "jobs.json"
    listed.write_text(json.dumps([{"name": str(at), "overrides": overrides} for at, overrides in enumerate(jobs)]))
    done = sweep(UNTESTED, f"sweep.jobs={listed}", "sweep.name=named", AUTO, "sweep.workers=2")
    assert "auto: 2 runs: by workers (expected: " in done.stderr
    assert "auto: 3 runs that are not stacked: by workers (expected: " in done.stderr
    assert statuses(tmp_path) == ["finished"] * 3
    assert [trial.attempts for trial in trials(tmp_path)] == [1, 1, 1]
    processes = {run.tags["lorelab.process"] for run in MLflowStore(store_uri).runs()}
    (parent,) = MLflowStore(store_uri).runs(filters={"kind": "sweep"})
    assert parent.tags["lorelab.process"] not in processes
    assert parent.status == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["stacked:3", "stacked_closing:2", "ended:2", "begun_stacked:3"])
def test_a_sweep_that_is_killed_in_the_middle_of_a_stack_goes_on(server: Server, tmp_path: Path, moment: str) -> None:
    sweep = KilledSweep(server, tmp_path, 6, "trainer.max_epochs=2", "data.limit_train=200", STACKED)
    assert sweep.start(moment).wait(120) == -signal.SIGKILL, sweep.output.read_text()
    assert sweep.start().wait(120) == 0, sweep.output.read_text()
    assert sweep.problems() == []
