"""Sweeps through the command line: what they do, what they leave behind, and how they go on."""

import math
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from lorelab.sweeps.summary import summary_of
from lorelab.tracking.mlflow_client import connect
from lorelab.tracking.mlflow_store import MLflowStore

TINY = ("experiment=digits_mlp", "trainer.max_epochs=1", "trainer.threads=1", "data.limit_train=100", "model.width=8")
UNTESTED = "trainer.test=false"
"""Its pictures take most of the time of a tiny run."""
FAULTY = '''"""A callback of the user's own, at fault where the file `fault` says so: LEARNING_RATE crash|stop."""
import os
import signal
from pathlib import Path

from pytorch_lightning import Callback


class Faulty(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        words = Path("fault").read_text().split() if Path("fault").exists() else []
        if batch_idx != 1 or not words or words[0] not in ("all", str(rate)):
            return
        if words[1] == "crash":
            raise KeyError(f"no such thing at {rate}")
        os.kill(os.getpid(), signal.SIGTERM)
'''


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables, whose making takes seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def store_uri(tmp_path: Path, empty_store: Path) -> str:
    """A store of the test's own."""
    path = tmp_path / "store" / "mlflow.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(empty_store)) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return f"sqlite:///{path}"


@pytest.fixture
def sweep(lorelab, work: Path, tmp_path: Path):
    """Runs ``lorelab train -m``, one run after the other, with the tiny preset on outputs of the test's own."""
    (work / "mine.py").write_text(FAULTY)

    def run(*overrides: str, check: bool = True):
        words = ["train", "-m", "hydra/launcher=local", *TINY, UNTESTED, *overrides]
        return lorelab(*words, f"paths.outputs={tmp_path / 'outputs'}", check=check, LORELAB_TRUST="mine")

    return run


def fault(work: Path, text: str | None) -> str:
    """The callback that is at fault as ``text`` says."""
    (work / "fault").write_text(text or "")
    return "+callbacks.faulty._target_=mine.Faulty"


def only(tmp_path: Path) -> Path:
    """The folder of the one sweep."""
    (found,) = (tmp_path / "outputs" / "sweeps").iterdir()
    return found


def statuses(tmp_path: Path) -> list[str]:
    return [str(trial.status) for trial in summary_of(only(tmp_path)).trials]


def runs_of(store_uri: str) -> list:
    return list(MLflowStore(store_uri).runs(newest_first=False))


def parent_of(store_uri: str):
    (parent,) = MLflowStore(store_uri).runs(filters={"kind": "sweep"})
    return parent


def test_a_grid_that_was_stopped_does_what_is_missing_when_started_again(
    sweep, lorelab, work: Path, store_uri: str, tmp_path: Path
) -> None:
    command = ("optimizer.lr=0.01,0.02,0.03", fault(work, "0.02 stop"))
    stopped = sweep(*command, check=False)
    assert stopped.returncode == 143
    assert statuses(tmp_path) == ["finished", "interrupted"]
    assert parent_of(store_uri).status == "killed"
    first = {run.run_id: run.status for run in runs_of(store_uri)}
    assert sorted(first.values()) == ["finished", "killed"]

    fault(work, None)
    done = sweep(*command)
    runs = runs_of(store_uri)
    assert [run.status for run in runs] == ["finished"] * 3
    assert {run.run_id for run in runs} > first.keys()  # the interrupted one went on, the finished one was left alone
    folder = only(tmp_path)
    summary = summary_of(folder)
    assert [trial.attempts for trial in summary.trials] == [1, 2, 1]
    assert [trial.params for trial in summary.trials] == [{"optimizer.lr": rate} for rate in ("0.01", "0.02", "0.03")]
    assert {path.name for path in (folder / "trials").iterdir()} == {"0", "1", "2"}
    assert f"{summary.name}: 3 finished" in done.stdout
    assert f"best: trial {summary.best.number}, optimizer.lr=" in done.stdout


