"""A run that is interrupted and goes on ends where it would have ended: weights, metrics, random states."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EarlyStopping

from lorelab.data.builtin import digits
from lorelab.data.loading import DataModule
from lorelab.errors import LorelabError
from lorelab.nets.mlp import MLP
from lorelab.records import RunStart, RunStatus
from lorelab.tasks.classification import Classification
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.fit import fit
from lorelab.training.keeper import batches_done
from lorelab.training.learner import Learner
from lorelab.training.progress import ProgressLine
from lorelab.training.schedules import Cosine
from lorelab.training.settings import TrainerSettings


class Killed(Exception):  # noqa: N818
    """Stands for SIGKILL: nothing of the process outlives it but files."""


class KillAt(Callback):
    def __init__(self, batch: int, folder: Path, to: Path) -> None:
        self.batch, self.folder, self.to = batch, folder, to

    def on_train_batch_end(self, trainer, *_args) -> None:
        self.batch -= 1
        if self.batch == 0:
            if self.folder.is_dir():  # what is on the disk at that moment
                shutil.copytree(self.folder, self.to)
            raise Killed


class Noise:
    """An augmentation that draws for every batch."""

    accepts_inputs = frozenset({"table", "image"})

    def __call__(self, inputs, generator):
        return inputs + 0.1 * torch.randn(inputs.shape, generator=generator)


@pytest.fixture(scope="module")
def splits():
    return digits(limit_train=100)


def train(splits, folder: Path, *callbacks, resume="", schedule=True, memory=True, **settings):
    torch.manual_seed(0)
    net = MLP(splits.spec.input_shape, 10, torch.nn.Linear, width=8, dropout=0.3)
    make = lambda p: torch.optim.Adam(p, lr=0.01)  # noqa: E731
    learner = Learner(net, Classification(splits.spec), make, Cosine() if schedule else None)
    data = DataModule(splits, batch_size=16, augment=Noise(), memory_limit_gb=2.0 if memory else 0.0)  # 7 an epoch
    tracker = MemoryTracker()
    defaults = {"max_epochs": 4, "accelerator": "cpu", "checkpoint_every_steps": 3, "log_every_n_steps": 4}
    record = fit(
        learner,
        data,
        TrainerSettings(**(defaults | settings)),
        tracker=tracker,
        start=RunStart("r", {}, {}, resume=resume),
        callbacks=callbacks,
        progress=ProgressLine("quiet"),
        checkpoints=folder,
    )
    return learner, tracker, record


def state(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in learner.net.state_dict().items()}


SETTINGS = [
    {},
    {"schedule": False},
    {"accumulate_grad_batches": 2},
    {"val_check_interval": 3},
    {"check_val_every_n_epoch": 2},
    {"gradient_clip_val": 0.1, "max_epochs": None, "max_steps": 23},
    {"memory": False},
    {"precision": "bf16-mixed"},
]


@pytest.mark.parametrize(
    ("settings", "batch"),
    [(settings, batch) for settings in SETTINGS for batch in (4, 11)]
    + [(settings, batch) for settings in ({}, {"val_check_interval": 3}) for batch in (1, 7, 8, 20)],
    ids=str,
)
def test_a_run_that_goes_on_takes_the_steps_it_would_have_taken(splits, tmp_path, settings, batch) -> None:
    whole, expected, record = train(splits, tmp_path / "whole", **settings)
    with pytest.raises(Killed):
        train(splits, tmp_path / "a", KillAt(batch, tmp_path / "a", tmp_path / "b"), **settings)
    (run_id,) = [path.name for path in (tmp_path / "b").iterdir()] if (tmp_path / "b").is_dir() else ["none"]
    torch.manual_seed(99)
    np.random.seed(99)
    learner, tracker, resumed = train(splits, tmp_path / "b", resume=run_id, **settings)
    assert all(torch.equal(state(learner)[name], value) for name, value in state(whole).items())
    assert (resumed.score, resumed.best_step, resumed.steps) == (record.score, record.best_step, record.steps)
    assert (resumed.status, resumed.examples) == (RunStatus.FINISHED, record.examples)
    assert resumed.metrics == record.metrics
    assert sorted(tracker.points) == sorted(expected.points), "what was queued when the process was killed comes again"
    assert not (tmp_path / "b" / run_id).exists(), "a finished run needs no checkpoint to go on from"


class Slow(Callback):
    """Each step takes 20 ms."""

    def on_train_batch_end(self, *_args) -> None:
        time.sleep(0.02)


def test_the_time_of_a_run_that_goes_on_includes_that_of_its_earlier_process(splits, tmp_path) -> None:
    kill = KillAt(
        21, tmp_path / "a", tmp_path / "b"
    )  # three epochs of seven batches; the last checkpoint is at step 18
    with pytest.raises(Killed):
        train(splits, tmp_path / "a", Slow(), kill)
    (run_id,) = [path.name for path in (tmp_path / "b").iterdir()]
    kept = torch.load(tmp_path / "b" / run_id / "last.ckpt", weights_only=True)
    before = next(value for key, value in kept["callbacks"].items() if "Keeper" in key)["seconds"]
    assert before >= 18 * 0.02
    begun = time.monotonic()
    _, _, resumed = train(splits, tmp_path / "b", Slow(), resume=run_id)
    assert before + 10 * 0.02 <= resumed.seconds <= before + time.monotonic() - begun


def test_early_stopping_goes_on_counting(splits, tmp_path) -> None:
    def stop():
        return EarlyStopping("val/loss", mode="min", patience=2, min_delta=10.0)

    _, _, record = train(splits, tmp_path / "whole", stop(), max_epochs=20)
    with pytest.raises(Killed):
        train(splits, tmp_path / "a", stop(), KillAt(16, tmp_path / "a", tmp_path / "b"), max_epochs=20)
    (run_id,) = [path.name for path in (tmp_path / "b").iterdir()]
    _, _, resumed = train(splits, tmp_path / "b", stop(), resume=run_id, max_epochs=20)
    assert record.steps == 21  # three epochs
    assert (resumed.steps, resumed.metrics) == (record.steps, record.metrics)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"half")
    with pytest.raises(LorelabError, match=r"last\.ckpt: cannot be read"):
        batches_done(tmp_path / "last.ckpt")


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(splits, tmp_path, monkeypatch) -> None:
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytorch_lightning.Trainer.save_checkpoint", full)
    assert train(splits, tmp_path)[2].status is RunStatus.FINISHED
    assert not list(tmp_path.rglob("*.new"))
