"""What softmax with cross-entropy does not see: an offset that all logits share."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from lorelab.identities.formats import in_both
from lorelab.studies.evidence import Evidence, Plot, Trace

BATCH, FEATURES, CLASSES = 64, 16, (2, 3, 10, 100)
RATE, DECAY, STEPS = 0.1, 0.1, 300


class _Head(NamedTuple):
    """A linear head, what it reads and what it should say."""

    features: Tensor
    weight: Tensor
    bias: Tensor
    labels: Tensor


def softmax_offset(seed: int) -> Evidence:
    """A constant added to all logits of an example changes neither probabilities, nor the loss, nor the gradients with
    respect to logits and features; the gradients of the logits sum to zero."""
    return Evidence(in_both(_offset, seed))


def head_redundancy(seed: int) -> Evidence:
    """A vector added to every row of a linear head, and a number to every bias, changes neither probabilities nor the
    gradient of the features, so only the rows' differences are used. It is the only such direction: the Jacobian of
    the probabilities with respect to the logits, diag(p) − pp', maps the vector of ones to zero, and its eigenvalues
    interlace with the probabilities, so that the second smallest is no smaller than the least of them."""
    return Evidence(in_both(_redundancy, seed))


def weight_decay_removes_offset(seed: int) -> Evidence:
    """Along that direction gradient descent without weight decay stays where it began, and with decay λ at rate η it
    shrinks by exactly 1 − ηλ a step, whatever the data."""
    left = (1 - RATE * DECAY) ** STEPS
    numbers = {f"share of the offset left after {STEPS} steps at ηλ = {RATE * DECAY:g}": left}
    return Evidence(in_both(_decay, seed), numbers, [_decay_plot(seed)])


def _head(classes: int, dtype: torch.dtype, generator: Generator) -> _Head:
    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=dtype, generator=generator)

    labels = torch.randint(classes, (BATCH,), generator=generator)
    return _Head(normal(BATCH, FEATURES), normal(classes, FEATURES) / 2, normal(classes), labels)


def _seen(head: _Head, offset: Tensor | float = 0.0) -> list[Tensor]:
    """All that could differ: probabilities, loss, gradients of logits and of features."""
    features = head.features.clone().requires_grad_()
    logits = F.linear(features, head.weight, head.bias) + offset
    loss = F.cross_entropy(logits, head.labels, reduction="sum")
    return [logits.softmax(-1), loss / BATCH, *torch.autograd.grad(loss, [logits, features])]


def _offset(dtype: torch.dtype, generator: Generator) -> list[Tensor]:
    found = []
    for classes in CLASSES:
        head = _head(classes, dtype, generator)
        offset = 10 * torch.randn(BATCH, 1, dtype=dtype, generator=generator)
        before, after = _seen(head), _seen(head, offset)
        found += [a - b for a, b in zip(before, after, strict=True)]
        found.append(before[2].sum(-1))
    return found


def _redundancy(dtype: torch.dtype, generator: Generator) -> list[Tensor]:
    found = []
    for classes in CLASSES:
        head = _head(classes, dtype, generator)
        vector, number = torch.randn(2, FEATURES, dtype=dtype, generator=generator)
        moved = head._replace(weight=head.weight + vector, bias=head.bias + number[0])
        found += [a - b for a, b in zip(_seen(head), _seen(moved), strict=True)]
        found += _null_space(torch.randn(classes, dtype=dtype, generator=generator))
    return found


def _null_space(logits: Tensor) -> list[Tensor]:
    """The Jacobian times ones, its smallest eigenvalue, and by how much the next one is below the least probability."""
    jacobian: Tensor = torch.func.jacrev(lambda z: z.softmax(-1))(logits)
    least, second, *_ = torch.linalg.eigvalsh(jacobian)
    return [jacobian.sum(-1), least[None], (logits.softmax(-1).min() - second).clamp_min(0)[None]]


def _trained(decay: float, dtype: torch.dtype, generator: Generator) -> tuple[Tensor, Tensor]:
    """Mean row of a head that starts with a common offset, ``(steps + 1, F)``, and the norm of what differs between its
    rows ``(steps + 1,)``; trained by ``torch.optim.SGD``."""
    head = _head(10, dtype, generator)
    weight = (head.weight + torch.randn(FEATURES, dtype=dtype, generator=generator)).requires_grad_()
    optimizer = torch.optim.SGD([weight], lr=RATE, weight_decay=decay)
    means, spreads = [], []
    for _ in range(STEPS + 1):
        mean = weight.detach().mean(0)
        means.append(mean)
        spreads.append((weight.detach() - mean).norm())
        optimizer.zero_grad()
        F.cross_entropy(F.linear(head.features, weight), head.labels).backward()
        optimizer.step()
    return torch.stack(means), torch.stack(spreads)


def _decay(dtype: torch.dtype, generator: Generator) -> list[Tensor]:
    found = []
    for decay in (0.0, DECAY):
        means, _ = _trained(decay, dtype, generator)
        factors = (1 - RATE * decay) ** torch.arange(STEPS + 1, dtype=dtype)
        found.append(means - factors[:, None] * means[0])
    return found


def _decay_plot(seed: int) -> Plot:
    steps, traces = list(map(float, range(0, STEPS + 1, 10))), []
    for name, decay in (("without decay", 0.0), (f"weight decay {DECAY:g}", DECAY)):
        means, spreads = _trained(decay, torch.float64, torch.Generator().manual_seed(seed))
        traces.append(Trace(f"offset, {name}", steps, (means.norm(dim=1) / means[0].norm())[::10].tolist()))
        traces.append(Trace(f"differences, {name}", steps, (spreads / spreads[0])[::10].tolist()))
    caption = (
        f"A linear head of ten classes under gradient descent at rate {RATE:g}: the part that all its rows share, and "
        "the part in which they differ."
    )
    return Plot("The redundant direction of a head", "steps", "norm, relative to the start", traces, caption)