def test_a_sweep_is_one_run_in_the_store_with_its_trials_as_children(
    sweep, lorelab, store_uri: str, tmp_path: Path
) -> None:
    sweep("optimizer=adam,sgd", "optimizer.lr=0.01", "seed=0,1", "sweep.name=pair")
    parent, store = parent_of(store_uri), MLflowStore(store_uri)
    assert (parent.name, parent.status) == ("pair", "finished")
    assert parent.params["space.optimizer"] == "adam, sgd"
    assert parent.params["command"].startswith("lorelab train -m hydra/launcher=local experiment=digits_mlp")
    children = runs_of(store_uri)
    assert len(children) == 4
    assert {run.tags["mlflow.parentRunId"] for run in children} == {parent.run_id}
    assert {run.tags["lorelab.sweep"] for run in children} == {"pair"}
    numbers = {(run.params["optimizer"], run.params["seed"]): run.tags["lorelab.trial"] for run in children}
    assert numbers == {("adam", "0"): "0", ("adam", "1"): "1", ("sgd", "0"): "2", ("sgd", "1"): "3"}
    scores = {run.tags["lorelab.trial"]: run.metrics["score"] for run in children}
    assert parent.metrics["score"] == max(scores.values())
    assert scores[parent.tags["lorelab.best_trial"]] == max(scores.values())
    assert parent.tags["lorelab.trials.finished"] == "4"
    values = [value for _, value in store.history(parent.run_id, "trial/value")]
    assert values == [scores[str(number)] for number in range(4)]
    best = [value for _, value in store.history(parent.run_id, "trial/best")]
    assert best == [max(values[: at + 1]) for at in range(4)]
    page = store.download(parent.run_id, "sweep.html", tmp_path).read_text(encoding="utf-8")
    assert "<svg" in page
    table = store.download(parent.run_id, "trials.csv", tmp_path).read_text(encoding="utf-8")
    assert table.splitlines()[0] == "trial,status,value,optimizer,seed,seconds,run_ids"
    assert store.download(parent.run_id, "search.log", tmp_path).stat().st_size > 0
    written = yaml.safe_load(store.download(parent.run_id, "conf/experiment/pair.yaml", tmp_path).read_text())
    assert written["defaults"][0] == "digits_mlp"

    listed = lorelab("runs").stdout
    assert "pair" not in listed
    assert all(run.name in listed for run in children)
    assert "pair" in lorelab("runs", "kind=sweep").stdout


def test_sweeps_are_listed_shown_stopped_and_resumed(sweep, lorelab, work: Path, tmp_path: Path, store_uri) -> None:
    folder = f"--folder={tmp_path / 'outputs' / 'sweeps'}"
    assert "There are no sweeps in" in lorelab("sweep", "list", folder, check=False).stdout
    sweep("optimizer.lr=0.01,0.02", "sweep.name=first", fault(work, "0.02 crash"), check=False)
    listed = lorelab("sweep", "list", folder).stdout
    assert re.search(r"first +1 finished, 1 failed of 2 +0\.\d+ +trial 0 ", listed)
    shown = lorelab("sweep", "show", "first", folder).stdout
    assert "first: 1 finished, 1 failed" in shown
    assert re.search(r"trial 1 failed: KeyError: 'no such thing at 0.02' \(.*trials/1\)\n", shown)
    assert "lorelab sweep stop" not in lorelab("sweep", "stop", "first", folder).stdout
    assert (only(tmp_path) / "stop").exists()
    fault(work, None)
    done = lorelab("sweep", "resume", "first", "optimizer.lr=0.01,0.02", folder, check=False, LORELAB_TRUST="mine")
    assert done.returncode == 1  # what failed stays as it is
    assert not (only(tmp_path) / "stop").exists()
    wrong = lorelab("sweep", "resume", "first", "seed=0,1", folder, check=False, LORELAB_TRUST="mine")
    assert wrong.returncode == 2
    assert "sweep.name=first: there is a sweep of this name" in wrong.stderr
    unknown = lorelab("sweep", "show", "frist", folder, check=False)
    assert unknown.returncode == 2
    assert "found no sweep 'frist'; did you mean 'first'?" in unknown.stderr


def test_more_trials_extend_a_search_and_a_diverged_trial_is_a_result(
    sweep, lorelab, tmp_path: Path, store_uri
) -> None:
    search = ("search=default", "search/sampler=grid", "optimizer=sgd", "optimizer.lr=0.1,1e30,0.01,0.05")
    sweep(*search, "search.trials=2")
    assert statuses(tmp_path) == ["finished", "diverged"]
    before = {run.run_id for run in runs_of(store_uri)}
    assert parent_of(store_uri).status == "finished"
    done = sweep(*search, "search.trials=3")
    assert statuses(tmp_path) == ["finished", "diverged", "finished"]
    assert {run.run_id for run in runs_of(store_uri)} > before
    trials = summary_of(only(tmp_path)).trials
    assert trials[1].value == -math.inf
    assert "2 finished, 1 diverged" in done.stdout
    parent = parent_of(store_uri)
    assert parent.tags["lorelab.trials.diverged"] == "1"
    assert parent.metrics["score"] == max(trials[0].value, trials[2].value)
    folder = f"--folder={tmp_path / 'outputs' / 'sweeps'}"
    lorelab("sweep", "resume", parent.name, "search.trials=4", folder, LORELAB_TRUST="mine")
    assert statuses(tmp_path) == ["finished", "diverged", "finished", "finished"]


