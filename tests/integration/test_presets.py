"""No preset rots: each composes, validates, builds, takes two training steps and is tested."""

from pathlib import Path

import numpy as np
import pytest

from lorelab.cli.data import main
from lorelab.config.build import build
from lorelab.config.overrides import compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.config.validate import validate
from lorelab.data.files import data_root
from lorelab.paths import CONF
from lorelab.records import RunStart, RunStatus
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.fit import fit
from lorelab.training.progress import ProgressLine

PRESETS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
# A value that is null by default is in the config all the same.
SMALL = {"data.limit_train": 256, "data.limit_test": 64, "task.samples": 0}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_composes_and_is_valid(preset: str) -> None:
    register_resolvers()
    (composed,) = compose_all([f"experiment={preset}"])
    validate(composed.cfg, composed.origin)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_says_what_it_asks_and_what_to_expect(preset: str) -> None:
    header = (CONF / "experiment" / f"{preset}.yaml").read_text(encoding="utf-8").split("\ndefaults:")[0]
    for word in ("# Question:", "# Command:", "# Time:", "# Score:"):
        assert word in header, f"{preset}.yaml lacks {word!r} in its header"


FILES = {
    "fashion_mnist": "FashionMNIST/raw/train-images-idx3-ubyte",
    "mnist": "MNIST/raw/train-images-idx3-ubyte",
    "cifar10": "cifar-10-batches-py/data_batch_1",
    "california": "california_housing/housing.csv",
    "tinyshakespeare": "tinyshakespeare/input.txt",
}
"""What says that a data set lies in the data root. The tests download nothing: for an absent one something of the same
shape stands in."""


def _there_or_stand_in(data: str, folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    if data in ("image_folder", "table"):
        main(["example", data, "--to", str(folder / data)])
        return (
            [f"data.root={folder / data}"] if data == "image_folder" else [f"data.path={folder / data / 'table.csv'}"]
        )
    if data not in FILES or (data_root() / FILES[data]).exists():
        return []
    if data == "tinyshakespeare":
        (folder / "text.txt").write_text("to be, or not to be: that is the question.\n" * 2000)
        return ["data=text_file", f"data.path={folder / 'text.txt'}"]
    shape = {"cifar10": (3, 32, 32), "california": (14,)}.get(data, (1, 28, 28))
    images = rng.integers(0, 256, (120, *shape), dtype=np.uint8)
    real = data == "california"
    np.savez(
        folder / "stand_in.npz",
        x=images / 255.0 if real else images,
        y=rng.normal(size=120) if real else np.arange(120) % 10,
    )
    kind = "regression" if real else None
    return ["data=arrays", f"data.path={folder / 'stand_in.npz'}", *([f"task={kind}"] if kind else [])]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_trains_two_steps_and_is_tested(preset: str, tmp_path: Path) -> None:
    register_resolvers()
    (composed,) = compose_all([f"experiment={preset}"])
    overrides = [f"experiment={preset}", "trainer.max_steps=2", "trainer.accelerator=cpu", "tracker=none"]
    overrides += _there_or_stand_in(str(composed.origin.choices["data"]), tmp_path)
    (composed,) = compose_all(overrides)
    known = [key for key in SMALL if key.split(".")[1] in composed.cfg[key.split(".")[0]]]
    overrides += [f"{key}={SMALL[key]}" for key in known]
    (composed,) = compose_all(overrides)
    parts = build(composed.cfg, composed.origin)
    assert isinstance(parts.tracker, MemoryTracker)
    quiet = ProgressLine("quiet")
    start = RunStart(preset, {}, {})
    record = fit(parts.learner, parts.data, parts.settings, tracker=parts.tracker, start=start, progress=quiet)
    assert record.status is RunStatus.FINISHED
    assert record.steps == 2
    assert record.score is not None
    assert any(name.startswith("test/") for name in record.metrics)
