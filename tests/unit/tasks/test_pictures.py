"""The pictures, and the numbers that go into them."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, parse

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from lorelab.records import DataSpec
from lorelab.tasks.classification import Classification
from lorelab.tasks.pictures import confusion, draw_confusion, draw_predicted_against_true
from lorelab.tasks.protocol import Plotter
from lorelab.tasks.regression import Regression

CLASSES = DataSpec("toy", "table", (3,), "class", num_classes=3, class_names=("a", "b", "$c$"))
REALS = DataSpec("toy", "table", (1,), "real", target_mean=200.0, target_std=50.0, target_unit="m")


def as_given(x):
    return x


class OnMps(torch.Tensor):
    """A tensor that is refused float64 until it is on the CPU, as on a Mac's GPU."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.Tensor.cpu:
            return args[0].as_subclass(torch.Tensor)
        out = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(out, torch.Tensor) and out.dtype is torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")
        return out


def on_mps(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.as_subclass(OnMps)


def of_class(path: Path, name: str) -> list[Element]:
    return [element for element in parse(path).getroot().iter() if name in element.get("class", "").split()]


def test_confusion_agrees_with_scikit_learn_and_keeps_classes_that_do_not_occur() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 4, 300), rng.integers(0, 5, 300)
    assert (confusion(true, predicted, 6) == confusion_matrix(true, predicted, labels=range(6))).all()


@pytest.mark.parametrize(
    ("task", "name"), [(Classification(CLASSES), "confusion_matrix.svg"), (Regression(REALS), "predicted_vs_true.svg")]
)
def test_a_picture_is_drawn_of_one_number_per_example(task, name, tmp_path) -> None:
    assert isinstance(task, Plotter)
    predicted = task.predicted(as_given, torch.randn(50, task.out_features))
    assert predicted.shape == (50,)
    task.plot(predicted, torch.arange(50) % 3, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert of_class(tmp_path / name, "title")[0].text.startswith("toy, test: 50 examples")


@pytest.mark.parametrize("task", [Classification(CLASSES), Regression(REALS)])
def test_a_picture_can_be_drawn_where_there_is_no_float64(task, tmp_path) -> None:
    with pytest.raises(TypeError, match="MPS"):
        on_mps(torch.zeros(1)).double()
    inputs, targets = torch.randn(50, task.out_features), torch.arange(50) % 3
    if task.out_features == 1:
        targets = targets.float()
    predicted = task.predicted(as_given, on_mps(inputs))
    assert torch.equal(predicted.cpu(), task.predicted(as_given, inputs))
    task.plot(predicted, on_mps(targets), tmp_path)
    assert list(tmp_path.iterdir())


def test_cells_are_as_dark_as_their_share_of_the_true_class_and_say_what_they_count(tmp_path) -> None:
    draw_confusion(np.array([[3, 1], [0, 5]]), ["x", "y"], tmp_path / "a.svg", title="t")
    cells = of_class(tmp_path / "a.svg", "bar")
    assert [float(cell.get("fill-opacity")) for cell in cells] == [0.75, 0.25, 1.0]
    places = [(float(cell.get("x")), float(cell.get("y"))) for cell in cells]
    assert places[0][1] == places[1][1] < places[2][1], "rows are true classes"
    assert places[0][0] < places[1][0] == places[2][0]
    assert [each.text for each in of_class(tmp_path / "a.svg", "number")] == ["3", "1", "5"]
    assert "true x, predicted y: 1 (25.0%)" in (tmp_path / "a.svg").read_text()


def test_a_class_without_examples_and_many_classes_can_be_drawn(tmp_path) -> None:
    draw_confusion(np.zeros((3, 3), int), ["a", "b", "c"], tmp_path / "none.svg", title="t")
    assert of_class(tmp_path / "none.svg", "bar") == []
    names = [f"a rather long name {n}" for n in range(60)]
    draw_confusion(np.eye(60, dtype=int), names, tmp_path / "many.svg", title="t")
    assert len(of_class(tmp_path / "many.svg", "bar")) == 60
    assert of_class(tmp_path / "many.svg", "number") == []
    assert 20 <= len(of_class(tmp_path / "many.svg", "tick-label")) / 2 <= 25


def test_points_lie_in_the_targets_own_units_and_what_is_not_finite_is_left_out(tmp_path) -> None:
    true = np.linspace(100, 300, 6000)
    predicted = np.where(np.arange(6000) < 3, np.nan, true)
    draw_predicted_against_true(true, predicted, tmp_path / "a.svg", title="t", quantity="y (m)")
    (cloud,) = of_class(tmp_path / "a.svg", "cloud")
    places = np.array([[float(n) for n in pair] for pair in re.findall(r"M([\d.]+) ([\d.]+)h0", cloud.get("d"))])
    assert places.shape == (2000, 2)
    across, down = places.T
    assert (np.diff(across) >= 0).all()
    assert (np.diff(down) <= 0).all()
    assert of_class(tmp_path / "a.svg", "title")[0].text == "t (3 not finite, left out)"
    assert {each.text for each in of_class(tmp_path / "a.svg", "axis-label")} == {"true y (m)", "predicted y (m)"}
    nothing = np.array([np.nan])
    draw_predicted_against_true(nothing, nothing, tmp_path / "b.svg", title="t", quantity="y")


def test_regression_draws_own_units(tmp_path, monkeypatch) -> None:
    seen = {}
    monkeypatch.setattr(
        "lorelab.tasks.regression.draw_predicted_against_true",
        lambda true, predicted, path, **words: seen.update(true=true, predicted=predicted, **words),
    )
    task = Regression(REALS)
    task.plot(task.predicted(as_given, torch.tensor([[0.0], [1.0]])), torch.tensor([-1.0, 2.0]), tmp_path)
    assert seen["true"].tolist() == [150.0, 300.0]
    assert seen["predicted"].tolist() == [200.0, 250.0]
    assert seen["quantity"] == "target (m)"
