"""One pass over a split: what is measured, and what its picture is drawn from."""

import pytest
import torch
from torch import nn

from lorelab.records import Batch, DataSpec
from lorelab.tasks.classification import Classification
from lorelab.tasks.regression import Regression
from lorelab.training.evaluation import Evaluation

CLASSES = Classification(DataSpec("toy", "table", (3,), "class", num_classes=4))
REALS = Regression(DataSpec("toy", "table", (3,), "real", target_mean=200.0, target_std=50.0))


class Counting(nn.Module):
    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.head, self.sizes = nn.Linear(3, out_features), []

    def forward(self, x):
        self.sizes.append(len(x))
        return self.head(x)


def batches(task, rows: int = 25, size: int = 10) -> list[Batch]:
    draws = torch.Generator().manual_seed(0)
    inputs = torch.randn(rows, 3, generator=draws)
    targets = torch.arange(rows) % 4
    return [
        Batch(*pair)
        for pair in zip(inputs.split(size), (targets if task is CLASSES else targets.float()).split(size), strict=True)
    ]


@torch.no_grad()
@pytest.mark.parametrize("task", [CLASSES, REALS])
def test_the_picture_of_a_pass_is_that_of_a_second_one_and_no_net_is_asked_again(task, tmp_path) -> None:
    torch.manual_seed(0)
    net, seen = Counting(task.out_features), batches(task)
    plain, pictured = Evaluation(task, ()), Evaluation(task, ())
    plain.begin(torch.device("cpu"))
    pictured.begin(torch.device("cpu"), task)
    for batch in seen:
        plain.add(net, batch)
    net.sizes.clear()
    for batch in seen:
        pictured.add(net, batch)
    assert net.sizes == [10, 10, 5]
    assert pictured.result("test") == plain.result("test")
    (own := tmp_path / "own").mkdir()
    assert pictured.plot(own)
    (again := tmp_path / "again").mkdir()
    predicted = torch.cat([task.predict(net, batch.inputs) for batch in seen])
    predicted = predicted.argmax(-1) if task is CLASSES else predicted
    task.plot(predicted, torch.cat([batch.targets for batch in seen]), again)
    (drawn,) = own.iterdir()
    assert drawn.read_bytes() == (again / drawn.name).read_bytes()
    assert not pictured.plot(own), "once a pass"
    assert not plain.plot(own), "it was not asked for"


@torch.no_grad()
def test_a_task_that_evaluates_other_inputs_is_asked_for_its_predictions_apart(tmp_path) -> None:
    class Mirrored(Classification):
        def evaluate(self, net, batch, metrics):
            return super().evaluate(net, Batch(-batch.inputs, batch.targets), metrics)

    task, drawn = Mirrored(DataSpec("toy", "table", (3,), "class", num_classes=4)), []
    task.plot = lambda predicted, _targets, _folder: drawn.append(predicted)
    net, (batch,) = Counting(4), batches(CLASSES, 10)
    evaluation = Evaluation(task, ())
    evaluation.begin(torch.device("cpu"), task)
    evaluation.add(net, batch)
    assert evaluation.plot(tmp_path)
    assert torch.equal(drawn[0], net.head(batch.inputs).argmax(-1))
