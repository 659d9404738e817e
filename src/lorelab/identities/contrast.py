"""Losses that learn by contrast are classification losses."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from lorelab.identities.formats import in_both
from lorelab.records import Batch, DataSpec
from lorelab.studies.evidence import Evidence, Plot, Trace
from lorelab.tasks.contrastive import Contrastive
from lorelab.tasks.nce import NCE

PAIRS, FEATURES, TEMPERATURES = 32, 8, (0.1, 0.5, 1.0)
POINTS, RATIOS, SCALE = 64, (1, 4, 20), 2.0
PLACES, NEWTON_STEPS = 50, 60


def infonce_is_cross_entropy(seed: int) -> Evidence:
    """InfoNCE, written as it is defined (−log of a view's similarity to its partner over the sum of those to all other
    views, each as exp(cosine / temperature)), equals the cross-entropy that ``task=contrastive`` trains with, over the
    similarities with the partner's index as the label; so do the gradients with respect to the projections."""
    return Evidence(in_both(_infonce, seed))


def nce_is_binary_cross_entropy(seed: int) -> Evidence:
    """Noise-contrastive estimation, written as it is defined (the log-likelihood of telling true from generated points
    by their densities: h = p / (p + k q) for k generated points to each true one), equals the binary cross-entropy with
    the log-ratio of the densities, less log k, as the logit that ``task=nce`` trains with; so do the gradients."""
    return Evidence(in_both(_nce, seed))


def nce_recovers_the_ratio(seed: int) -> Evidence:
    """Over a finite space the expected loss has its one minimum at the true log-ratio of the densities: there its
    gradient is zero, elsewhere it is higher by a Kullback-Leibler divergence, and Newton's method finds it."""
    return Evidence(in_both(_optimum, seed), {}, [_optimum_plot()])


def _infonce(dtype: torch.dtype, generator: Generator) -> list[Tensor]:
    found = []
    for temperature in TEMPERATURES:
        spec = DataSpec("drawn", "table", (FEATURES,), "class", num_classes=2)
        task = Contrastive(spec, temperature=temperature)
        views = torch.randn(PAIRS, 2, FEATURES, dtype=dtype, generator=generator).requires_grad_()
        targets = torch.zeros(PAIRS, dtype=torch.int64)
        trained = task.loss(nn.Identity(), Batch(views, targets))  # type: ignore[arg-type]
        defined = _infonce_by_definition(views, temperature)
        found += [trained - defined, torch.autograd.grad(trained, views)[0] - torch.autograd.grad(defined, views)[0]]
    return found


def _infonce_by_definition(views: Tensor, temperature: float) -> Tensor:
    flat = views.flatten(0, 1)
    terms = []
    for i, view in enumerate(flat):
        partner = i + 1 if i % 2 == 0 else i - 1
        cosines = (flat @ view) / (flat.norm(dim=1) * view.norm())
        weights = (cosines / temperature).exp()
        others = torch.cat([weights[:i], weights[i + 1 :]])
        terms.append(-(weights[partner] / others.sum()).log())
    return torch.stack(terms).mean()


class _Unknown:
    """NCE's loss needs no true density."""

    def log_prob(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError


def _nce(dtype: torch.dtype, generator: Generator) -> list[Tensor]:
    found = []
    spec = DataSpec("drawn", "points", (2,), "none")
    for ratio in RATIOS:
        task = NCE(spec, _Unknown(), noise_ratio=ratio, noise_scale=SCALE)
        points = torch.randn(POINTS, 1 + ratio, 2, dtype=dtype, generator=generator)
        weight = torch.randn(2, 1, dtype=dtype, generator=generator).requires_grad_()

        def log_ratio(inputs: Tensor, weight: Tensor = weight) -> Tensor:
            return torch.tanh(inputs) @ weight

        trained = task.loss(log_ratio, Batch(points, torch.zeros(POINTS)))  # type: ignore[arg-type]
        q = (-0.5 * points.square().sum(-1) / SCALE**2).exp() / (2 * math.pi * SCALE**2)
        p = q * log_ratio(points).squeeze(-1).exp()
        true = p / (p + ratio * q)
        defined = -(true[:, 0].log().sum() + (1 - true[:, 1:]).log().sum()) / true.numel()
        gradients = [torch.autograd.grad(loss, weight)[0] for loss in (trained, defined)]
        found += [trained - defined, gradients[0] - gradients[1]]
    return found


def _optimum(dtype: torch.dtype, generator: Generator) -> list[Tensor]:
    """Gradient at the true log-ratio; by how much the excess of random log-ratios misses the divergence; by how much
    Newton's method misses the true log-ratio."""
    found = []
    for ratio in RATIOS:
        p, q = (torch.randn(PLACES, dtype=dtype, generator=generator).softmax(0) for _ in range(2))
        true = (p / q).log()
        found.append(_slopes(true, p, q, ratio)[0])
        other = true + torch.randn(PLACES, dtype=dtype, generator=generator)
        excess = _expected(other, p, q, ratio) - _expected(true, p, q, ratio)
        found.append(excess - _divergence(true, other, p, q, ratio))
        guess = torch.zeros_like(true)
        for _ in range(NEWTON_STEPS):
            slope, bend = _slopes(guess, p, q, ratio)
            guess = guess - (slope / bend).clamp(-1, 1)  # bounded: far out the loss is all but straight
        found.append(guess - true)
    return found


def _expected(log_ratio: Tensor, p: Tensor, q: Tensor, ratio: int) -> Tensor:
    """NCE's loss over the whole space, for each true point."""
    logit = log_ratio - math.log(ratio)
    softplus = nn.functional.softplus
    return (p * softplus(-logit) + ratio * q * softplus(logit)).sum()


def _slopes(log_ratio: Tensor, p: Tensor, q: Tensor, ratio: int) -> tuple[Tensor, Tensor]:
    """First and second derivative of it at each place, by automatic differentiation."""
    variable = log_ratio.clone().requires_grad_()
    (slope,) = torch.autograd.grad(_expected(variable, p, q, ratio), variable, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), variable)
    return slope.detach(), bend


def _divergence(true: Tensor, other: Tensor, p: Tensor, q: Tensor, ratio: int) -> Tensor:
    """From the right probability that a point is a true one to that by ``other``, over all points."""
    right, wrong = ((each - math.log(ratio)).sigmoid() for each in (true, other))
    both = right * (right / wrong).log() + (1 - right) * ((1 - right) / (1 - wrong)).log()
    return ((p + ratio * q) * both).sum()


def _optimum_plot() -> Plot:
    p, q, traces = torch.tensor([0.5], dtype=torch.float64), torch.tensor([0.1], dtype=torch.float64), []
    offsets = torch.linspace(-3, 3, 61, dtype=torch.float64)
    for ratio in RATIOS:
        true = (p / q).log()
        least = _expected(true, p, q, ratio)
        excess = [float(_expected(true + offset, p, q, ratio) - least) for offset in offsets]
        traces.append(Trace(f"{ratio} generated for each true", offsets.tolist(), excess))
    caption = (
        "Expected loss above its minimum, at a place where true points are five times as likely as generated ones."
    )
    return Plot(
        "The minimum is at the true ratio", "log-ratio learned less the true one", "excess loss", traces, caption
    )
