"""Classification, against torch, scikit-learn and hand-computed cases."""

import math

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from torch.nn import functional as F

from lorelab.records import Batch, DataSpec
from lorelab.tasks.classification import Classification

LOGITS = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)) * 2
LABELS = torch.randint(4, (200,), generator=torch.Generator().manual_seed(1))


def data(**kwargs):
    facts = {"name": "toy", "input_kind": "table", "input_shape": (4,), "target_kind": "class", "num_classes": 4}
    return DataSpec(**facts | kwargs)


def as_given(x):
    """A net that returns its inputs: the tests choose the logits."""
    return x


def measured(task, logits, labels, parts=1):
    metrics = task.metrics()
    for x, y in zip(logits.chunk(parts), labels.chunk(parts), strict=True):
        task.evaluate(as_given, Batch(x, y), metrics)
    return metrics.compute()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_training_loss_is_torchs_cross_entropy_with_smoothing(smoothing):
    task = Classification(data(), label_smoothing=smoothing)
    expected = F.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)
    torch.testing.assert_close(task.loss(as_given, Batch(LOGITS, LABELS)), expected)


def test_smoothing_by_hand_spreads_its_share_over_all_classes():
    loss = Classification(data(num_classes=2), label_smoothing=0.2).loss(
        as_given, Batch(torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([0]))
    )
    # Probabilities 3/4 and 1/4 against targets 0.9 and 0.1.
    assert loss.item() == pytest.approx(-0.9 * math.log(0.75) - 0.1 * math.log(0.25))


def test_evaluation_loss_has_no_smoothing():
    task = Classification(data(), label_smoothing=0.3)
    loss = task.evaluate(as_given, Batch(LOGITS, LABELS), task.metrics())
    torch.testing.assert_close(loss, F.cross_entropy(LOGITS, LABELS))


@pytest.mark.parametrize("parts", [1, 3])
def test_metrics_agree_with_scikit_learn_however_the_split_is_batched(parts):
    got, predicted = measured(Classification(data()), LOGITS, LABELS, parts), LOGITS.argmax(-1)
    assert set(got) == {"accuracy", "macro_f1", "calibration_error", "precision", "recall", "f1"}
    assert got["accuracy"].item() == pytest.approx(accuracy_score(LABELS, predicted))
    assert got["macro_f1"].item() == pytest.approx(f1_score(LABELS, predicted, average="macro"))
    for name, theirs in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        assert got[name].tolist() == pytest.approx(list(theirs(LABELS, predicted, average=None)))


def test_macro_f1_and_recall_agree_with_scikit_learn_when_a_class_is_absent():
    labels, predicted = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 1, 1, 1, 1])
    got = measured(Classification(data()), F.one_hot(predicted, 4) * 5.0, labels)
    assert got["macro_f1"].item() == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert got["recall"].tolist() == [0.5, 1.0, 0.0, 0.0]
    assert got["precision"].tolist() == [1.0, 0.75, 0.0, 0.0]
    assert got["f1"].tolist() == pytest.approx([2 / 3, 6 / 7, 0.0, 0.0])


@pytest.mark.parametrize("classes", [2, 4])
def test_metrics_of_the_same_counts_count_once(classes):
    task = Classification(data(num_classes=classes))
    metrics, updates = task.metrics(), []
    for metric in metrics.values(copy_state=False):
        metric.update = lambda *given, update=metric.update: (updates.append(1), update(*given))
    for _ in range(5):
        task.evaluate(as_given, Batch(LOGITS[:, :classes], LABELS % classes), metrics)
    assert len(updates) == 6 + 4 * 3  # all at first, which shows what they share; then one of each kind


def test_calibration_error_by_hand():
    # Confidences 0.7, 0.7, 0.9, 0.9, of which right: 1 of 2 and 2 of 2; two bins of ten are used.
    confidence = torch.tensor([0.7, 0.7, 0.9, 0.9])
    probabilities = torch.stack([confidence, 1 - confidence], -1)
    task = Classification(data(num_classes=2), calibration_bins=10)
    got = measured(task, probabilities.log(), torch.tensor([0, 1, 0, 0]))
    assert got["calibration_error"].item() == pytest.approx(0.5 * 0.2 + 0.5 * 0.1)


def test_number_of_bins_matters_as_it_should():
    # One bin: mean confidence 0.8 against accuracy 0.75.
    confidence = torch.tensor([0.7, 0.7, 0.9, 0.9])
    probabilities = torch.stack([confidence, 1 - confidence], -1)
    task = Classification(data(num_classes=2), calibration_bins=1)
    got = measured(task, probabilities.log(), torch.tensor([0, 1, 0, 0]))
    assert got["calibration_error"].item() == pytest.approx(0.05)


def test_logits_within_zero_and_one_are_still_logits():
    # torchmetrics would take them for probabilities: confidence 1.0 instead of 0.73.
    got = measured(Classification(data(num_classes=2)), torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    assert got["calibration_error"].item() == pytest.approx(1 - 1 / (1 + math.exp(-1)))


def test_prediction_is_the_softmax():
    predicted = Classification(data()).predict(as_given, LOGITS)
    torch.testing.assert_close(predicted, LOGITS.softmax(-1))


def test_half_precision_logits_are_judged_in_float32_and_float64_kept():
    task, half = Classification(data()), LOGITS.bfloat16()
    assert task.predict(as_given, half).dtype is torch.float32
    torch.testing.assert_close(task.loss(as_given, Batch(half, LABELS)), F.cross_entropy(half.float(), LABELS))
    assert task.loss(as_given, Batch(LOGITS.double(), LABELS)).dtype is torch.float64


def test_metrics_are_fresh_each_time():
    task = Classification(data())
    assert measured(task, LOGITS, LOGITS.argmax(-1))["accuracy"] == 1
    assert measured(task, LOGITS, LOGITS.argmin(-1))["accuracy"] == 0


@pytest.mark.parametrize(
    ("facts", "kwargs", "message"),
    [
        ({"target_kind": "real"}, {}, r"targets of 'toy' are of kind 'real', expected 'class'"),
        ({"num_classes": 1}, {}, r"'toy' has num_classes=1, expected at least 2"),
        ({}, {"label_smoothing": 1.0}, r"label_smoothing=1.0, expected a number in \[0, 1\)"),
        ({}, {"calibration_bins": 0}, r"calibration_bins=0, expected at least 1"),
        ({}, {"monitor": "val/acuracy"}, r"monitor='val/acuracy' is not measured .*did you mean 'val/accuracy'"),
        ({}, {"monitor": "val/recall"}, r"monitor='val/recall' is not measured"),
        ({}, {"monitor": "val/loss"}, r"mode='max' with monitor='val/loss', expected mode='min'"),
    ],
)
def test_what_does_not_fit_is_refused(facts, kwargs, message):
    with pytest.raises(ValueError, match=message):
        Classification(data(**facts), **kwargs)
