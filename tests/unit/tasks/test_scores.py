"""Metrics of many nets' outputs at once: those that each has by itself."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lorelab.records import Batch, DataSpec
from lorelab.tasks.classification import Classification, calibration_errors
from lorelab.tasks.protocol import Scorer
from lorelab.tasks.regression import Regression
from lorelab.training.evaluation import Evaluation


def evaluated(task, outputs, targets) -> dict[str, float]:
    """Of one net that puts out ``outputs``, batch by batch."""
    evaluation = Evaluation(task, ())
    evaluation.begin(outputs.device)
    for some, true in zip(outputs.split(7), targets.split(7), strict=True):
        evaluation.add(lambda inputs: inputs, Batch(some, true))
    return {name.removeprefix("val/"): value for name, value in evaluation.result("val")[0].items()}


def agrees(task, outputs, targets) -> None:
    assert isinstance(task, Scorer)
    found = task.scores(outputs, targets)
    for row, one in enumerate(outputs):
        expected = evaluated(task, one, targets)
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert math.isclose(float(found[name][row]), value, rel_tol=1e-5, abs_tol=1e-6), (name, row)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 20), st.integers(1, 4), st.sampled_from([0.1, 3, 200]))
def test_classification(seed, classes, examples, nets, scale) -> None:
    """Classes that do not occur, or are not predicted, and confidences of exactly 1 among them."""
    draw = torch.Generator().manual_seed(seed)
    outputs = torch.randn(nets, examples, classes, generator=draw) * scale
    task = Classification(DataSpec("some", "table", (2,), "class", num_classes=classes), loss="one_minus_p")
    agrees(task, outputs, torch.randint(classes, (examples,), generator=draw))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 20), st.integers(1, 4), st.sampled_from(["mse", "mae", "huber"]))
def test_regression(seed, examples, nets, loss) -> None:
    draw = torch.Generator().manual_seed(seed)
    task = Regression(DataSpec("some", "table", (2,), "real", target_mean=1e6, target_std=50.0), loss=loss)
    agrees(task, torch.randn(nets, examples, 1, generator=draw), torch.randn(examples, generator=draw))


def test_calibration_error_by_hand() -> None:
    """Two of three right at 0.9 are 0.7 too sure between them; a net that is always right at 1 is calibrated."""
    confidence = torch.tensor([[0.9, 0.9, 0.9], [1.0, 1.0, 1.0]])
    right = torch.tensor([[True, True, False], [True, True, True]])
    found = calibration_errors(confidence, right, bins=10)
    assert found.tolist() == pytest.approx([0.7 / 3, 0.0])


def test_what_is_not_finite_is_nobody_elses() -> None:
    task = Classification(DataSpec("some", "table", (2,), "class", num_classes=3))
    outputs = torch.randn(2, 5, 3)
    outputs[1, 2] = math.nan
    found = task.scores(outputs, torch.tensor([0, 1, 2, 0, 1]))
    assert found["loss"][0].isfinite()
    assert found["loss"][1].isnan()
    agrees(task, outputs[:1], torch.tensor([0, 1, 2, 0, 1]))
