"""The members' optimisers as one step, with torch's own kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from lorelab.training.schedules import Constant, Schedule

STACKABLE = (SGD, Adam, AdamW, RMSprop)
"""Their change of a weight, weight decay apart, depends on that weight's gradients alone and is linear in the rate."""


class StackedOptimizer:
    """Steps of all members' parameters ``(M, P)``, each with its own rate, schedule, weight decay and all else.

    The stock optimiser runs at rate 1 on zeros, where it leaves minus its step; that is scaled by each member's rate.
    Weight decay is added before it: to the gradient (SGD, Adam, RMSprop) or to the weights (AdamW). Members whose other
    options agree share a parameter group, so those that agree should lie side by side (``options``).

    ``optimizers``: the members' own, with one parameter group each, as they were built; they are not stepped.
    """

    def __init__(
        self, optimizers: Sequence[Optimizer], schedules: Sequence[Schedule], total: int, flat: Tensor
    ) -> None:
        groups = [optimizer.param_groups[0] for optimizer in optimizers]
        self.total, self.schedules = total, list(schedules)
        self._decoupled = [is_decoupled(optimizer) for optimizer in optimizers]
        self._base = torch.tensor([[float(group["lr"])] for group in groups], dtype=torch.float64)
        self._decay = torch.tensor([[float(group["weight_decay"])] for group in groups], dtype=torch.float64)
        self._options = [options(optimizer) for optimizer in optimizers]
        self._kind = type(optimizers[0])
        self._state: list[dict[str, Any]] = []
        self._begin(len(groups), flat)

    def rates(self, step: int) -> Tensor:
        """Learning rates of optimiser step ``step`` (from 0), ``(M, 1)`` float64 on the CPU."""
        step = min(step, self.total - 1)
        factors = {
            schedule: 1.0 if isinstance(schedule, Constant) else schedule(step, self.total)
            for schedule in set(self.schedules)
        }
        if len(factors) == 1:
            return self._base * next(iter(factors.values()))
        return self._base * torch.tensor([[factors[schedule]] for schedule in self.schedules], dtype=torch.float64)

    @torch.no_grad()
    def step(self, flat: Tensor, gradients: Tensor, step: int) -> None:
        """Changes ``flat`` ``(M, P)`` in place; may change ``gradients``."""
        exact = self.rates(step)
        rates = exact.to(flat.device, flat.dtype)
        if self._decay.any():
            decay = self._decay.to(flat.device, flat.dtype)
            if self._decoupled[0]:
                flat.mul_((1 - exact * self._decay).to(flat.device, flat.dtype))
            else:
                gradients = gradients.addcmul_(flat, decay)
        self._change.zero_()
        for parameter, (first, last) in zip(self._parameters, self._ranges, strict=True):
            parameter.grad = gradients[first:last]
        self._torch.step()
        flat.addcmul_(self._change, rates)

    def keep(self, rows: Sequence[int], flat: Tensor) -> None:
        """Only these members go on, in ascending order; ``flat`` is their parameters."""
        states: list[tuple[Tensor, dict[str, Any]]] = []
        for parameter, (first, last) in zip(self._parameters, self._ranges, strict=True):
            kept = [row - first for row in rows if first <= row < last]
            if kept:
                states.append((torch.tensor(kept), self._torch.state[parameter]))
        self.schedules = [self.schedules[row] for row in rows]
        self._options = [self._options[row] for row in rows]
        self._base, self._decay = self._base[list(rows)], self._decay[list(rows)]
        self._begin(len(rows), flat)
        for parameter, (kept_rows, state) in zip(self._parameters, states, strict=True):
            for name, value in state.items():
                whole = isinstance(value, Tensor) and value.ndim == 2  # the rest, a count of steps, is common to all
                self._torch.state[parameter][name] = value[kept_rows.to(value.device)] if whole else value

    def _begin(self, members: int, flat: Tensor) -> None:
        self._change = torch.zeros_like(flat)
        self._ranges: list[tuple[int, int]] = []
        for _, rows in groupby(range(members), key=lambda row: repr(self._options[row])):
            found = list(rows)
            self._ranges.append((found[0], found[-1] + 1))
        self._parameters = [self._change[first:last] for first, last in self._ranges]
        neutral = {"lr": 1.0, "weight_decay": 0.0}
        groups = [
            {"params": [parameter], **self._options[first], **neutral}
            for parameter, (first, _) in zip(self._parameters, self._ranges, strict=True)
        ]
        self._torch: Optimizer = self._kind(groups, **neutral)  # type: ignore[arg-type]


def options(optimizer: Optimizer) -> Mapping[str, Any]:
    """All options but rate and weight decay."""
    apart = ("params", "lr", "weight_decay", "initial_lr")
    return {name: value for name, value in sorted(optimizer.param_groups[0].items()) if name not in apart}


def is_decoupled(optimizer: Optimizer) -> bool:
    """Whether weight decay shrinks the weights instead of joining the gradient."""
    return bool(optimizer.param_groups[0].get("decoupled_weight_decay", isinstance(optimizer, AdamW)))


def clip(gradients: Tensor, limits: Tensor, algorithm: str) -> Tensor:
    """Each member's gradient ``(M, P)`` cut to its limit ``(M, 1)`` (infinite: none), as Lightning cuts that of one:
    "norm" (``torch.nn.utils.clip_grad_norm_``) or "value"."""
    if algorithm == "value":
        return gradients.clamp(-limits, limits)
    norms = gradients.norm(dim=1, keepdim=True)
    return gradients * (limits / (norms + 1e-6)).clamp(max=1.0)
