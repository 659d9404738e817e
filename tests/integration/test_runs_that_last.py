"""Through the command line: killed, stopped, resumed, repeated, not repeated in vain. The long kill test is
``python -m benchmarks.kill``."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from benchmarks.forked import Forked, Server
from benchmarks.kill import Bench
from lorelab.paths import ROOT
from lorelab.tracking.mlflow_store import MLflowStore

SHORT = ["experiment=digits_mlp", "trainer.max_epochs=2", "data.limit_train=200", "trainer.threads=1"]


@pytest.mark.parametrize(
    ("kind", "share"), [("regression", 0.6), pytest.param("language", 0.7, marks=pytest.mark.slow)]
)
def test_a_killed_run_goes_on_as_if_nothing_had_been(server: Server, tmp_path: Path, kind: str, share: float) -> None:
    assert Bench(tmp_path, server).trial(kind, share) == "same"


def start(server: Server, store_uri: str, folder: Path) -> Forked:
    budget = ["experiment=digits_mlp", "trainer.max_epochs=100000", "trainer.threads=1", f"paths.outputs={folder}/o"]
    process = server.pipe("train", *budget, f"hydra.run.dir={folder}/h", cwd=folder, MLFLOW_TRACKING_URI=store_uri)
    assert process.stderr is not None
    assert "steps" in process.stderr.readline()
    time.sleep(1.0)
    return process


def test_a_signal_leaves_a_checkpoint_within_five_seconds_and_a_second_one_ends_at_once(
    server: Server, store_uri: str, tmp_path: Path
) -> None:
    process = start(server, store_uri, tmp_path)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 128 + signal.SIGINT
    assert time.monotonic() - begun < 5
    (run,) = MLflowStore(store_uri).runs()
    assert run.status == "killed"
    assert (tmp_path / "o" / "checkpoints" / run.run_id / "last.ckpt").is_file()

    process = start(server, store_uri, tmp_path)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 5
    assert {run.status for run in MLflowStore(store_uri).runs()} == {"killed"}, (
        "closed by the next command if not by itself"
    )


def test_what_is_done_is_not_trained_again(lorelab, store_uri: str, tmp_path: Path) -> None:
    where = f"paths.outputs={tmp_path}"
    lorelab("train", *SHORT, where)
    again = lorelab("train", *SHORT, where, "progress=plain", "trainer.checkpoint_every_steps=5")
    assert "finished before with this signature" in again.stderr
    assert "val/accuracy" in again.stdout, "the recorded score is shown"
    lorelab("train", *SHORT, where, "optimizer.lr=0.02")
    lorelab("train", *SHORT, where, "force=true")
    assert len(MLflowStore(store_uri).runs()) == 3


def test_a_run_that_is_finished_or_unknown_or_changed_is_not_resumed(lorelab, tmp_path: Path, store_uri: str) -> None:
    lorelab("train", *SHORT, f"paths.outputs={tmp_path}")
    (run,) = MLflowStore(store_uri).runs()
    assert run.name in lorelab("train", f"resume={run.run_id}").stdout
    assert "there is no run 'nobody'" in lorelab("train", "resume=nobody", check=False).stderr
    assert "expected one run and no options" in lorelab("train", "-m", "resume=x", check=False).stderr
    MLflowStore(store_uri).tag(run.run_id, {"lorelab.status": "killed"})
    done = lorelab("train", f"resume={run.run_id}", check=False)
    assert "kept nothing to go on from" in done.stderr
    assert done.returncode == 2


def test_an_interrupted_run_takes_only_what_leaves_its_result_alone(
    server: Server, lorelab, store_uri: str, tmp_path: Path
) -> None:
    process = start(server, store_uri, tmp_path)
    process.kill()
    process.wait()
    (run,) = MLflowStore(store_uri).runs()
    done = lorelab("train", f"resume={run.name}", "optimizer.lr=1", check=False)
    assert "override optimizer.lr=1" in done.stderr
    assert "would change the run" in done.stderr


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self):
        return os.system, (f"touch {self.trap}",)


def test_a_checkpoint_that_would_run_code_is_refused_and_leaves_the_run_as_it_is(
    server: Server, lorelab, store_uri: str, tmp_path: Path
) -> None:
    process = start(server, store_uri, tmp_path)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    (run,) = MLflowStore(store_uri).runs()
    kept = tmp_path / "o" / "checkpoints" / run.run_id / "last.ckpt"
    torch.save({"loops": Trap(tmp_path / "sprung")}, kept)
    done = lorelab("train", f"resume={run.run_id}", check=False)
    assert "could run code. Remove it to begin anew" in done.stderr
    assert (done.returncode, (tmp_path / "sprung").exists()) == (2, False)
    assert MLflowStore(store_uri).get(run.run_id).status == "killed"


def test_where_nothing_can_be_kept_a_run_goes_through_all_the_same(lorelab, store_uri: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where the folder should be stands for a disk that takes nothing")
    done = lorelab("train", *SHORT, f"paths.outputs={tmp_path}", "progress=plain", "trainer.checkpoint_every_steps=3")
    assert "if it is interrupted, this run cannot go on" in done.stderr
    assert "no checkpoint at step 3" in done.stderr
    assert [run.status for run in MLflowStore(store_uri).runs()] == ["finished"]


def test_a_run_is_repeated_from_its_record(lorelab, store_uri: str, tmp_path: Path) -> None:
    lorelab("train", "-m", *SHORT, "seed=0,1,2", "reproducible=strict", f"paths.outputs={tmp_path}", "hydra.sweep.dir="
            f"{tmp_path}/h")  # fmt: skip
    store = MLflowStore(store_uri)
    run = next(run for run in store.runs() if run.params["seed"] == "1")
    done = lorelab("rerun", run.run_id, f"paths.outputs={tmp_path}")
    assert f"against {run.name}: identical" in done.stdout
    again = store.runs(filters={"lorelab.rerun_of": run.run_id})
    assert [other.run_id for other in again] == [store.get(run.run_id).tags["lorelab.rerun"]]
    assert again[0].tags["lorelab.weights"] == run.tags["lorelab.weights"]
    assert again[0].params["reproducible"] == "strict"


def test_a_task_that_the_data_chose_is_chosen_again(lorelab, store_uri: str, work: Path, tmp_path: Path) -> None:
    rows = [f"{i / 50},{(i * 7 % 50) / 50},{i * 0.31 + i * i / 90}" for i in range(50)]
    (work / "own.csv").write_text("\n".join(["a,b,y", *rows]))
    table = (
        "data=table",
        "data.path=own.csv",
        "data.target=y",
        "model=mlp",
        "trainer.max_epochs=2",
        "trainer.threads=1",
    )
    lorelab("train", *table, "task=auto", f"paths.outputs={tmp_path}")
    (run,) = MLflowStore(store_uri).runs()
    assert run.tags["lorelab.monitor"] == "val/rmse"
    assert ": identical" in lorelab("rerun", run.run_id, f"paths.outputs={tmp_path}").stdout


def test_another_result_is_told_by_the_exit_status(lorelab, store_uri: str, tmp_path: Path) -> None:
    lorelab("train", *SHORT, f"paths.outputs={tmp_path}")
    store = MLflowStore(store_uri)
    (run,) = store.runs()
    config = store.download(run.run_id, "config/resolved.yaml", tmp_path)
    changed = re.sub(r"lr: .*", "lr: 0.02", config.read_text())
    Path(run.artifacts.removeprefix("file://"), "config", "resolved.yaml").write_text(changed)  # an untrue record
    done = lorelab("rerun", run.name, f"paths.outputs={tmp_path}", check=False)
    assert done.returncode == 11
    assert "different" in done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of its own, with this one's files as they are."""
    folder = tmp_path / "checkout"
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    git(folder, "init", "--quiet")
    commit(folder, "as it is")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, message: str) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD").strip()


