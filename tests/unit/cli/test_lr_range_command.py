"""``lorelab lr-range`` as a user types it, on a real store."""

import csv
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from lorelab.tracking.mlflow_store import MLflowStore

DIGITS = ("experiment=digits_mlp", "progress=quiet")
TESTS = {"lorelab.kind": "lr-range"}


def test_it_prints_stores_and_leaves_the_run_itself_to_be_trained(lorelab, store_uri: str, tmp_path: Path) -> None:
    done = lorelab("lr-range", *DIGITS, "optimizer.lr=0.5", "trainer.max_epochs=1", "--steps", "120", "--end", "5")
    store = MLflowStore(store_uri)
    (run,) = store.runs(filters=TESTS)
    assert run.status == "finished"
    assert run.name.startswith("lr-range-digits-mlp-adam-s0-")
    assert run.tags["lorelab.kind"] == "lr-range"
    assert "lorelab.signature" not in run.tags
    assert (run.params["optimizer"], run.params["experiment"]) == ("adam", "digits_mlp")

    rows = list(csv.DictReader(store.download(run.run_id, "lr_range.csv", tmp_path).open()))
    assert [int(row["step"]) for row in rows] == list(range(len(rows)))
    assert [float(row["lr"]) for row in rows] == pytest.approx(np.geomspace(1e-6, 5, 120)[: len(rows)])
    for column in ("lr", "loss", "loss_smoothed"):
        points = store.history(run.run_id, f"lr_range/{column}")
        assert [value for _, value in points] == pytest.approx([float(row[column]) for row in rows])
    assert store.download(run.run_id, "lr_range.png", tmp_path).read_bytes().startswith(b"\x89PNG")
    assert run.metrics["lr_range/diverged_lr"] == pytest.approx(float(rows[-1]["lr"]))
    chosen = run.metrics["lr_range/suggestion"]
    rules = [run.metrics[f"lr_range/{name}"] for name in ("steepest", "minimum/10", "valley")]
    assert chosen == sorted(rules)[1]
    assert run.tags["lorelab.suggestion"] == f"{chosen}: the median of the three rules"

    command = f"lorelab train {DIGITS[0]} {DIGITS[1]} trainer.max_epochs=1 optimizer.lr={chosen:.2g}"
    assert f"use it:     {command}\n" in done.stdout
    assert f"suggestion: {chosen:.2g}, the median of the three rules" in done.stdout
    assert f"diverged (step {len(rows) - 1} of 120)" in done.stdout
    outputs = f"paths.outputs={tmp_path / 'outputs'}"
    trained = lorelab(*command.split()[1:-1], "optimizer.lr=0.5", outputs)
    assert "before with this signature" not in trained.stderr
    assert len(store.runs()) == 1

    refused = lorelab("rerun", run.name, check=False)
    assert refused.returncode == 2
    assert f"{run.name} is a run of lorelab lr-range; expected one of lorelab train" in refused.stderr


def test_no_suggestion_has_its_reason_and_an_exit_status(lorelab, store_uri: str) -> None:
    done = lorelab("lr-range", *DIGITS, "--steps", "40", "--end", "1e-5", check=False)
    assert done.returncode == 1
    assert "suggestion: none: the loss " in done.stdout
    assert "raise --end" in done.stdout
    assert "use it" not in done.stdout
    (run,) = MLflowStore(store_uri).runs(filters=TESTS)
    assert run.status == "finished"
    assert run.tags["lorelab.suggestion"].startswith("none: the loss ")
    assert "lr_range/suggestion" not in run.metrics


def test_ctrl_c_closes_its_run_as_killed_and_an_error_as_failed(lorelab, work: Path, store_uri: str) -> None:
    (work / "mine.py").write_text(
        "import os\n"
        "from lorelab.tasks.classification import Classification\n"
        "class Stop(Classification):\n"
        "    def __init__(self, data, signum: int, **more): super().__init__(data, **more); self.signum = signum\n"
        "    def loss(self, net, batch):\n"
        "        if self.signum: os.kill(os.getpid(), self.signum)\n"
        "        raise RuntimeError('stumbled on purpose')\n"
    )
    own = (*DIGITS, "task._target_=mine.Stop", "--steps=20")
    for signum, name in ((signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")):
        stopped = lorelab("lr-range", *own, f"+task.signum={int(signum)}", check=False, LORELAB_TRUST="mine")
        assert stopped.returncode == 128 + signum
        assert f"lorelab lr-range: stopped by {name}" in stopped.stderr
    with pytest.raises(RuntimeError, match="on purpose"):
        lorelab("lr-range", *own, "+task.signum=0", LORELAB_TRUST="mine")
    del sys.modules["mine"]  # the fixture's own clearing was passed by
    failed, *killed = MLflowStore(store_uri).runs(filters=TESTS)
    assert [run.status for run in killed] == ["killed", "killed"]
    assert failed.status == "failed"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-m", "seed=0"), "found -m, a sweep; expected one value of each key"),
        (("seed=0,1", "optimizer=choice(adam)"), "found seed=0,1 optimizer=choice(adam), a sweep"),
        (("optimizer.lr=interval(0.1,1)",), "found optimizer.lr=interval(0.1,1), a sweep"),
        (("search=lr",), "found search=lr, a sweep"),
        (("resume=some-run",), "found resume=some-run; expected a run that begins"),
        (("--start", "0"), "--start is 0.0; expected a rate greater than 0"),
        (("--end=1e-7",), "--end is 1e-07; expected a finite rate greater than start"),
        (("--steps", "2"), "--steps is 2; expected at least 20"),
        (("--momentum", "2"), "unrecognized arguments: --momentum"),
    ],
)
def test_what_it_cannot_do_is_refused_before_anything_starts(lorelab, store_uri: str, words, message: str) -> None:
    done = lorelab("lr-range", *DIGITS, *words, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert not Path(store_uri.removeprefix("sqlite:///")).exists()


@pytest.mark.parametrize(
    "mistakes",
    [
        ("model=mpl", "optimizer.lrr=1", "=3"),
        ("trainer.max_epochs=-1", "loader.batch_size=0"),
        ("data=diabetes",),
        ("--config-dir", "nowhere", "data=mine"),
    ],
)
def test_mistakes_are_told_as_train_tells_them(lorelab, mistakes) -> None:
    train, lr_range = (lorelab(command, *DIGITS, *mistakes, check=False) for command in ("train", "lr-range"))
    assert lr_range.returncode == train.returncode == 2
    assert lr_range.stderr == train.stderr.replace("lorelab train", "lorelab lr-range")
    assert "nothing was started" in lr_range.stderr


def test_a_folder_of_ones_own_is_searched_and_kept_in_the_command(lorelab, work: Path) -> None:
    (work / "my_conf" / "optimizer").mkdir(parents=True)
    (work / "my_conf" / "optimizer" / "mine.yaml").write_text(
        "_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\nmomentum: 0.9\n"
    )
    done = lorelab("lr-range", "--config-dir", "my_conf", *DIGITS, "optimizer=mine", "tracker=none", "--steps", "100")
    assert "use it:     lorelab train --config-dir my_conf experiment=digits_mlp" in done.stdout
    assert "not stored (tracker=none)" in done.stdout
