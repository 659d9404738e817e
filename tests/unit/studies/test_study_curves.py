import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lorelab.errors import LorelabError
from lorelab.studies.curves import Curve, mean_curve, read_curves, write_curves


def curve(seed: int, *values: float, arm: str = "a") -> Curve:
    return Curve("digits", arm, seed, "val/accuracy", [(10 * step, value) for step, value in enumerate(values, 1)])


def test_curves_come_back_bit_for_bit(tmp_path: Path) -> None:
    curves = [curve(0, 0.1, 1 / 3, math.inf), curve(0, 0.2, arm="b"), curve(1, 1e-300)]
    write_curves(tmp_path / "curves.csv", curves)
    assert read_curves(tmp_path / "curves.csv") == curves


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read_curves(tmp_path / "curves.csv") == []


def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    write_curves(path, [curve(0, 0.1, 0.2)])
    path.write_text(path.read_text(encoding="utf-8").replace("20,0.2", "20,much"), encoding="utf-8")
    with pytest.raises(LorelabError, match=r"curves\.csv, line 3: .* expected task, arm, seed, metric, step, value"):
        read_curves(path)


def test_the_mean_over_seeds_with_the_t_interval_of_scipy() -> None:
    values = np.array([[0.1, 0.5], [0.2, 0.7], [0.6, 0.9]])
    found = mean_curve([curve(seed, *row) for seed, row in enumerate(values)])
    assert found.steps == [10, 20]
    assert found.mean == pytest.approx(values.mean(axis=0))
    for column, low, high in zip(values.T, found.low, found.high, strict=True):
        assert (low, high) == pytest.approx(stats.t.interval(0.95, 2, column.mean(), stats.sem(column)))


def test_a_step_is_shown_while_two_runs_have_a_finite_value_there() -> None:
    found = mean_curve([curve(0, 0.1, 0.2, 0.3), curve(1, 0.3, math.nan), curve(2, 0.5, 0.4)])
    assert found.steps == [10, 20]
    assert found.mean == pytest.approx([0.3, 0.3])
    assert mean_curve([]).steps == []
