"""Losses of the right class's probability, by hand and by automatic differentiation."""

import math

import pytest
import torch
from sklearn.metrics import brier_score_loss
from torch.nn import functional as F

from lorelab.records import Batch, DataSpec
from lorelab.tasks.classification import Classification
from lorelab.tasks.likelihood import LOSSES, one_minus_p, one_minus_p_squared

DATA = DataSpec("toy", "table", (2,), "class", num_classes=3, class_names=("a", "b", "c"), class_counts=(6, 3, 1))
LOGITS = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
LABELS = torch.arange(40) % 3


def as_given(x):
    return x


def test_by_hand_of_logits_whose_probabilities_are_known() -> None:
    logits, labels = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]).log(), torch.tensor([0, 1])
    torch.testing.assert_close(one_minus_p(logits, labels), torch.tensor([0.5, 0.8]))
    torch.testing.assert_close(one_minus_p_squared(logits, labels), torch.tensor([0.25, 0.64]))


def test_it_is_right_where_p_is_close_to_one() -> None:
    logits = torch.tensor([[12.0, 0.0, 0.0]])
    expected = 2 / (math.exp(12) + 2)
    assert one_minus_p(logits, torch.tensor([0])).item() == pytest.approx(expected, rel=0.05)
    assert one_minus_p(logits.double(), torch.tensor([0])).item() == pytest.approx(expected, rel=1e-9)


def test_of_two_classes_the_square_is_half_the_brier_score() -> None:
    probabilities = LOGITS[:, :2].softmax(-1)
    labels = LABELS % 2
    brier = brier_score_loss(labels.numpy(), probabilities[:, 1].numpy())  # of one class: half of that over both
    assert one_minus_p_squared(LOGITS[:, :2], labels).mean().item() == pytest.approx(brier)


@pytest.mark.parametrize("name", LOSSES)
def test_the_task_trains_on_the_mean_and_reports_cross_entropy(name) -> None:
    task = Classification(DATA, loss=name)
    variable = LOGITS.clone().requires_grad_()
    loss = task.loss(as_given, Batch(variable, LABELS))
    p = LOGITS.softmax(-1)[torch.arange(40), LABELS]
    expected = {"cross_entropy": -p.log(), "one_minus_p": 1 - p, "one_minus_p_squared": (1 - p) ** 2}[name]
    torch.testing.assert_close(loss.detach(), expected.mean())
    assert torch.autograd.gradcheck(lambda x: task.loss(as_given, Batch(x, LABELS)), variable)
    evaluated = task.evaluate(as_given, Batch(LOGITS, LABELS), task.metrics())
    torch.testing.assert_close(evaluated, F.cross_entropy(LOGITS, LABELS))


@pytest.mark.parametrize("name", ["one_minus_p", "one_minus_p_squared"])
def test_class_weights_give_the_weighted_mean(name) -> None:
    weights = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    task = Classification(DATA, loss=name, class_weights=weights.tolist())
    each = LOSSES[name](LOGITS, LABELS)
    expected = sum(w * x for w, x in zip(weights[LABELS], each, strict=True)) / weights[LABELS].sum()
    torch.testing.assert_close(task.loss(as_given, Batch(LOGITS, LABELS)), expected)


def test_only_cross_entropy_is_smoothed_and_unknown_losses_are_refused() -> None:
    with pytest.raises(ValueError, match=r"label_smoothing=0.1 with loss='one_minus_p', expected 0"):
        Classification(DATA, loss="one_minus_p", label_smoothing=0.1)
    with pytest.raises(ValueError, match=r"loss='one_minus' is unknown: did you mean 'one_minus_p'"):
        Classification(DATA, loss="one_minus")
