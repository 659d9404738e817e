"""The main path, as a user walks it: one process, a real store, real data."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from lorelab.tracking.mlflow_store import MLflowStore

SHORT = ("experiment=digits_mlp", "trainer.max_epochs=3", "progress=plain")


def outputs(tmp_path: Path) -> str:
    return f"paths.outputs={tmp_path / 'outputs'}"


def test_a_run_is_trained_tested_recorded_and_shown(lorelab_process, store_uri: str, tmp_path: Path) -> None:
    done = lorelab_process("train", *SHORT, "optimizer.lr=0.01", "seed=3", "+tags.study=q4", outputs(tmp_path))
    assert "test/accuracy" in done.stdout
    assert "lorelab ui" in done.stdout
    (run,) = MLflowStore(store_uri).runs()
    assert run.status == "finished"
    assert run.name in done.stdout
    assert run.name.startswith("digits-mlp-adam-s3-")
    assert run.params["optimizer"] == "adam"
    assert float(run.params["optimizer.lr"]) == 0.01
    assert run.params["experiment"] == "digits_mlp"
    assert run.tags["lorelab.study"] == "q4"
    assert run.tags["lorelab.task"] == "classification"
    assert len(run.tags["lorelab.data_fingerprint"]) == 64
    assert run.metrics["test/accuracy"] > 0.9
    assert {f"test/recall/{digit}" for digit in range(10)} <= run.metrics.keys()
    steps = [step for step, _ in MLflowStore(store_uri).history(run.run_id, "val/accuracy")]
    assert steps == [40, 80, 120]  # 1,258 training examples in batches of 32, three epochs


def test_a_runs_files_say_where_it_came_from(lorelab, store_uri: str, tmp_path: Path) -> None:
    lorelab("train", *SHORT, outputs(tmp_path))
    store = MLflowStore(store_uri)
    (run,) = store.runs()
    overrides = store.download(run.run_id, "config/overrides.yaml", tmp_path).read_text()
    assert "trainer.max_epochs=3" in overrides
    provenance = json.loads(store.download(run.run_id, "provenance/provenance.json", tmp_path).read_text())
    assert provenance["packages"]["torch"] == torch.__version__.split("+")[0]
    assert "val/loss" in store.download(run.run_id, "curves/loss.svg", tmp_path).read_text()
    assert "best checkpoint" in store.download(run.run_id, "curves/accuracy.svg", tmp_path).read_text()
    checkpoint = torch.load(store.download(run.run_id, "checkpoints/best.ckpt", tmp_path), weights_only=True)
    assert checkpoint["config"]["optimizer"]["lr"] == 0.001
    assert checkpoint["monitor"] == "val/accuracy"
    assert checkpoint["score"] == pytest.approx(run.metrics["score"])
    assert all(torch.isfinite(value).all() for value in checkpoint["state_dict"].values())


def test_the_same_seed_gives_the_same_scores_and_another_seed_others(lorelab, store_uri: str, tmp_path: Path) -> None:
    lorelab("train", "-m", *SHORT, "seed=0,1", "hydra/launcher=local", outputs(tmp_path))
    lorelab("train", *SHORT, "seed=0", "force=true", outputs(tmp_path))
    again = lorelab("train", *SHORT, "seed=0", outputs(tmp_path))
    assert "finished before with this signature; force=true trains again" in again.stderr
    runs = MLflowStore(store_uri).runs()
    losses = {}
    for run in runs:
        losses.setdefault(run.params["seed"], set()).add(run.metrics["test/loss"])
    assert len(losses["0"]) == 1
    assert losses["0"] != losses["1"]
    assert len({run.name for run in runs}) == 3


def test_a_multirun_is_one_sweep_and_can_be_compared(lorelab, store_uri: str, tmp_path: Path) -> None:
    lorelab("train", "-m", *SHORT, "optimizer=adam,sgd", "seed=0,1", outputs(tmp_path))
    runs = MLflowStore(store_uri).runs()
    assert len({run.tags["lorelab.sweep"] for run in runs}) == 1
    table = lorelab("compare", "--by", "optimizer", "--metric", "test/accuracy", "--json").stdout
    rows = {row["values"][0]: row for row in json.loads(table)["groups"]}
    assert rows["adam"]["n"] == rows["sgd"]["n"] == 2


def test_a_diverged_run_is_a_result_with_its_step(lorelab, store_uri: str, tmp_path: Path) -> None:
    done = lorelab(
        "train", "data=diabetes", "optimizer=sgd", "optimizer.lr=1e6", "trainer.max_epochs=3", outputs(tmp_path)
    )
    (run,) = MLflowStore(store_uri).runs()
    assert run.status == "diverged"
    assert int(run.tags["lorelab.diverged_at"]) < 10
    assert f"diverged at step {run.tags['lorelab.diverged_at']}" in done.stdout


def test_a_failed_run_keeps_its_traceback(lorelab, store_uri: str, tmp_path: Path) -> None:
    (tmp_path / "work" / "mine.py").write_text(
        "from pytorch_lightning import Callback\n"
        "class Stumble(Callback):\n"
        "    def on_train_batch_end(self, *args): raise RuntimeError('stumbled on purpose')\n"
    )
    done = lorelab(
        "train", *SHORT, "+callbacks.mine._target_=mine.Stumble", outputs(tmp_path), check=False, LORELAB_TRUST="mine"
    )
    assert done.returncode == 1
    assert "stumbled on purpose" in done.stderr
    store = MLflowStore(store_uri)
    (run,) = store.runs()
    assert run.status == "failed"
    assert "stumbled on purpose" in store.download(run.run_id, "traceback.txt", tmp_path).read_text()


@pytest.mark.parametrize("signum", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_stopped_run_is_closed_as_killed(signum: signal.Signals, store_uri: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lorelab", "train", "experiment=digits_mlp", "trainer.max_epochs=100000"]
    process = subprocess.Popen(
        [*command, outputs(tmp_path)],
        env=os.environ | {"MLFLOW_TRACKING_URI": store_uri},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "steps" in process.stderr.readline()  # training has begun
    time.sleep(1.0)
    process.send_signal(signum)
    assert process.wait(timeout=30) == 128 + signum
    (run,) = MLflowStore(store_uri).runs()
    assert run.status == "killed"


def test_a_config_with_mistakes_is_refused_before_anything_starts(lorelab, store_uri: str) -> None:
    done = lorelab("train", "optimizer.lrr=0.1", "model=mpl", check=False)
    assert done.returncode == 2
    assert "did you mean 'mlp'" in done.stderr
    done = lorelab("train", "optimizer.lr=fast", "data=diabetes", "task=classification", check=False)
    assert done.returncode == 2
    assert "2 problems; nothing was started" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path(store_uri.removeprefix("sqlite:///")).exists()


def test_a_net_that_does_not_fit_the_users_own_data_is_refused_when_they_are_loaded(lorelab, work: Path) -> None:
    np.savez(work / "mine.npz", x=np.zeros((40, 8, 8), dtype=np.uint8), y=np.arange(40) % 2)
    done = lorelab(
        "train", "data=arrays", "data.path=mine.npz", "model=convnet", "model.channels=[8,8,8,8]", check=False
    )
    assert done.returncode == 2
    assert "images of 8x8 are too small" in done.stderr
    assert "override model.channels" in done.stderr or "conf/model/convnet.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_values_for_one_run_and_a_folder_that_is_not_there_are_problems_like_others(lorelab) -> None:
    done = lorelab("train", "--config-dir", "nowhere", "seed=0,1", "optimizer=adam,sgd", "optimizer.lrr=1", check=False)
    assert done.returncode == 2
    assert "4 problems; nothing was started" in done.stderr
    assert "--config-dir nowhere\n  found:    no folder" in done.stderr
    assert "override seed=0,1\n  found:    several values for one run" in done.stderr
    assert "lorelab train -m ...; a list: seed=[0,1]" in done.stderr
    assert "did you mean 'lr'" in done.stderr
    done = lorelab("train", "--config-name", "nope", check=False)
    assert "conf/nope.yaml\n  found:    Cannot find primary config 'nope'" in done.stderr


def test_early_stopping_ends_a_run_before_its_budget(lorelab, store_uri: str, tmp_path: Path) -> None:
    lorelab(
        "train",
        "experiment=digits_mlp",
        "callbacks=early_stopping",
        "callbacks.early_stopping.patience=2",
        "optimizer.lr=0.02",
        "trainer.max_epochs=200",
        outputs(tmp_path),
    )
    (run,) = MLflowStore(store_uri).runs()
    assert run.status == "finished"
    assert int(run.tags["lorelab.steps"]) < 200 * 40


def test_help_and_cfg_work_as_hydra_users_expect_without_loading_torch(lorelab) -> None:
    assert "optimizer: adam, adamw" in lorelab("train", "--help").stdout
    assert "_target_: torch.optim.SGD" in lorelab("train", "optimizer=sgd", "--cfg", "job").stdout
    script = """
import sys
from lorelab.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
heavy = {"torch", "mlflow", "pytorch_lightning", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""
    for arguments in (["train", "--cfg", "job"], ["--help"], ["train", "--help"], ["runs", "--help"]):
        subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True)


def test_data_that_are_not_there_are_reported_without_a_traceback(lorelab, tmp_path: Path) -> None:
    (tmp_path / "california_housing").mkdir()
    (tmp_path / "california_housing" / "housing.csv").write_text("a,b\n1,2\n")
    done = lorelab("train", "data=california", f"data.root={tmp_path}", check=False)
    assert done.returncode == 2
    assert "housing.csv" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lorelab train optimizer=ad", ["optimizer=adam", "optimizer=adamw"]),
        ("lorelab train trainer.max_s", ["trainer.max_steps="]),
    ],
)
def test_tab_completes_groups_options_and_keys(lorelab, line: str, expected: list[str]) -> None:
    done = lorelab("-sc", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line)))
    assert done.stdout.split() == expected
