"""No file of conf/data or conf/augment may drift from the function it calls."""

import inspect

import pytest
from hydra.utils import get_method, instantiate
from omegaconf import OmegaConf

from lorelab.data.augment import Compose
from lorelab.paths import CONF

DATA = sorted((CONF / "data").glob("*.yaml"))
OURS = [path for path in DATA if str(OmegaConf.load(path).get("_target_", "")).startswith("lorelab.data.")]
AUGMENT = sorted((CONF / "augment").glob("*.yaml"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_data_file_names_every_argument_of_its_source_with_the_same_value(path, monkeypatch) -> None:
    monkeypatch.delenv("LORELAB_DATA_DIR", raising=False)
    config = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    config.pop("defaults")
    source = get_method(config.pop("_target_"))
    assert config == {name: parameter.default for name, parameter in inspect.signature(source).parameters.items()}
    assert source.__name__ == path.stem
    assert source.provides_inputs in {"image", "table"}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_data_file_brings_a_task_for_its_targets(path) -> None:
    config = OmegaConf.load(path)
    task = {"class": "classification", "real": "regression"}[get_method(config._target_).provides_targets]
    assert config.defaults == [{"override /task@_global_.task": task}]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_data_file_says_what_it_is_and_where_it_comes_from(path) -> None:
    assert path.read_text().startswith("# ")


def test_the_data_root_comes_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("LORELAB_DATA_DIR", "/somewhere")
    assert OmegaConf.load(CONF / "data" / "mnist.yaml").root == "/somewhere"


def test_every_promised_choice_is_there() -> None:
    assert {"digits", "breast_cancer", "diabetes", "california", "mnist", "fashion_mnist", "cifar10"} <= {
        path.stem for path in OURS
    }
    assert {"none", "crop_flip", "crop_flip_cutout"} <= {path.stem for path in AUGMENT}


@pytest.mark.parametrize("path", AUGMENT, ids=lambda path: path.stem)
def test_an_augmentation_file_builds(path) -> None:
    config = OmegaConf.load(path)
    if path.stem == "none":
        assert not config
    else:
        built = instantiate(config)
        assert isinstance(built, Compose)
        assert len(built.transforms) == len(config.transforms)
