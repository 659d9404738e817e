"""Text from a language model."""

import pytest
import torch
from test_pictures import on_mps
from torch import Generator

from lorelab.tasks.sampling import generate

LOGITS = torch.tensor([0.0, 1.0, 2.0, -1.0])


def counting(x):
    """Sure that the next token is this one plus 1, modulo 5."""
    return 50 * torch.nn.functional.one_hot((x + 1) % 5, 5).double()


def constant(x):
    return (x * 0.0)[..., None] + LOGITS  # on the device of x


def start(*tokens):
    return torch.tensor([tokens])


def test_a_prompt_is_continued():
    out = generate(counting, start(3, 4), 4, context=8, generator=Generator())
    assert out.tolist() == [[3, 4, 0, 1, 2, 3]]


def test_the_net_reads_no_more_than_its_context():
    seen = []

    def net(x):
        seen.append(x.shape[1])
        return counting(x)

    generate(net, start(0, 1), 5, context=4, generator=Generator())
    assert seen == [2, 3, 4, 4, 4]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_the_softmax_says(temperature):
    prompt = torch.zeros((20_000, 1), dtype=torch.long)
    generator = Generator().manual_seed(0)
    drawn = generate(constant, prompt, 1, context=4, temperature=temperature, generator=generator)[:, 1]
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    torch.testing.assert_close(shares, (LOGITS / temperature).softmax(-1), atol=0.015, rtol=0)


def test_the_text_is_the_same_where_there_is_no_float64():
    def text(prompt):
        return generate(constant, prompt, 30, context=4, generator=Generator().manual_seed(0)).tolist()

    assert text(on_mps(start(0))) == text(start(0))


@pytest.mark.parametrize("temperature", [0, 1e-300])
def test_without_warmth_the_likeliest_is_taken(temperature):
    out = generate(constant, start(0), 6, context=4, temperature=temperature, generator=Generator())
    assert out[0, 1:].tolist() == [2] * 6


def test_the_same_seed_gives_the_same_text_and_the_global_random_state_is_left_alone():
    def text(seed):
        return generate(constant, start(0), 30, context=4, generator=Generator().manual_seed(seed)).tolist()

    state = torch.get_rng_state()
    assert text(0) == text(0) != text(1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("prompt", "length", "temperature"), [(torch.zeros((1, 0)), 1, 1.0), (start(0), -1, 1.0), (start(0), 1, -0.5)]
)
def test_what_makes_no_sense_is_refused(prompt, length, temperature):
    with pytest.raises(ValueError, match=r"generate: a prompt of . tokens, .*; expected at least one token"):
        generate(constant, prompt, length, context=4, temperature=temperature, generator=Generator())
