"""Regression, against torch, scikit-learn and hand-computed cases."""

import math

import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch.nn import functional as F

from lorelab.records import Batch, DataSpec
from lorelab.tasks.regression import Regression

MEAN, STD = 200.0, 50.0
VALUES = torch.randn(100, 1, generator=torch.Generator().manual_seed(0)) * 2
TARGETS = VALUES[:, 0] + torch.randn(100, generator=torch.Generator().manual_seed(1))
BATCH = Batch(VALUES, TARGETS)


def data(**kwargs):
    facts = {"name": "toy", "input_kind": "table", "input_shape": (1,), "target_kind": "real"}
    return DataSpec(**facts | {"target_mean": MEAN, "target_std": STD} | kwargs)


def as_given(x):
    """A net that returns its inputs: the tests choose the outputs."""
    return x


@pytest.mark.parametrize(
    ("loss", "reference"),
    [("mse", F.mse_loss), ("mae", F.l1_loss), ("huber", lambda a, b: F.huber_loss(a, b, delta=0.5))],
)
def test_loss_is_torchs_on_standardised_values_in_training_and_evaluation(loss, reference):
    task = Regression(data(), loss=loss, huber_delta=0.5)
    expected = reference(VALUES[:, 0], TARGETS)
    torch.testing.assert_close(task.loss(as_given, BATCH), expected)
    torch.testing.assert_close(task.evaluate(as_given, BATCH, task.metrics()), expected)


def test_huber_by_hand_is_quadratic_up_to_delta_and_linear_beyond():
    # Errors 1 and 3 with delta 2: 1/2 and 2 * (3 - 1).
    loss = Regression(data(), loss="huber", huber_delta=2.0).loss(
        as_given, Batch(torch.tensor([[1.0], [3.0]]), torch.zeros(2))
    )
    assert loss.item() == pytest.approx((0.5 + 4.0) / 2)


@pytest.mark.parametrize("parts", [1, 3])
def test_metrics_agree_with_scikit_learn_in_the_targets_own_units(parts):
    task = Regression(data())
    metrics = task.metrics()
    for x, y in zip(VALUES.chunk(parts), TARGETS.chunk(parts), strict=True):
        task.evaluate(as_given, Batch(x, y), metrics)
    true, predicted = (TARGETS * STD + MEAN).double(), (VALUES[:, 0] * STD + MEAN).double()
    got = {name: value.item() for name, value in metrics.compute().items()}
    assert got == {
        "rmse": pytest.approx(root_mean_squared_error(true, predicted), rel=1e-5),
        "mae": pytest.approx(mean_absolute_error(true, predicted), rel=1e-5),
        "r2": pytest.approx(r2_score(true, predicted), rel=1e-5),
    }


def test_metrics_survive_a_mean_that_dwarfs_the_spread():
    # In float32 the sums of squares of raw years or prices would swallow the variance whole.
    task = Regression(data(target_mean=1e6, target_std=1.0))
    metrics = task.metrics()
    task.evaluate(as_given, BATCH, metrics)
    assert metrics.compute()["r2"].item() == pytest.approx(r2_score(TARGETS, VALUES[:, 0]), rel=1e-5)


def test_prediction_is_in_own_units_with_one_value_per_example():
    predicted = Regression(data()).predict(as_given, torch.tensor([[0.0], [1.0], [-2.0]]))
    assert predicted.tolist() == [200.0, 250.0, 100.0]


def test_a_single_example_keeps_its_axis():
    assert Regression(data()).predict(as_given, torch.zeros(1, 1)).shape == (1,)


def test_half_precision_values_are_judged_in_float32_and_float64_kept():
    task, half = Regression(data(), loss="huber"), VALUES.bfloat16()
    assert task.loss(as_given, Batch(half, TARGETS)).dtype is torch.float32
    assert task.loss(as_given, Batch(VALUES.double(), TARGETS)).dtype is torch.float64


@pytest.mark.parametrize(
    ("facts", "kwargs", "message"),
    [
        ({"target_kind": "class"}, {}, r"targets of 'toy' are of kind 'class', expected 'real'"),
        ({"target_std": 0.0}, {}, r"'toy' has .*target_std=0.0, expected .* a positive spread"),
        ({"target_mean": math.nan}, {}, r"'toy' has target_mean=nan"),
        ({}, {"loss": "hubert"}, r"loss='hubert' is unknown: did you mean 'huber'"),
        ({}, {"huber_delta": 0.0}, r"huber_delta=0.0, expected a positive number"),
        ({}, {"monitor": "val/accuracy"}, r"monitor='val/accuracy' is not measured by this task"),
        ({}, {"monitor": "val/r2"}, r"mode='min' with monitor='val/r2', expected mode='max'"),
    ],
)
def test_what_does_not_fit_is_refused(facts, kwargs, message):
    with pytest.raises(ValueError, match=message):
        Regression(data(**facts), **kwargs)


def test_baselines_at_the_test_are_scikit_learns_in_the_targets_own_units():
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import LinearRegression

    task, train = Regression(data()), Batch(VALUES[:60], TARGETS[:60])
    held = Batch(VALUES[60:], TARGETS[60:])
    found = task.judge(as_given, train, held, "test")
    assert task.judge(as_given, train, held, "val") == {}
    assert found.keys() == task.better_at_test.keys()
    # One feature, 60 rows: a penalty of at most 1,000 is chosen near 0, so that ridge is all but least squares.
    for name, model, tolerance in (("mean", DummyRegressor(), 1e-6), ("ridge", LinearRegression(), 0.02)):
        predicted = model.fit(train.inputs.numpy(), train.targets.numpy()).predict(held.inputs.numpy()) * STD
        true = held.targets.numpy() * STD
        assert found[f"{name}_rmse"] == pytest.approx(root_mean_squared_error(true, predicted), rel=tolerance)
        assert found[f"{name}_mae"] == pytest.approx(mean_absolute_error(true, predicted), rel=tolerance)


def test_tokens_have_no_ridge_baseline():
    tokens = Batch(torch.ones(5, 3, dtype=torch.int64), torch.arange(5.0))
    assert Regression(data(input_kind="text")).judge(as_given, tokens, tokens, "test").keys() == {
        "mean_rmse",
        "mean_mae",
    }
