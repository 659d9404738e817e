"""Heads turn features into logits."""

import math

import pytest
import torch
from torch import nn

from lorelab.nets.heads import CosineHead, MLPHead, PrejudicedHead

FEATURES = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * 10


def test_cosine_head_equals_cosine_similarity_over_temperature():
    head = CosineHead(7, 3, temperature=0.25)
    expected = torch.stack([torch.cosine_similarity(FEATURES, row[None], dim=-1) for row in head.weight], -1) / 0.25
    torch.testing.assert_close(head(FEATURES), expected)


def test_cosine_logits_reach_but_never_leave_the_bound_of_the_temperature():
    head = CosineHead(7, 3, temperature=0.5)
    own_weights = head(head.weight.detach())
    torch.testing.assert_close(own_weights.diagonal(), torch.full((3,), 2.0))
    assert head(FEATURES).abs().max() <= 2.0 + 1e-6


def test_cosine_head_does_not_see_the_length_of_the_features():
    head = CosineHead(7, 3)
    torch.testing.assert_close(head(FEATURES), head(FEATURES * 100))


def test_fixed_temperature_is_stored_but_not_trained():
    head = CosineHead(7, 3, temperature=0.2)
    assert [name for name, _ in head.named_parameters()] == ["weight"]
    assert head.state_dict()["log_temperature"].exp().item() == pytest.approx(0.2)


def test_learned_temperature_starts_as_given_and_falls_when_sharper_logits_help():
    head = CosineHead(7, 3, temperature=0.2, learn_temperature=True)
    assert head.log_temperature.exp().item() == pytest.approx(0.2)
    own_weights = head.weight.detach()
    nn.functional.cross_entropy(head(own_weights), torch.arange(3)).backward()
    assert head.log_temperature.grad.item() > 0


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_cosine_head_refuses_a_temperature_that_is_not_positive(temperature):
    with pytest.raises(ValueError, match=r"temperature=.*expected a positive number"):
        CosineHead(7, 3, temperature=temperature)


def test_heads_of_one_seed_start_from_the_same_matrix():
    weights = []
    for build in (lambda: nn.Linear(7, 3), lambda: nn.Linear(7, 3, bias=False), lambda: CosineHead(7, 3)):
        torch.manual_seed(5)
        weights.append(build().weight)
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])


def test_two_layer_head_equals_the_sequence_written_out():
    head = MLPHead(7, 3, hidden_features=5, activation="tanh")
    written_out = nn.Sequential(head.hidden, nn.Tanh(), head.output)
    assert torch.equal(head(FEATURES), written_out(FEATURES))
    assert head.hidden.weight.shape == (5, 7)


def test_two_layer_head_is_as_wide_as_the_features_by_default():
    assert MLPHead(7, 3).hidden.out_features == 7


def test_two_layer_head_refuses_no_width():
    with pytest.raises(ValueError, match=r"MLPHead: hidden_features=0, expected at least 1"):
        MLPHead(7, 3, hidden_features=0)


@pytest.mark.parametrize("head", [nn.Linear(7, 3), CosineHead(7, 3), MLPHead(7, 3)], ids=lambda h: type(h).__name__)
def test_every_head_keeps_leading_axes_as_language_models_need(head):
    assert head(torch.randn(4, 6, 7)).shape == (4, 6, 3)


@pytest.mark.parametrize(("classes", "confidence"), [(2, 0.9), (10, 0.999)])
def test_prejudiced_head_gives_one_class_its_confidence_whatever_it_reads(classes, confidence):
    torch.manual_seed(3)
    head = PrejudicedHead(7, classes, confidence)
    with torch.no_grad():  # what the bias alone says, with the other logits equal
        head.bias[head.bias < head.bias.max()] = 0.0
        head.bias[head.bias.argmax()] = math.log(confidence / (1 - confidence) * (classes - 1))
    assert head(torch.zeros(1, 7)).softmax(-1).max().item() == pytest.approx(confidence)


def test_prejudiced_head_is_the_linear_one_of_its_seed_but_for_one_bias_that_the_seed_draws():
    favourites = set()
    for seed in range(20):
        torch.manual_seed(seed)
        plain = nn.Linear(7, 10)
        torch.manual_seed(seed)
        head = PrejudicedHead(7, 10)
        torch.testing.assert_close(head.weight, plain.weight)
        raised = head.bias - plain.bias
        assert (raised > 1e-6).sum() == 1
        assert raised.max().item() == pytest.approx(math.log(999 * 9), rel=1e-5)
        favourites.add(raised.argmax().item())
    assert len(favourites) > 5


@pytest.mark.parametrize("confidence", [0.0, 1.0, math.nan])
def test_prejudiced_head_refuses_what_is_no_doubt_at_all(confidence):
    with pytest.raises(ValueError, match=r"confidence=.*between 0 and 1"):
        PrejudicedHead(7, 3, confidence)
