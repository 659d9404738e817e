"""Class weights, against torch, scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.utils.class_weight import compute_class_weight
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from lorelab.nets.mlp import MLP
from lorelab.records import Batch, DataSpec
from lorelab.tasks.classification import Classification

DATA = DataSpec("toy", "table", (2,), "class", num_classes=3, class_names=("a", "b", "c"), class_counts=(60, 30, 10))
LOGITS = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)


def as_given(x):
    return x


def test_balanced_is_scikit_learns() -> None:
    task = Classification(DATA, class_weights="balanced")
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS.numpy())
    np.testing.assert_allclose(task.class_weights, expected)


@pytest.mark.parametrize("weights", [[1.0, 2.0, 0.5], "balanced"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_training_loss_is_torchs_weighted_cross_entropy(weights, dtype) -> None:
    task = Classification(DATA, class_weights=weights, label_smoothing=0.1)
    logits = LOGITS.to(dtype)
    expected = F.cross_entropy(logits, LABELS, task.class_weights.to(dtype), label_smoothing=0.1)
    torch.testing.assert_close(task.loss(as_given, Batch(logits, LABELS)), expected)


def test_balanced_weights_give_every_class_the_same_say() -> None:
    # Whoever predicts the same for every example has a loss that is the plain mean over classes.
    logits = torch.tensor([1.0, 0.0, -1.0]).expand(100, 3)
    loss = Classification(DATA, class_weights="balanced").loss(as_given, Batch(logits, LABELS))
    torch.testing.assert_close(loss, -logits[0].log_softmax(-1).mean())


def test_evaluation_is_not_weighted() -> None:
    task = Classification(DATA, class_weights="balanced")
    torch.testing.assert_close(
        task.evaluate(as_given, Batch(LOGITS, LABELS), task.metrics()), F.cross_entropy(LOGITS, LABELS)
    )


def test_weights_help_the_rare_class_where_there_is_overlap() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(2000, generator=generator) < 0.05).long()
    inputs = torch.randn(2000, 1, generator=generator) + 1.5 * labels[:, None]
    facts = DataSpec("rare", "table", (1,), "class", num_classes=2, class_counts=tuple(labels.bincount().tolist()))
    recall = {}
    for weights in (None, "balanced"):
        task, net = Classification(facts, class_weights=weights), torch.nn.Linear(1, 2)
        optimizer = torch.optim.LBFGS(net.parameters(), max_iter=50)

        def closure(task=task, net=net, optimizer=optimizer):
            optimizer.zero_grad()
            loss = task.loss(net, Batch(inputs, labels))
            loss.backward()
            return loss

        optimizer.step(closure)
        metrics = task.metrics()
        task.evaluate(net, Batch(inputs, labels), metrics)
        recall[weights] = metrics.compute()["recall"][1].item()
    assert recall[None] < 0.3
    assert recall["balanced"] > 0.7


def test_stacked_nets_are_weighted_alike() -> None:
    task = Classification(DATA, class_weights="balanced")
    net = MLP((3,), 3, torch.nn.Linear, width=4, depth=1)
    stacked = {name: torch.stack([value, value]) for name, value in net.named_parameters()}
    gradients = vmap(grad(lambda p: task.loss(lambda x: functional_call(net, p, (x,)), Batch(LOGITS, LABELS))))(stacked)
    task.loss(net, Batch(LOGITS, LABELS)).backward()
    for name, value in net.named_parameters():
        torch.testing.assert_close(gradients[name][1], value.grad)


def test_weights_go_to_the_device_in_the_precision_of_the_logits() -> None:
    task = Classification(DATA, class_weights=[1, 2, 3])
    task.loss(as_given, Batch(LOGITS.to("meta"), LABELS.to("meta")))
    assert task.class_weights.device.type == "meta"
    assert task.class_weights.dtype is torch.float32  # float64 would not be taken by a Mac's GPU


def test_a_config_can_set_them() -> None:
    node = {"_target_": "lorelab.tasks.classification.Classification", "_partial_": True, "class_weights": [1, 2, 3]}
    assert instantiate(OmegaConf.create(node))(data=DATA).class_weights.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("facts", "weights", "message"),
    [
        (DATA, [1.0, 2.0], r"class_weights has 2 numbers, expected 3, one per class: a, b, c"),
        (DATA, [1.0, 0.0, 2.0], r"class_weights=\[1.0, 0.0, 2.0\], expected positive numbers"),
        (DATA, "even", r"class_weights='even', expected null, balanced or a list of numbers"),
        (
            DataSpec("bare", "table", (2,), "class", num_classes=2),
            "balanced",
            r"class_weights=balanced needs the classes' counts, which 'bare' does not tell; give a list of 2 numbers",
        ),
    ],
)
def test_what_does_not_fit_is_refused(facts, weights, message) -> None:
    with pytest.raises(ValueError, match=message):
        Classification(facts, class_weights=weights)
