"""Configs that are composed once for several that set other values in them."""

from pathlib import Path

import pytest

from lorelab.config import composing
from lorelab.config.composing import composing_once
from lorelab.config.overrides import compose_all


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What Hydra was asked to compose, as it is."""
    asked: list[list[str]] = []
    hydras = composing.compose

    def counted(name: str, overrides: list[str], **more: object) -> object:
        asked.append(overrides)
        return hydras(name, overrides=overrides, **more)

    monkeypatch.setattr(composing, "compose", counted)
    return asked


def test_the_same_options_are_composed_once_and_values_do_not_leak(composed) -> None:
    with composing_once():
        first, second, plain = (
            compose_all(["optimizer=sgd", *value])[0].cfg for value in (["optimizer.lr=1"], ["optimizer.lr=2"], [])
        )
        other = compose_all(["optimizer=adam"])[0].cfg
    assert composed == [["optimizer=sgd"], ["optimizer=adam"]]
    assert (first.optimizer.lr, second.optimizer.lr) == (1, 2)
    assert plain.optimizer.lr not in (1, 2)
    assert other.optimizer._target_ != plain.optimizer._target_
    assert first == compose_all(["optimizer=sgd", "optimizer.lr=1"])[0].cfg, "as without"


def test_another_folder_of_options_is_not_taken_for_the_first(composed, tmp_path: Path) -> None:
    for name, rate in (("one", 1), ("two", 2)):
        (tmp_path / name / "optimizer").mkdir(parents=True)
        (tmp_path / name / "optimizer" / "mine.yaml").write_text(f"_target_: torch.optim.SGD\nlr: {rate}\n")
    with composing_once():
        rates = [
            compose_all(["optimizer=mine"], config_dir=str(tmp_path / name))[0].cfg.optimizer.lr
            for name in ("one", "two", "one")
        ]
    assert rates == [1, 2, 1]
    assert len(composed) == 2


def test_outside_each_is_composed_anew(composed) -> None:
    compose_all([])
    compose_all([])
    assert composed == [[], []]
