"""Probes give what scikit-learn gives, and the untrained copy is a fresh start."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from lorelab.nets.convnet import ConvNet
from lorelab.nets.mlp import MLP
from lorelab.tasks.probes import extract, knn_accuracy, probe_accuracy, untrained


@pytest.fixture
def splits():
    generator = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(4, 6, generator=generator)
    train_labels, held_labels = (torch.randint(4, (n,), generator=generator) for n in (300, 1500))
    train, held = (centres[y] + 1.5 * torch.randn(len(y), 6, generator=generator) for y in (train_labels, held_labels))
    return train, train_labels, held, held_labels


@pytest.mark.parametrize("k", [1, 5, 20, 1000])
def test_neighbours_vote_as_in_scikit_learn(splits, k):
    train, train_labels, held, held_labels = splits
    reference = KNeighborsClassifier(min(k, 300), metric="cosine", algorithm="brute").fit(train, train_labels)
    expected = reference.score(held, held_labels)
    assert knn_accuracy(*splits, k) == pytest.approx(expected, abs=1.5 / 1500)  # float32 may swap equals
    assert 0.2 < expected < 0.95


def test_the_linear_probe_is_logistic_regression_on_training_statistics(splits):
    train, train_labels, held, held_labels = splits
    mean, std = train.double().mean(0), train.double().std(0, correction=0)
    reference = LogisticRegression(
        C=1 / 3,  # 1 / (0.01 · 300)
        max_iter=1000,
        tol=1e-3,
    ).fit((train - mean) / std, train_labels)
    # Held examples twice the size would be standardised otherwise if the probe looked at them.
    expected = reference.score((2 * held - mean) / std, held_labels)
    assert probe_accuracy(train, train_labels, 2 * held, held_labels, l2=0.01) == pytest.approx(expected, abs=2 / 1500)


def test_features_are_extracted_in_pieces_without_changing_them():
    torch.manual_seed(0)
    net, inputs = MLP((3, 2), 4, nn.Linear, width=5), torch.randn(2100, 3, 2)
    with torch.no_grad():
        torch.testing.assert_close(extract(net, inputs), net.features(inputs))


@pytest.mark.parametrize("net", [MLP((1, 8, 8), 4, nn.Linear), ConvNet((1, 8, 8), 4, nn.Linear, batch_norm=True)])
def test_an_untrained_copy_starts_anew_and_leaves_the_net_and_the_random_state_alone(net):
    with torch.no_grad():
        for value in [*net.parameters(), *(b for b in net.buffers() if b.is_floating_point())]:
            value.fill_(0.1)
    x = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    state = torch.get_rng_state()
    one, two, other = untrained(net, seed=0), untrained(net, seed=0), untrained(net, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all((value == 0.1).all() for value in net.parameters())
    assert one.features(x).std() > 0
    assert torch.equal(one.features(x), two.features(x))
    assert not torch.equal(one.features(x), other.features(x))
    backbone = {name: value for name, value in one.state_dict().items() if not name.startswith("head.")}
    assert not any((value == 0.1).all() for value in backbone.values())


def test_what_cannot_be_reset_has_no_untrained_copy():
    class Scaled(MLP):
        def __init__(self):
            super().__init__((2,), 3, nn.Linear)
            self.scale = nn.Parameter(torch.ones(1))

    assert untrained(Scaled()) is None
    assert untrained(lambda x: x) is None
