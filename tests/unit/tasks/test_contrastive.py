"""The contrastive loss is cross-entropy over similarities; the representation is judged by probes."""

import math

import pytest
import torch
from torch import nn

from lorelab.errors import LorelabError
from lorelab.nets.mlp import MLP
from lorelab.records import Batch, DataSpec
from lorelab.tasks.classification import Classification
from lorelab.tasks.contrastive import Contrastive, _subset
from lorelab.tasks.protocol import Illustrator, Judge

DATA = DataSpec("rows", "table", (3,), "class", num_classes=2)


def identity(x):
    return x


@pytest.fixture
def views():
    return torch.randn(7, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def textbook(views, temperature):
    """NT-Xent, equation 1 of Chen et al. 2020, term by term."""
    rows = [view / view.norm() for pair in views for view in pair]
    total = 0.0
    for i, anchor in enumerate(rows):
        partner = rows[i + 1] if i % 2 == 0 else rows[i - 1]
        others = sum(math.exp(float(anchor @ row) / temperature) for j, row in enumerate(rows) if j != i)
        total -= math.log(math.exp(float(anchor @ partner) / temperature) / others)
    return total / len(rows)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_the_loss_is_the_textbook_formula(views, temperature):
    loss = Contrastive(DATA, temperature=temperature).loss(identity, Batch(views, torch.zeros(7)))
    assert loss.item() == pytest.approx(textbook(views, temperature), abs=1e-6)


def test_the_loss_is_the_classification_task_over_similarity_scores(views):
    task = Contrastive(DATA, temperature=0.3)
    scores, partners = task._classification(identity, Batch(views, torch.zeros(7)))
    classes = DataSpec("views", "table", (3,), "class", num_classes=14)
    classified = Classification(classes).loss(lambda _: scores, Batch(views, partners))
    assert partners.tolist() == [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12]
    assert task.loss(identity, Batch(views, torch.zeros(7))).item() == pytest.approx(classified.item(), abs=1e-6)


def test_equal_projections_cost_chance_and_orthogonal_pairs_the_least_by_hand():
    task, labels = Contrastive(DATA, temperature=0.5), torch.zeros(3)
    same = Batch(torch.ones(3, 2, 3), labels)
    assert task.loss(identity, same).item() == pytest.approx(math.log(5), abs=1e-6)
    apart = Batch(torch.eye(3).unsqueeze(1).expand(3, 2, 3), labels)
    assert task.loss(identity, apart).item() == pytest.approx(math.log(1 + 4 * math.exp(-2)), abs=1e-6)


def test_pair_accuracy_counts_the_views_that_find_their_partner():
    task = Contrastive(DATA)
    pairs = torch.tensor([[[1.0, 0, 0], [0.9, 0.1, 0]], [[0, 1.0, 0], [0.8, 0.2, 0]]])
    metrics = task.metrics()
    task.evaluate(identity, Batch(pairs, torch.zeros(2)), metrics)
    # The first and the second find each other, the third the fourth; the fourth is closest to the second.
    assert metrics.compute()["pair_accuracy"].item() == pytest.approx(3 / 4)


def test_inputs_that_are_no_views_are_refused_with_the_augmentation_to_use():
    with pytest.raises(LorelabError, match=r"shape \(8, 3\), expected two views.*augment=two_views"):
        Contrastive(DATA).loss(identity, Batch(torch.zeros(8, 3), torch.zeros(8)))
    with pytest.raises(LorelabError, match=r"shape \(8, 3, 3\)"):
        Contrastive(DATA).loss(identity, Batch(torch.zeros(8, 3, 3), torch.zeros(8)))


def striped(n, seed):
    """The class is the sign of a faint first feature; two loud ones drown it for cosine neighbours."""
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)) * torch.tensor([1.0, 8.0, 8.0])
    return Batch(x, (x[:, 0] > 0).long())


