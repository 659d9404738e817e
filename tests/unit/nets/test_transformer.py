"""The decoder-only transformer."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from lorelab.nets.heads import CosineHead, MLPHead
from lorelab.nets.transformer import Block, Transformer


def transformer(seed=0, shape=(8,), head=nn.Linear, vocabulary=11, **kwargs):
    torch.manual_seed(seed)
    return Transformer(shape, vocabulary, head, **{"layers": 2, "heads": 2, "width": 12} | kwargs)


def tokens(*shape, vocabulary=11):
    return torch.randint(vocabulary, shape, generator=torch.Generator().manual_seed(1))


def test_a_block_equals_pytorchs_own_pre_norm_layer():
    torch.manual_seed(0)
    ours = Block(12, heads=3, activation="gelu", dropout=0.0, bias=True)
    theirs = nn.TransformerEncoderLayer(12, 3, 48, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    pairs = {
        "self_attn.in_proj_weight": ours.attention.qkv.weight,
        "self_attn.in_proj_bias": ours.attention.qkv.bias,
        "self_attn.out_proj.weight": ours.attention.projection.weight,
        "self_attn.out_proj.bias": ours.attention.projection.bias,
        "linear1.weight": ours.hidden.weight,
        "linear1.bias": ours.hidden.bias,
        "linear2.weight": ours.projection.weight,
        "linear2.bias": ours.projection.bias,
        "norm1.weight": ours.attention_norm.weight,
        "norm1.bias": ours.attention_norm.bias,
        "norm2.weight": ours.norm.weight,
        "norm2.bias": ours.norm.bias,
    }
    theirs.load_state_dict(pairs)
    x = torch.randn(4, 7, 12)
    mask = nn.Transformer.generate_square_subsequent_mask(7)
    torch.testing.assert_close(ours(x), theirs(x, src_mask=mask, is_causal=True))


def test_no_position_sees_a_later_one_and_every_position_sees_all_earlier_ones():
    net, x = transformer(), tokens(1, 8)
    before = net(x)
    for place in range(8):
        changed = x.clone()
        changed[0, place] = (x[0, place] + 1) % 11
        moved = (net(changed) - before).abs().amax((0, 2)) > 1e-9
        assert moved.tolist() == [position >= place for position in range(8)]


def test_the_same_characters_elsewhere_are_something_else():
    net = transformer()
    out = net(torch.full((1, 8), 3))
    assert not torch.allclose(out[0, 0], out[0, 5])


def test_logits_are_the_heads_of_the_features_and_a_shorter_text_is_read_as_its_beginning():
    net, x = transformer(head=CosineHead), tokens(3, 8)
    assert net.features(x).shape == (3, 8, 12)
    assert torch.equal(net(x), net.head(net.features(x)))
    torch.testing.assert_close(net(x[:, :5]), net(x)[:, :5])


def test_more_tokens_than_positions_are_refused():
    with pytest.raises(ValueError, match="Transformer: 9 tokens, expected at most the 8 it has positions for"):
        transformer()(tokens(1, 9))


def test_first_weights_are_gpt2s():
    net = transformer(vocabulary=500, width=128, layers=8, bias=True)
    spreads = {name: weight.std().item() for name, weight in net.named_parameters() if weight.ndim == 2}
    residual = 0.02 / math.sqrt(16)
    for name, spread in spreads.items():
        assert spread == pytest.approx(residual if "projection" in name else 0.02, rel=0.05), name
    biases = [weight for name, weight in net.named_parameters() if name.endswith("bias")]
    assert len(biases) == 8 * 6 + 2
    assert not any(bias.any() for bias in biases)


def test_an_untrained_net_knows_nothing():
    net, x = transformer(width=64), tokens(64, 8)
    loss = nn.functional.cross_entropy(net(x).flatten(0, 1), tokens(64, 8).flatten())
    assert loss.item() == pytest.approx(math.log(11), abs=0.1)


def test_without_biases_there_are_none():
    net = transformer(head=lambda a, b: nn.Linear(a, b, bias=False))
    assert not [name for name, _ in net.named_parameters() if name.endswith("bias")]


@pytest.mark.parametrize("head", [nn.Linear, CosineHead])
def test_tied_weights_are_one_matrix_that_learns_from_both_ends(head):
    net, x = transformer(head=head, tie_weights=True), tokens(2, 8, vocabulary=5)
    assert net.head.weight is net.tokens.weight
    assert [name for name, _ in net.named_parameters()].count("head.weight") == 0
    net(x).logsumexp(-1).sum().backward()
    assert net.tokens.weight.grad[5:].abs().sum() > 0  # never read, still predicted
    again = transformer(seed=1, head=head, tie_weights=True)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(x), net(x))


def test_dropout_acts_in_training_only():
    net, x = transformer(dropout=0.5), tokens(2, 8)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))
    torch.testing.assert_close(net(x), transformer().eval()(x))


@pytest.mark.parametrize("tied", [False, True])
def test_stacked_nets_give_each_members_outputs(tied):
    nets, x = [transformer(seed, tie_weights=tied) for seed in range(3)], tokens(2, 8)
    params, buffers = stack_module_state(nets)
    stacked = vmap(lambda p, b: functional_call(nets[0], (p, b), (x,)))(params, buffers)
    for i, net in enumerate(nets):
        torch.testing.assert_close(stacked[i], net(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shape": (1, 8, 8)}, r"Transformer: input_shape=\(1, 8, 8\), expected rows of tokens"),
        ({"layers": 0}, r"Transformer: layers=0, heads=2, width=12, expected positive numbers"),
        ({"heads": 5}, r"Transformer: width=12 cannot be shared by heads=5, expected a multiple"),
        ({"dropout": 1.0}, r"Transformer: dropout=1.0, expected a probability in \[0, 1\)"),
        ({"activation": "relo"}, r"activation='relo' is unknown: did you mean 'relu'"),
        (
            {"head": MLPHead, "tie_weights": True},
            r"tie_weights=True with a head of type MLPHead, .*set model.tie_weights=false",
        ),
    ],
)
def test_inputs_and_values_that_do_not_fit_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        transformer(**kwargs)
