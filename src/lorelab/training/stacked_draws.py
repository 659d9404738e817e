"""Dropout masks of stacked nets, from each member's own generator."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn


class Draws:
    """Dropout masks, drawn for each member as ``torch.nn.Dropout`` draws them for that member's run alone.

    PyTorch draws a mask on the CPU as ``bernoulli_(1 - p)`` over the layer's input, on a GPU in a kernel of its own
    that takes the default generator alone, and none at ``p = 0``.
    """

    def __init__(self, generators: Sequence[Generator], nets: Sequence[nn.Module]) -> None:
        self.generators = list(generators)
        layers = [[layer for layer in net.named_modules() if type(layer[1]) is nn.Dropout] for net in nets]
        self.rates: dict[str, list[float]] = {}
        """By the name of the dropout layer, one for each member."""
        for name, layer in itertools.chain(*layers):
            self.rates.setdefault(name, []).append(float(layer.p))
        self._row: Tensor | None = None

    def keep(self, rows: Sequence[int]) -> None:
        """Only these members draw on."""
        self.generators = [self.generators[row] for row in rows]
        self.rates = {name: [values[row] for row in rows] for name, values in self.rates.items()}

    @contextlib.contextmanager
    def of(self, row: Tensor) -> Iterator[None]:
        """Within, layers made by ``masked`` know for whom they draw: ``row`` is mapped over all members."""
        self._row = row
        try:
            yield
        finally:
            self._row = None

    def drop(self, name: str, x: Tensor) -> Tensor:
        """Within ``vmap`` and ``of``: one member's input of the layer ``name``."""
        assert self._row is not None
        return at_once(self._row, x, lambda whole: self.drop_all(name, whole))

    def drop_all(self, name: str, x: Tensor) -> Tensor:
        """All members' inputs ``(M, ...)`` of the layer ``name``."""
        rates = self.rates[name]
        if not any(rates):
            return x
        draw = _drawn_on_gpu if x.is_cuda else _drawn
        ones = torch.ones(x.shape[1:], dtype=x.dtype, device=x.device)
        mask = [draw(ones, *own) if own[0] > 0 else ones for own in zip(rates, self.generators, strict=True)]
        return x * torch.stack(mask)


def _drawn(ones: Tensor, rate: float, generator: Generator) -> Tensor:
    return torch.empty_like(ones).bernoulli_(1 - rate, generator=generator).div_(1 - rate)


def _drawn_on_gpu(ones: Tensor, rate: float, generator: Generator) -> Tensor:
    """With the default generator in the state of the member's own, which goes on from there."""
    default = torch.cuda.default_generators[ones.device.index]
    before = default.initial_seed(), default.get_offset()
    default.manual_seed(generator.initial_seed())
    default.set_offset(generator.get_offset())
    try:
        mask = nn.functional.dropout(ones, rate)
        generator.set_offset(default.get_offset())
    finally:
        default.manual_seed(before[0])
        default.set_offset(before[1])
    return mask


class _AllAtOnce(torch.autograd.Function):
    """Leaves ``vmap`` for a moment: hands a function the tensor of all members ``(M, ...)``."""

    @staticmethod
    def forward(*_: Any) -> Any:
        raise NotImplementedError("only within vmap")

    @staticmethod
    def setup_context(*_: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, row: Tensor, x: Tensor, function: Any) -> tuple[Tensor, int]:
        whole = x.expand(info.batch_size, *x.shape) if in_dims[1] is None else x.movedim(in_dims[1], 0)
        return function(whole), 0


def at_once(row: Tensor, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Within ``vmap``: hands ``function`` the ``x`` of all members ``(M, ...)``; ``row`` is mapped over them."""
    out: Tensor = _AllAtOnce.apply(row, x, function)
    return out


class _Dropped(nn.Module):
    """Stands where a dropout layer was."""

    def __init__(self, draws: Draws, name: str) -> None:
        super().__init__()
        self.draws, self.name = draws, name

    def forward(self, x: Tensor) -> Tensor:
        return self.draws.drop(self.name, x)


def masked(net: nn.Module, draws: Draws) -> nn.Module:
    """``net`` with every ``nn.Dropout`` replaced, in place, by one that draws from ``draws``."""
    for name in draws.rates:
        parent, _, child = name.rpartition(".")
        setattr(net.get_submodule(parent), child, _Dropped(draws, name))
    return net
