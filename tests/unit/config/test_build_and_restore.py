"""From a composed config to parts, and from a run's checkpoint back to its net."""

from pathlib import Path

import pytest
import torch

from lorelab.config.build import build
from lorelab.config.describe import resolved
from lorelab.config.overrides import compose_all
from lorelab.config.restore import restore
from lorelab.errors import ConfigError, LorelabError
from lorelab.records import RunRecord, RunStatus
from lorelab.training.checkpoint import save_checkpoint

SMALL = ["experiment=digits_mlp", "tracker=none", "model.width=8", "data.limit_train=100"]


def built(*overrides: str):
    (composed,) = compose_all([*SMALL, *overrides])
    return build(composed.cfg, composed.origin), composed


def weights(*overrides: str) -> torch.Tensor:
    return torch.cat([value.flatten() for value in built(*overrides)[0].learner.net.state_dict().values()])


def test_the_initial_weights_hang_on_the_seed_and_the_net_alone() -> None:
    first = weights("seed=1")
    torch.manual_seed(99)  # whatever was drawn before
    assert torch.equal(weights("seed=1", "optimizer=sgd", "loader.batch_size=7", "data.limit_train=50"), first)
    assert not torch.equal(weights("seed=2"), first)


def test_building_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    built()
    assert torch.equal(torch.rand(3), expected)


def test_what_only_the_data_can_tell_is_blamed_on_its_key() -> None:
    with pytest.raises(ConfigError, match=r"override task\.class_weights=\[1,2\]"):
        built("task.class_weights=[1,2]")


def test_a_net_comes_back_from_its_checkpoint_alone(tmp_path: Path) -> None:
    parts, composed = built("model.depth=2")
    record = RunRecord("id", "name", RunStatus.FINISHED, "val/accuracy", "max", 0.5, 3)
    path = tmp_path / "best.ckpt"
    net = parts.learner.net.eval()
    save_checkpoint(path, record, net.state_dict(), resolved(composed.cfg), parts.data.splits.spec)
    restored = restore(path)
    inputs = parts.data.held("test").inputs
    with torch.no_grad():
        assert torch.equal(restored.net(inputs), net(inputs))
        assert restored.task.predict(restored.net, inputs).shape == (len(inputs), 10)
    assert restored.checkpoint.score == 0.5


def test_a_checkpoint_without_its_config_says_so(tmp_path: Path) -> None:
    parts, _ = built()
    record = RunRecord("id", "name", RunStatus.FINISHED, "val/accuracy", "max")
    save_checkpoint(tmp_path / "x.ckpt", record, parts.learner.net.state_dict(), {}, parts.data.splits.spec)
    with pytest.raises(LorelabError, match="holds no config"):
        restore(tmp_path / "x.ckpt")
