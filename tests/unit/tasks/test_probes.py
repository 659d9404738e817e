"""Probes give what scikit-learn gives, and the untrained copy is compared fairly."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from lorelab.nets.convnet import ConvNet
from lorelab.nets.mlp import MLP
from lorelab.tasks.probes import calibrated, extract, knn_accuracy, probe_accuracy


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
def test_a_calibrated_copy_has_the_weights_and_the_statistics_of_the_inputs(net):
    x = 3 + 2 * torch.randn(2500, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    fresh = calibrated(net, x)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in fresh.named_parameters())
    assert not any(module.training for module in fresh.modules())
    means = [module.running_mean for module in fresh.modules() if isinstance(module, nn.BatchNorm2d)]
    if means:
        first = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
        with torch.no_grad():
            torch.testing.assert_close(means[0], first(x).mean((0, 2, 3)), rtol=1e-2, atol=1e-2)


def test_a_calibrated_copy_has_the_precision_of_the_inputs():
    assert next(calibrated(MLP((2,), 3, nn.Linear), torch.ones(4, 2).double()).parameters()).dtype == torch.float64
