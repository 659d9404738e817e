"""Gradients of losses that are functions of the right class's probability."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from lorelab.identities.formats import in_both
from lorelab.studies.evidence import Evidence, Plot, Trace
from lorelab.tasks.likelihood import LOSSES, LossName

BATCH, CLASSES = 256, (2, 3, 10, 100)
LABELS: dict[LossName, str] = {"cross_entropy": "−log p", "one_minus_p": "1 − p", "one_minus_p_squared": "(1 − p)²"}
DAMPING: dict[LossName, Callable[[Tensor], Tensor]] = {
    "cross_entropy": torch.ones_like,
    "one_minus_p": lambda p: p,
    "one_minus_p_squared": lambda p: 2 * p * (1 - p),
}
"""The gradient with respect to the logits is this times (probabilities − one-hot label)."""


def loss_gradients(seed: int) -> Evidence:
    """With respect to the logits, the derivative of −log p is probabilities − label; that of 1 − p is p times it and
    that of (1 − p)² is 2p(1 − p) times it, so both vanish where the model is confidently wrong (p → 0). By automatic
    differentiation of the losses that ``task.loss`` trains with; the largest logits make p as small as 10⁻⁹."""
    wrong = 1e-3
    p = torch.tensor(wrong, dtype=torch.float64)
    numbers = {
        f"|∂loss/∂logit| of the right class at p = {wrong:g}, {LABELS[name]}": float(damping(p) * (1 - p))
        for name, damping in DAMPING.items()
    }
    return Evidence(in_both(_gradients, seed), numbers, [_plot(log=()), _plot(log=("x", "y"))])


def _gradients(dtype: torch.dtype, generator: Generator) -> list[Tensor]:
    found = []
    for classes in CLASSES:
        logits = 5 * torch.randn(BATCH, classes, dtype=dtype, generator=generator)
        labels = torch.randint(classes, (BATCH,), generator=generator)
        probabilities, right = logits.softmax(-1), F.one_hot(labels, classes).to(dtype)
        p = (probabilities * right).sum(-1, keepdim=True)
        for name, loss in LOSSES.items():
            variable = logits.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(loss(variable, labels).sum(), variable)
            found.append(gradient - DAMPING[name](p) * (probabilities - right))
    return found


def _plot(log: tuple[str, ...]) -> Plot:
    p = torch.logspace(-6, 0, 49, dtype=torch.float64)[:-1] if log else torch.linspace(0, 1, 41, dtype=torch.float64)
    traces = [Trace(LABELS[name], p.tolist(), (damping(p) * (1 - p)).tolist()) for name, damping in DAMPING.items()]
    title = "How strongly a mistake pulls" + (", both axes logarithmic" if log else "")
    caption = "Size of the derivative with respect to the right class's logit, against the probability it has."
    return Plot(title, "probability p of the right class", "size of the gradient", traces, caption, log)
