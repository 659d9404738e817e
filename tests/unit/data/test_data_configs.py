"""No file of conf/data or conf/augment may drift from the function it calls."""

import inspect

import pytest
from hydra.utils import get_method, instantiate
from omegaconf import OmegaConf

from lorelab.paths import CONF

DATA = sorted((CONF / "data").glob("*.yaml"))
OURS = [path for path in DATA if str(OmegaConf.load(path).get("_target_", "")).startswith("lorelab.data.")]
AUGMENT = sorted((CONF / "augment").glob("*.yaml"))
TASKS = {"class": "classification", "real": "regression", "token": "language"}


def plain(value: object) -> object:
    """YAML has no tuples, and says ??? for what has no default."""
    if value is inspect.Parameter.empty:
        return "???"
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_data_file_names_every_argument_of_its_source_with_the_same_value(path, monkeypatch) -> None:
    monkeypatch.delenv("LORELAB_DATA_DIR", raising=False)
    config = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    config.pop("defaults", None)
    source = get_method(config.pop("_target_"))
    parameters = inspect.signature(source).parameters
    parts = {
        key for key, value in config.items() if isinstance(value, dict)
    }  # several files call one source with other parts
    expected = {name: plain(parameter.default) for name, parameter in parameters.items()}
    assert config.keys() == expected.keys()
    assert {key: config[key] for key in config.keys() - parts} == {key: expected[key] for key in config.keys() - parts}
    assert parts or source.__name__ == path.stem
    assert source.provides_inputs in {"image", "table", "text", "points", None}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_data_file_brings_a_task_for_its_targets(path) -> None:
    config = OmegaConf.load(path)
    brought = {key: value for entry in config.get("defaults", []) for key, value in entry.items()}
    targets = get_method(config._target_).provides_targets
    if targets in TASKS:
        assert brought["override /task@_global_.task"] == TASKS[targets]
    if targets is None:  # the user's file tells
        assert brought["override /task@_global_.task"] == "auto"


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_data_file_says_what_it_is_and_where_it_comes_from(path) -> None:
    assert path.read_text().startswith("# ")


def test_the_data_root_comes_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("LORELAB_DATA_DIR", "/somewhere")
    assert OmegaConf.load(CONF / "data" / "mnist.yaml").root == "/somewhere"


def test_every_promised_choice_is_there() -> None:
    published = {"digits", "breast_cancer", "diabetes", "california", "mnist", "fashion_mnist", "cifar10"}
    assert published | {"image_folder", "table", "arrays", "text_file"} <= {path.stem for path in OURS}
    assert {"none", "crop_flip", "crop_flip_cutout"} <= {path.stem for path in AUGMENT}


@pytest.mark.parametrize("path", AUGMENT, ids=lambda path: path.stem)
def test_an_augmentation_file_builds(path) -> None:
    config = OmegaConf.load(path)
    if path.stem == "none":
        assert not config
    else:
        built = instantiate(config)
        assert callable(built)
        assert built.accepts_inputs
