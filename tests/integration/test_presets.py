"""No preset rots: each composes, validates, builds, takes two training steps and is tested."""

from pathlib import Path

import pytest

from lorelab.config.build import build
from lorelab.config.overrides import compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.config.validate import validate
from lorelab.data.files import data_root
from lorelab.errors import DataError
from lorelab.paths import CONF
from lorelab.records import RunStart, RunStatus
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.fit import fit
from lorelab.training.progress import ProgressLine

PRESETS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
SMALL = {"data.limit_train": 256, "data.limit_test": 64}


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


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_trains_two_steps_and_is_tested(preset: str) -> None:
    register_resolvers()
    (composed,) = compose_all([f"experiment={preset}"])
    limits = [f"{key}={value}" for key, value in SMALL.items() if key.split(".")[1] in composed.cfg.data]
    overrides = [f"experiment={preset}", "trainer.max_steps=2", "trainer.accelerator=cpu", "tracker=none", *limits]
    (composed,) = compose_all(overrides)
    if "root" in composed.cfg.data and not Path(data_root(composed.cfg.data.root)).is_dir():
        pytest.skip(f"no data root {data_root(composed.cfg.data.root)}; set LORELAB_DATA_DIR")
    try:
        parts = build(composed.cfg, composed.origin)
    except DataError as error:
        pytest.skip(f"the data are not there: {error}")
    tracker = parts.tracker
    assert isinstance(tracker, MemoryTracker)
    start = RunStart(preset, {}, {})
    record = fit(
        parts.learner, parts.data, parts.settings, tracker=tracker, start=start, progress=ProgressLine("quiet")
    )
    assert record.status is RunStatus.FINISHED
    assert record.steps == 2
    assert record.score is not None
    assert any(name.startswith("test/") for name in record.metrics)
