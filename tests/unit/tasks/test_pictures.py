"""The pictures, and the numbers that go into them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import confusion_matrix

from lorelab.records import Batch, DataSpec
from lorelab.tasks.classification import Classification
from lorelab.tasks.pictures import confusion, draw_confusion, draw_predicted_against_true, predict_all
from lorelab.tasks.protocol import Illustrator
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


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_confusion_agrees_with_scikit_learn_and_keeps_classes_that_do_not_occur() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 4, 300), rng.integers(0, 5, 300)
    assert (confusion(true, predicted, 6) == confusion_matrix(true, predicted, labels=range(6))).all()


def test_predictions_in_chunks_are_those_of_the_whole_without_gradients() -> None:
    net = torch.nn.Linear(3, 3)
    inputs = torch.randn(2500, 3)
    sizes = []

    def counted(x):
        sizes.append(len(x))
        assert not torch.is_grad_enabled()
        return net(x)

    task = Classification(CLASSES)
    found = predict_all(task, counted, inputs)
    assert sizes == [1024, 1024, 452]
    np.testing.assert_allclose(found, task.predict(net, inputs).detach(), rtol=1e-5)


@pytest.mark.parametrize(
    ("task", "name"), [(Classification(CLASSES), "confusion_matrix.png"), (Regression(REALS), "predicted_vs_true.png")]
)
def test_a_picture_is_drawn_at_the_end_alone(task, name, tmp_path) -> None:
    held = Batch(torch.randn(50, task.out_features), torch.arange(50) % 3)
    assert isinstance(task, Illustrator)
    task.illustrate(as_given, held, "val", 5, tmp_path)
    assert not list(tmp_path.iterdir())
    task.illustrate(as_given, held, "test", 5, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert pixels(tmp_path / name).std() > 10


@pytest.mark.parametrize("task", [Classification(CLASSES), Regression(REALS)])
def test_a_picture_can_be_drawn_where_there_is_no_float64(task, tmp_path) -> None:
    with pytest.raises(TypeError, match="MPS"):
        on_mps(torch.zeros(1)).double()
    inputs, targets = torch.randn(50, task.out_features), torch.arange(50) % 3
    if task.out_features == 1:
        targets = targets.float()
    np.testing.assert_array_equal(predict_all(task, as_given, on_mps(inputs)), predict_all(task, as_given, inputs))
    task.illustrate(as_given, Batch(on_mps(inputs), on_mps(targets)), "test", 5, tmp_path)
    assert list(tmp_path.iterdir())


def test_right_predictions_are_dark_on_the_diagonal_and_wrong_ones_off_it(tmp_path) -> None:
    for name, counts in (("right", np.diag([5, 5])), ("wrong", np.fliplr(np.diag([5, 5])))):
        draw_confusion(counts, ["x", "y"], tmp_path / f"{name}.png", title="t")
    right, wrong = (pixels(tmp_path / f"{name}.png").astype(int) for name in ("right", "wrong"))
    dark = [(image.sum(-1) < 250) & (image[..., 2] > 80) for image in (right, wrong)]  # the deep blue of "all of them"
    assert dark[0].sum() == pytest.approx(dark[1].sum(), rel=0.05)
    assert (dark[0] & dark[1]).sum() < 0.4 * dark[0].sum()


def test_a_class_without_examples_and_many_classes_can_be_drawn(tmp_path) -> None:
    draw_confusion(np.zeros((3, 3), int), ["a", "b", "c"], tmp_path / "none.png", title="t")
    draw_confusion(
        np.eye(60, dtype=int), [f"a rather long name {n}" for n in range(60)], tmp_path / "many.png", title="t"
    )
    assert max(pixels(tmp_path / "many.png").shape) < 1300


def test_points_lie_in_the_targets_own_units_and_what_is_not_finite_is_left_out(tmp_path) -> None:
    true = np.linspace(100, 300, 6000)
    predicted = np.where(np.arange(6000) < 3, np.nan, true)
    draw_predicted_against_true(true, predicted, tmp_path / "a.png", title="t", quantity="y (m)")
    assert pixels(tmp_path / "a.png").std() > 10
    nothing = np.array([np.nan])
    draw_predicted_against_true(nothing, nothing, tmp_path / "b.png", title="t", quantity="y")


def test_regression_draws_own_units(tmp_path, monkeypatch) -> None:
    seen = {}
    monkeypatch.setattr(
        "lorelab.tasks.regression.draw_predicted_against_true",
        lambda true, predicted, path, **words: seen.update(true=true, predicted=predicted, **words),
    )
    held = Batch(torch.tensor([[0.0], [1.0]]), torch.tensor([-1.0, 2.0]))
    Regression(REALS).illustrate(as_given, held, "test", 0, tmp_path)
    assert seen["true"].tolist() == [150.0, 300.0]
    assert seen["predicted"].tolist() == [200.0, 250.0]
    assert seen["quantity"] == "target (m)"
