"""Likelihoods of many examples, and which loss the true probabilities minimise."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from lorelab.identities.formats import FORMATS, in_both
from lorelab.studies.evidence import Evidence, Plot, Trace

LAST = {"float64": 1074, "float32": 149}
"""2 to the minus this is the smallest number above zero (IEEE 754, subnormal)."""
MANY = 100_000
LEAST, MOST = 0.2, 0.9
"""Between which the likelihoods of single examples are drawn."""


def likelihood_underflow(seed: int) -> Evidence:
    """The product of n likelihoods of one half is zero from n = 150 on in float32 and 1,075 on in float64, as the
    smallest number of each format says. The logarithm of a product of random likelihoods is the sum of their logarithms
    as long as the product lives, and the sum goes on: for 100,000 examples it is what exact summation gives. Deviations
    are relative to the sum, those of n are absolute."""
    numbers = {
        f"n at which a product of likelihoods {p:g} is zero, {name}": float(_zero_at(p, dtype))
        for p in (0.5, 0.1, 0.01)
        for name, dtype in FORMATS.items()
    }
    return Evidence(in_both(_underflow, seed), numbers, [_plot(seed)])


def proper_scoring(seed: int) -> Evidence:
    """Over the true probabilities q of the labels, the expectation of −log p exceeds its value at p = q by the
    Kullback-Leibler divergence, which is at least 0, and its gradient vanishes at p = q. What the others are minimised
    by is told for q = (0.7, 0.2, 0.1)."""
    q = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    numbers = {
        "largest probability at the optimum for q = (0.7, 0.2, 0.1), −log p": float(q.max()),
        "the same, 1 − p": 1.0,  # its expectation is linear in p: all on the likeliest class
        "the same, (1 − p)²": float(_optimum_squared(q).max()),
    }
    return Evidence(in_both(_proper, seed), numbers)


def _zero_at(p: float, dtype: torch.dtype) -> int:
    """The first n at which the running product is zero."""
    return 1 + int((_products(torch.full((1100,), p, dtype=dtype)) == 0).int().argmax())


def _products(p: Tensor) -> Tensor:
    """Of the first 1, 2, … likelihoods. By NumPy, which multiplies in the format itself: PyTorch accumulates float32
    in float64."""
    return torch.from_numpy(np.cumprod(p.numpy(), dtype=p.numpy().dtype))


def _underflow(dtype: torch.dtype, generator: Generator) -> list[Tensor]:
    name = next(name for name, known in FORMATS.items() if known is dtype)
    found = [torch.tensor([_zero_at(0.5, dtype) - (LAST[name] + 1.0)])]
    p = LEAST + (MOST - LEAST) * torch.rand(MANY, dtype=dtype, generator=generator)
    products, sums = _products(p), p.log().cumsum(0)
    alive = products > torch.finfo(dtype).tiny  # below it products are subnormal and lose digits
    found.append((products[alive].log() - sums[alive]) / sums[alive])
    exact = math.fsum(p.double().log().tolist())
    found.append((p.log().sum() - exact) / exact)
    return found


def _proper(dtype: torch.dtype, generator: Generator) -> list[Tensor]:
    found = []
    for classes in (2, 3, 10, 100):
        q, p = torch.randn(2, 64, classes, dtype=dtype, generator=generator).softmax(-1)
        logits = q.log().requires_grad_()
        expected = F.cross_entropy(logits, q, reduction="sum")
        found += torch.autograd.grad(expected, logits)
        excess = F.cross_entropy(p.log(), q, reduction="none") - F.cross_entropy(q.log(), q, reduction="none")
        divergence = F.kl_div(p.log(), q, reduction="none").sum(-1)
        found += [excess - divergence, (-divergence).clamp_min(0)]
    return found


def _optimum_squared(q: Tensor) -> Tensor:
    """Minimises Σ q (1 − p)² over probabilities: where p is above 0, q (1 − p) is the same for all classes."""
    order = q.sort(descending=True)
    for count in range(len(q), 0, -1):
        kept = order.values[:count]
        p = 1 - (count - 1) / (kept * (1 / kept).sum())
        if p.min() >= 0:
            break
    return torch.zeros_like(q).index_put((order.indices[:count],), p)


def _plot(seed: int) -> Plot:
    generator = torch.Generator().manual_seed(seed)
    p = LEAST + (MOST - LEAST) * torch.rand(2000, dtype=torch.float64, generator=generator)
    shown = list(range(0, 2000, 25))
    n = [float(index + 1) for index in shown]
    traces = [Trace("sum of logarithms", n, (p.log().cumsum(0) / math.log(10))[shown].tolist())]
    for name, dtype in FORMATS.items():
        logs = _products(p.to(dtype)).double().log10()[shown]
        traces.append(Trace(f"product, {name}", n, torch.where(logs.isfinite(), logs, torch.nan).tolist()))
    caption = (
        f"Likelihood of n examples, each between {LEAST:g} and {MOST:g}. A product ends where it becomes zero; the sum "
        "of logarithms goes on."
    )
    return Plot("Products underflow, sums of logarithms do not", "examples n", "log₁₀ likelihood", traces, caption)
