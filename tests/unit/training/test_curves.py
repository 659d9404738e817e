from pathlib import Path

import numpy as np
from PIL import Image

from lorelab.training.curves import draw_curves

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
