from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from lorelab.training.curves import draw_curves, draw_lr_range
from lorelab.training.lr_range import LrRange
from lorelab.training.lr_rules import Suggestion

HISTORY = {"train/loss": [(1, 2.0), (2, 1.0)], "val/loss": [(2, 1.5)], "val/accuracy": [(2, 0.5)], "lr": [(1, 0.1)]}


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_the_chosen_step_is_marked(tmp_path: Path) -> None:
    for name, best in {"with": 2, "without": None}.items():
        draw_curves(HISTORY, tmp_path / f"{name}.png", title="t", monitor="val/accuracy", best_step=best)
    assert pixels(tmp_path / "with.png").shape == pixels(tmp_path / "without.png").shape
    assert (pixels(tmp_path / "with.png") != pixels(tmp_path / "without.png")).any()


def test_a_monitored_loss_needs_no_second_panel_and_gaps_are_drawn(tmp_path: Path) -> None:
    history = {"val/loss": [(1, float("nan")), (2, float("inf")), (3, 1.0)]}
    draw_curves(history, tmp_path / "c.png", title="$ is no formula", monitor="val/loss", best_step=3)
    assert pixels(tmp_path / "c.png").std() > 0


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