@pytest.mark.slow  # compiles and imports everything three times; tests/unit/cli/test_rerun.py has the short version
def test_the_recorded_code_is_checked_out_and_run_again(checkout: Path, store_uri: str, lorelab_process) -> None:
    there = {"PYTHONPATH": str(checkout / "src")}
    seeds, fit = checkout / "src" / "lorelab" / "seeds.py", checkout / "src" / "lorelab" / "training" / "fit.py"
    as_it_is = seeds.read_text()
    seeds.write_text(f"{as_it_is}\n\n_derive = derive_seed\n\n\ndef derive_seed(*a):\n    return _derive(*a) + 1\n")
    lorelab_process("train", *SHORT, "reproducible=strict", **there)
    store = MLflowStore(store_uri)
    (run,) = store.runs()
    recorded = git(checkout, "rev-parse", "HEAD").strip()
    assert run.tags["lorelab.commit"] == f"{recorded}+dirty"
    seeds.write_text(as_it_is)
    fit.write_text("raise AssertionError('this code is not the recorded one')\n")
    later = commit(checkout, "nothing can be trained any more")

    done = lorelab_process("rerun", run.run_id, "--worktree", **there)  # checks the exit status
    assert f"against {run.name}: identical" in done.stdout, done.stderr
    (again,) = store.runs(filters={"lorelab.rerun_of": run.run_id})
    for what in ("commit", "code", "signature", "weights"):
        assert again.tags[f"lorelab.{what}"] == run.tags[f"lorelab.{what}"]
    assert store.get(run.run_id).tags["lorelab.rerun"] == again.run_id
    assert git(checkout, "rev-parse", "HEAD").strip() == later, "the user's own checkout stays where it is"
    assert not git(checkout, "status", "--short")
