from pathlib import Path

import pytest

from lorelab.config.origin import Origin
from lorelab.config.overrides import survey
from lorelab.config.validate import validate_all
from lorelab.errors import ConfigError

CHOICES = {
    "local": "default",
    "debug": "steps",
    "experiment": "mine",
    "optimizer": "adam",
    "data": "rings",
    "model": "mlp",
    "model/head": "linear",
    "task": "nce",
}
"""In Hydra's order, the last word first."""
FILES = {
    "config.yaml": "seed: 0\n",
    "local/default.yaml": "# Mine.\n# @package _global_\ntrainer:\n  threads: 2\nprogress: plain\n",
    "debug/steps.yaml": "# @package _global_\ntrainer:\n  max_steps: 2\n  threads: 1\n",
    "experiment/mine.yaml": (
        "# @package _global_\ndefaults:\n  - override /optimizer: adam\nmodel:\n  width: 3\ntrainer:\n  max_steps: 9\n"
    ),
    "optimizer/adam.yaml": "lr: 0.1\n",
    "data/rings.yaml": "defaults: [{override /task@_global_.task: nce}]\nradii: [1]\n",
    "model/mlp.yaml": "width: 64\ndepth: 2\nhead:\n  bias: false\n",
    "model/head/linear.yaml": "bias: true\n_target_: torch.nn.Linear\n",
    "task/nce.yaml": "grid_size: 9\n",
}


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Origin:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.chdir(tmp_path)
    return Origin(["optimizer.lr=0.5"], CHOICES, (tmp_path,))


@pytest.mark.parametrize(
    ("key", "file"),
    [
        ("trainer.threads", "local/default.yaml"),  # the debug option sets it, too, and comes before
        ("progress", "local/default.yaml"),
        ("trainer.max_steps", "debug/steps.yaml"),  # so does the preset
        ("model.width", "experiment/mine.yaml"),
        ("model.depth", "model/mlp.yaml"),
        ("model.head.bias", "model/mlp.yaml"),  # its head has _self_ after it
        ("model.head._target_", "model/head/linear.yaml"),
        ("data.radii", "data/rings.yaml"),
        ("data.forgotten", "data/rings.yaml"),
    ],
)
def test_a_value_comes_from_the_file_that_had_the_last_word(origin: Origin, key: str, file: str) -> None:
    assert origin.of(key) == f"{file}: {key}"


@pytest.mark.parametrize(
    ("part", "file"),
    [("optimizer", "experiment/mine.yaml"), ("task", "data/rings.yaml"), ("model", "model/mlp.yaml")],
)
def test_an_option_comes_from_the_file_that_chose_it(origin: Origin, part: str, file: str) -> None:
    assert origin.of(part) == f"{file}: {part}"


def test_an_override_has_the_very_last_word(origin: Origin) -> None:
    assert origin.of("optimizer.lr") == "override optimizer.lr=0.5"


def test_what_no_option_sets_comes_from_the_primary_config(origin: Origin) -> None:
    assert origin.of("seed") == "conf/config.yaml: seed"


def test_an_error_names_the_users_own_defaults_as_they_are_composed(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    (conf / "local").mkdir(parents=True)
    (conf / "local" / "default.yaml").write_text("# @package _global_\ntrainer:\n  threads: many\nseed: one\n")
    with pytest.raises(ConfigError) as caught:
        validate_all(survey(["debug=steps"], config_dir=str(conf)))
    message = str(caught.value)
    assert f"{conf}/local/default.yaml: trainer.threads\n  found:    'many' (str)" in message
    assert f"{conf}/local/default.yaml: seed\n  found:    'one' (str)" in message