def test_a_trial_that_crashes_is_kept_with_its_traceback_and_the_others_finish(
    sweep, work: Path, tmp_path: Path, store_uri: str
) -> None:
    command = ("optimizer.lr=0.01,0.02,0.03", fault(work, "0.02 crash"))
    done = sweep(*command, check=False)
    assert done.returncode == 1
    assert statuses(tmp_path) == ["finished", "failed", "finished"]
    assert "trial 1 failed: KeyError: 'no such thing at 0.02'" in done.stderr
    text = (only(tmp_path) / "trials" / "1" / "traceback.txt").read_text(encoding="utf-8")
    assert "mine.py" in text
    assert text == summary_of(only(tmp_path)).trials[1].error
    assert sorted(run.status for run in runs_of(store_uri)) == ["failed", "finished", "finished"]
    assert parent_of(store_uri).status == "finished"
    assert parent_of(store_uri).tags["lorelab.trials.failed"] == "1"


def test_a_sweep_that_only_fails_gives_up_and_goes_on_when_started_again(
    sweep, work: Path, tmp_path: Path, store_uri: str
) -> None:
    command = ("optimizer.lr=0.01,0.02,0.03", "sweep.max_failures=2", fault(work, "all crash"))
    done = sweep(*command, check=False)
    assert done.returncode == 1
    assert statuses(tmp_path) == ["failed", "failed"]
    assert "gave up: its last 2 trials failed, one after the other" in done.stderr
    assert parent_of(store_uri).status == "failed"
    fault(work, None)
    assert sweep(*command, check=False).returncode == 1  # two failed, and are said again
    assert statuses(tmp_path) == ["failed", "failed", "finished"]
    assert parent_of(store_uri).status == "finished"


def test_pruned_trials_are_pruned_in_the_store_with_their_checkpoint(sweep, tmp_path: Path, store_uri: str) -> None:
    sweep("search=default", "search/sampler=grid", "search/pruner=median", "search.pruner.n_startup_trials=1",
          "optimizer.lr=0.05,1e-7", "trainer.max_epochs=3")  # fmt: skip
    assert statuses(tmp_path) == ["finished", "pruned"]
    store = MLflowStore(store_uri)
    whole, pruned = runs_of(store_uri)
    assert (whole.status, pruned.status) == ("finished", "pruned")
    assert len(store.history(whole.run_id, "val/accuracy")) == 3
    assert len(store.history(pruned.run_id, "val/accuracy")) == 1
    assert store.download(pruned.run_id, "checkpoints/best.ckpt", tmp_path).is_file()
    assert summary_of(only(tmp_path)).trials[1].value == pruned.metrics["score"]
    assert parent_of(store_uri).tags["lorelab.trials.pruned"] == "1"


def test_replicates_are_confirmed_on_fresh_seeds_and_the_winning_preset_trains(
    lorelab, tmp_path: Path, store_uri: str
) -> None:
    done = lorelab("train", "-m", *TINY, "search=default", "search/sampler=grid", "search.seeds=2",
                   "search.value=worst", "search.confirm_best=1", "search.confirm_seeds=2", "optimizer.lr=0.05,1e-6",
                   "seed=4", "sweep.name=both", f"paths.outputs={tmp_path / 'outputs'}")  # fmt: skip
    runs = runs_of(store_uri)
    trials = [run for run in runs if "lorelab.confirms" not in run.tags]
    confirmations = [run for run in runs if "lorelab.confirms" in run.tags]
    assert [(run.tags["lorelab.trial"], run.params["seed"]) for run in trials] == [
        ("0", "4"), ("0", "5"), ("1", "4"), ("1", "5"),
    ]  # fmt: skip
    assert [(run.tags["lorelab.confirms"], run.params["seed"]) for run in confirmations] == [
        ("0", "100004"), ("0", "100005"),
    ]  # fmt: skip
    assert all(run.params["optimizer.lr"] == "0.05" for run in confirmations)
    assert not any(key.startswith("test/") for run in trials for key in run.metrics)  # what selects does not look
    assert all("test/accuracy" in run.metrics for run in confirmations)
    parent = parent_of(store_uri)
    assert {run.tags["mlflow.parentRunId"] for run in runs} == {parent.run_id}

    summary = summary_of(only(tmp_path))
    assert summary.trials[0].value == min(run.metrics["score"] for run in trials[:2])
    (confirmed,) = summary.confirmed
    scores = [run.metrics["score"] for run in confirmations]
    assert confirmed.scores == tuple(scores)
    assert parent.metrics["score"] == pytest.approx(sum(scores) / 2)
    assert confirmed.curse == pytest.approx(summary.trials[0].value - sum(scores) / 2)
    assert "trial 0: selected at val/accuracy" in done.stdout
    assert "on 2 fresh seeds (selected − confirmed" in done.stdout
    lorelab(*shlex.split(summary.command)[1:])
    assert len(runs_of(store_uri)) == len(runs)

    (command,) = re.findall(r"train with it: lorelab (.*)", done.stdout)
    lorelab(*shlex.split(command), f"paths.outputs={tmp_path / 'outputs'}")
    won = runs_of(store_uri)[-1]
    assert (won.status, won.params["experiment"]) == ("finished", "both")
    same = ("optimizer.lr", "trainer.max_epochs", "data.limit_train", "model.width", "loader.batch_size")
    assert {key: won.params[key] for key in same} == {key: trials[0].params[key] for key in same}
    assert "test/accuracy" in won.metrics
    assert "lorelab.sweep" not in won.tags


