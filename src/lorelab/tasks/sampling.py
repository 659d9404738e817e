"""Text from a language model, one token after another."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from lorelab.tasks.protocol import Net


@torch.no_grad()
def generate(
    net: Net, prompt: Tensor, length: int, *, context: int, temperature: float = 1.0, generator: Generator
) -> Tensor:
    """Continues ``prompt`` ``(B, P)``, int64 with P at least 1, by ``length`` tokens: ``(B, P + length)``.

    The net reads the last ``context`` tokens each time and should be in evaluation mode. Tokens are drawn from
    softmax(logits / ``temperature``) by ``generator`` (on the CPU, so that equal logits give equal text on every
    device); at temperature 0 the likeliest is taken, the first of equals. The global random state is left alone.

    Raises:
        ValueError: an empty prompt, or a negative temperature or length.
    """
    if prompt.shape[-1] < 1 or temperature < 0 or length < 0:
        raise ValueError(
            f"generate: a prompt of {prompt.shape[-1]} tokens, temperature={temperature}, length={length}; expected at "
            "least one token and no negative number"
        )
    tokens = prompt
    for _ in range(length):
        logits = net(tokens[:, -context:])[:, -1].cpu().double()
        tokens = torch.cat([tokens, _draw(logits, temperature, generator).to(tokens.device)], dim=1)
    return tokens


def _draw(logits: Tensor, temperature: float, generator: Generator) -> Tensor:
    """One token per row of ``(B, V)``: ``(B, 1)``."""
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    # Relative to the largest, so that a tiny temperature leads to 0 and -inf, never to inf - inf.
    scaled = (logits - logits.amax(-1, keepdim=True)) / temperature
    return torch.multinomial(scaled.softmax(-1), 1, generator=generator)
