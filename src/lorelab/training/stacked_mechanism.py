"""``Mechanism`` for all members of a stack at once."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from lorelab.data.loading import DataModule
from lorelab.training.mechanism import COSINE, SIGNS, Mechanism, heard
from lorelab.training.stacked_forward import forward_of
from lorelab.training.stacked_net import StackedNet


class StackedMechanism:
    """Measures what each of ``callbacks``, one a member, measures when its run is alone, in as many calls as for one.

    Numbers stay on the device, as tensors ``(M,)``, until ``settle``.
    """

    def __init__(self, callbacks: Sequence[Mechanism], net: StackedNet, data: Sequence[DataModule]) -> None:
        self.callbacks, self.net = list(callbacks), net
        self._template = copy.deepcopy(net.nets[0]).eval()
        self._forward = forward_of(self._template, draws=None)
        examples, splits = callbacks[0].examples, [module.held("train", net.device) for module in data]
        self._shared = all(split is splits[0] for split in splits)
        inputs = [split.inputs[:examples] for split in splits]
        self._inputs = inputs[0] if self._shared else torch.stack(inputs)
        self._sums = {name: torch.zeros(len(callbacks), device=net.device) for name in (SIGNS, COSINE)}
        self._counts = {SIGNS: 0, COSINE: 0}
        self._directions: Tensor | None = None
        self._signs: Tensor | None = None

    def begin(self) -> None:
        """Where the units are before the first step."""
        self._signs = self._signs_now()

    def before_step(self, gradients: Tensor) -> None:
        """The gradients beside those before, all of length 1 (or 0, as ``torch.cosine_similarity`` has it)."""
        directions = nn.functional.normalize(gradients, dim=1, eps=1e-8)
        if self._directions is not None:
            self._add(COSINE, (directions * self._directions).sum(1))
        self._directions = directions

    def after_step(self) -> None:
        """Which units changed sides."""
        assert self._signs is not None
        signs = self._signs_now()
        changed = (signs != self._signs).sum(1, dtype=torch.int32)  # a mean would make floats of them all first
        self._add(SIGNS, changed / signs.shape[1])
        self._signs = signs

    def settle(self) -> None:
        """Sums and counts so far."""
        sums = {name: total.cpu() for name, total in self._sums.items()}
        for row, callback in enumerate(self.callbacks):
            callback.take({name: total[row] for name, total in sums.items()}, self._counts)

    def keep(self, rows: Sequence[int]) -> None:
        """Only these members go on."""
        kept = torch.tensor(rows, device=self.net.device)
        self.callbacks = [self.callbacks[row] for row in rows]
        self._inputs = self._inputs if self._shared else self._inputs[kept]
        self._sums = {name: total[kept] for name, total in self._sums.items()}
        self._directions = None if self._directions is None else self._directions[kept]
        self._signs = None if self._signs is None else self._signs[kept]

    def _add(self, name: str, values: Tensor) -> None:
        self._sums[name] = self._sums[name] + values
        self._counts[name] += 1

    @torch.no_grad()
    def _signs_now(self) -> Tensor:
        """(M, units × examples) whether each pre-activation is above zero."""
        template, inputs = self._template, self._inputs
        if self._forward is not None:
            if self._shared:
                inputs = inputs.expand(len(self.callbacks), *inputs.shape)
            with heard(template, axes=1) as found:
                self._forward("forward", self.net.tensors, inputs)
            return torch.cat(found, dim=1)

        def one(tensors: dict[str, Tensor], inputs: Tensor) -> Tensor:
            with heard(template) as found:
                functional_call(template, tensors, (inputs,))
            return torch.cat(found)

        with sdpa_kernel(SDPBackend.MATH):  # as in training: the others are called member by member
            return vmap(one, in_dims=(0, None if self._shared else 0))(self.net.tensors, inputs)