def test_wilcoxon_spares_the_seeds_of_a_trial_that_is_worse_seed_by_seed(sweep, tmp_path: Path) -> None:
    sweep("search=default", "search/sampler=grid", "search/pruner=wilcoxon", "search.pruner.p_threshold=0.3",
          "search.seeds=3", "optimizer.lr=0.05,1e-7", "tracker=none")  # fmt: skip
    assert statuses(tmp_path) == ["finished", "pruned"]
    assert [len(trial.runs) for trial in summary_of(only(tmp_path)).trials] == [3, 2]  # 1/4 is below 0.3, 1/2 was not


def test_momentum_is_a_question_for_sgd_alone(sweep, tmp_path: Path) -> None:
    sweep("search=optimizer", "search/sampler=random", "search.trials=2", "search.startup_trials=0",
          "search.confirm_best=0", "tracker=none")  # fmt: skip
    trials = summary_of(only(tmp_path)).trials
    assert {trial.params["optimizer"] for trial in trials} == {"adam", "sgd"}
    assert all(("optimizer.momentum" in trial.params) == (trial.params["optimizer"] == "sgd") for trial in trials)
    assert all(trial.status in ("finished", "diverged") for trial in trials)
    assert (only(tmp_path) / "sweep.html").is_file()  # without a store, too


REFUSED = [
    (["search=lr"], ["expected: many runs"]),
    (["-m", "search=lr", "+search.space={optimizer.lrr:'interval(0,1)'}"], ["no key 'lrr' under 'optimizer'"]),
    (["-m", "search=lr", "optimizer.lr=interval(-1,1)", "search.trials=0", "sweep.workers=0"],
     ["Invalid learning rate: -1.0", "trials must be at least 1", "workers must be at least 1"]),
    (["-m", "search=lr", "search/sampler=tpee"], ["search/sampler=tpee", "tpe"]),
    (["-m", "search=optimizer", "search.conditions={optimizer.momentum:'optimizer=sdg'}"], ["did you mean 'sgd'?"]),
    (["-m", "search=lr", "optimizer.lr=shuffle(0.1,0.2)"], ["expected: an order that is the same"]),
    (["-m", "optimizer.lr=interval(0.1,1)"], ["optimizer.lr: an interval", "search=default"]),
    (["-m", "hydra/launcher=local", "sweep.workers=two", "seed=0,1"], ["sweep.workers", "two"]),
    (["-m", "hydra/launcher=local", "sweep.workers=[2]", "seed=0,1"], ["sweep.workers"]),
    (["-m", "search=lr", "search.storage=postgresql://me:secret@there/db", "sweep.name=a/b"],
     ["storage holds a password", "name must be usable as a folder"]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "messages"), REFUSED, ids=" ".join)
def test_what_cannot_be_searched_is_refused_before_anything_is_trained(
    lorelab, tmp_path: Path, words: list[str], messages: list[str]
) -> None:
    done = lorelab("train", *words, *TINY, f"paths.outputs={tmp_path / 'outputs'}", check=False)
    assert done.returncode == 2
    assert all(message in done.stderr for message in messages), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "outputs").exists()