class FirstFeature(nn.Module):
    """A net whose representation holds what counts."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 8, bias=False)
        self.head = nn.Linear(8, 4)
        with torch.no_grad():
            self.layer.weight.zero_()
            self.layer.weight[0, 0] = 1.0

    def features(self, x):
        return self.layer(x)

    def forward(self, x):
        return self.head(self.features(x))


def test_at_the_test_the_representation_is_held_against_raw_inputs_and_an_untrained_backbone():
    task, net = Contrastive(DATA), FirstFeature().eval()
    assert isinstance(task, Judge)
    assert not isinstance(task, Illustrator)
    torch.manual_seed(0)
    task.begin(MLP((3,), 4, nn.Linear))
    with torch.no_grad():
        found = task.judge(net, striped(400, 0), striped(300, 1), "test")
        again = task.judge(net, striped(400, 0), striped(300, 1), "test")
    probes = ("knn_accuracy", "probe_accuracy")
    assert set(found) == {prefix + probe for prefix in ("", "raw_", "random_") for probe in probes}
    assert found == again
    assert found["knn_accuracy"] > 0.99
    assert 0.5 < found["raw_knn_accuracy"] < 0.9
    assert found["raw_probe_accuracy"] > 0.95  # linear in the inputs, which the probe standardises
    assert found["random_knn_accuracy"] < 0.9


def test_during_validation_there_are_neighbours_only():
    with torch.no_grad():
        assert set(Contrastive(DATA).judge(FirstFeature(), striped(50, 0), striped(50, 1), "val")) == {"knn_accuracy"}


def test_without_the_untrained_net_there_is_no_baseline_of_it():
    found = Contrastive(DATA).judge(FirstFeature(), striped(50, 0), striped(50, 1), "test")
    assert set(found) == {"knn_accuracy", "probe_accuracy", "raw_knn_accuracy", "raw_probe_accuracy"}


def test_the_baseline_is_the_net_before_its_first_step():
    task, net = Contrastive(DATA), FirstFeature()
    task.begin(net)
    with torch.no_grad():
        for value in net.parameters():
            value.zero_()  # "training"
        found = task.judge(net, striped(400, 0), striped(300, 1), "test")
        untouched = task.judge(FirstFeature(), striped(400, 0), striped(300, 1), "test")
    assert found["random_knn_accuracy"] == untouched["knn_accuracy"] > found["knn_accuracy"]


def test_similarities_stay_exact_under_mixed_precision():
    task = Contrastive(DATA, temperature=0.01)
    batch = Batch(torch.randn(16, 2, *DATA.input_shape, generator=torch.Generator().manual_seed(0)), torch.zeros(16))

    def net(inputs):  # nothing of the net's own to round
        return inputs.flatten(1)[:, :8].float()

    expected = task.loss(net, batch)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(task.loss(net, batch), expected)


def test_probes_are_fitted_on_at_most_so_many_training_examples():
    train = striped(1000, 0)
    capped = Contrastive(DATA, probe_examples=100).judge(FirstFeature(), train, striped(300, 1), "val")
    rows = _subset(1000, 100)
    known = Batch(train.inputs[rows], train.targets[rows])
    assert capped == Contrastive(DATA).judge(FirstFeature(), known, striped(300, 1), "val")
    assert len(rows.unique()) == 100
    assert rows.max() > 900


def test_the_representation_is_predicted_not_the_projection():
    net = MLP((3,), 64, nn.Linear, width=5)
    assert Contrastive(DATA).predict(net, torch.zeros(2, 3)).shape == (2, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0}, "temperature=0, expected a positive number"),
        ({"projection_features": 0}, "projection_features=0"),
        ({"k": 0}, "k=0"),
        ({"probe_l2": 0}, "probe_l2=0"),
        ({"monitor": "val/probe_accuracy"}, "not measured by this task"),
        ({"mode": "min"}, "expected mode='max'"),
        ({"data": DataSpec("plane", "table", (3,), "real")}, "of kind 'real', expected 'class'"),
    ],
)
def test_values_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Contrastive(**{"data": DATA} | arguments)
