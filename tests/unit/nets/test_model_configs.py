"""conf/model composes and builds with every head, as a user would type it."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf


def _reads_text(path: Path) -> bool:
    return "text" in get_class(OmegaConf.load(path)._target_).accepts_inputs


CONF = Path(__file__).parents[3] / "conf"
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
HEADS = sorted(path.stem for path in (CONF / "model" / "head").glob("*.yaml"))
TEXT = {path.stem for path in (CONF / "model").glob("*.yaml") if _reads_text(path)}


@pytest.fixture
def build(tmp_path):
    (tmp_path / "config.yaml").write_text("defaults: [{model: mlp}, _self_]\n")

    def compose_and_build(*overrides, input_shape=(1, 8, 8)):
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            cfg = compose("config", [*overrides, f"hydra.searchpath=[file://{CONF}]"])
        return instantiate(cfg.model)(input_shape=input_shape, out_features=3)

    return compose_and_build


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("model", MODELS)
def test_every_model_takes_every_head(build, model, head):
    shape, places = ((8,), (8,)) if model in TEXT else ((1, 8, 8), ())
    net = build(f"model={model}", f"model/head={head}", input_shape=shape).eval()
    with torch.no_grad():
        x = torch.randint(3, (2, *shape)) if model in TEXT else torch.randn(2, *shape)
        logits = net(x)
        assert logits.shape == (2, *places, 3)
        assert torch.equal(logits, net.head(net.features(x)))
    assert net.accepts_inputs <= {"image", "table", "text", "points"}


def test_values_of_the_head_are_set_below_the_model(build):
    net = build("model=convnet", "model/head=cosine", "model.head.temperature=0.5", "model.channels=[4]")
    assert net.head.log_temperature.exp().item() == pytest.approx(0.5)
    assert net.hidden.in_features == 4 * 4 * 4


def test_the_head_without_bias_has_none(build):
    assert build("model/head=linear_no_bias").head.bias is None


def test_the_linear_head_is_the_default(build):
    assert build().head.bias.shape == (3,)
