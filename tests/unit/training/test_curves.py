from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from lorelab.training.curves import draw_curves, draw_lr_range
from lorelab.training.lr_range import LrRange
from lorelab.training.lr_rules import Suggestion

HISTORY = {"train/loss": [(1, 2.0), (2, 1.0)], "val/loss": [(2, 1.5)], "val/accuracy": [(2, 0.5)], "lr": [(1, 0.1)]}


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_losses_and_the_monitored_metric_are_drawn_with_the_chosen_step(tmp_path: Path) -> None:
    draw_curves(HISTORY, tmp_path, title="a run", monitor="val/accuracy", best_step=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accuracy.svg", "loss.svg"]
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        ElementTree.fromstring(text)
        assert "a run" in text
        assert "best checkpoint" in text
    assert "train/loss" in (tmp_path / "loss.svg").read_text(encoding="utf-8")


def test_without_a_chosen_step_none_is_marked(tmp_path: Path) -> None:
    draw_curves(HISTORY, tmp_path, title="a run", monitor="val/accuracy", best_step=None)
    assert "best checkpoint" not in (tmp_path / "loss.svg").read_text(encoding="utf-8")


def test_a_monitored_loss_needs_no_second_picture_and_gaps_are_drawn(tmp_path: Path) -> None:
    history = {"val/loss": [(1, float("nan")), (2, float("inf")), (3, 1.0)]}
    draw_curves(history, tmp_path, title="<hostile>", monitor="val/loss", best_step=3)
    assert [path.name for path in tmp_path.iterdir()] == ["loss.svg"]
    ElementTree.parse(tmp_path / "loss.svg")


def test_a_long_history_is_thinned(tmp_path: Path) -> None:
    history = {"train/loss": [(step, 1 / step) for step in range(1, 50_001)]}
    draw_curves(history, tmp_path, title="t", monitor="val/loss", best_step=None)
    assert (tmp_path / "loss.svg").stat().st_size < 60_000


def test_a_range_test_is_drawn_with_its_marks_and_without(tmp_path: Path) -> None:
    rates, losses = (1e-3, 1e-2, 1e-1, 1.0), (2.0, 1.0, 3.0, float("nan"))
    suggestion = Suggestion({"steepest": 5e-3, "minimum/10": 1e-3, "valley": 3e-3}, 3e-3, "the median")
    marked = LrRange(rates, losses, (2.0, 1.5, 2.0, 2.0), 3, suggestion)
    draw_lr_range(marked, tmp_path / "marked.png", title="$ is no formula")
    draw_lr_range(replace(marked, diverged_at=None), tmp_path / "whole.png", title="$ is no formula")
    nothing = LrRange((1.0,), (float("nan"),), (float("nan"),), 0, Suggestion(reason="it diverged " * 20))
    draw_lr_range(nothing, tmp_path / "nothing.png", title="t")
    images = [pixels(tmp_path / f"{name}.png") for name in ("marked", "whole", "nothing")]
    assert images[0].shape == images[1].shape == images[2].shape
    assert (images[0] != images[1]).any()
    assert images[2].std() > 0
