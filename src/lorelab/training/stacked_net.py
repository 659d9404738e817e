"""Many nets of one form as one: every tensor with a leading axis of members, each net a view of its row."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from lorelab.records import Batch
from lorelab.seeds import derive_seed
from lorelab.training.stacked_draws import Draws, at_once, masked
from lorelab.training.stacked_forward import Forward, forward_of
from lorelab.training.stacked_task import StackedTask


class StackedNet:
    """The members' nets over one block of memory ``(M, P)``: row ``i`` holds all parameters of member ``i``.

    The nets given become views of it: reading one of them, or its ``state_dict``, shows what training made of it.
    ``seeds``: of each member's run; its dropout masks are those that the run draws when it is trained alone.
    """

    def __init__(self, nets: Sequence[nn.Module], seeds: Sequence[int]) -> None:
        self.nets = list(nets)
        self.device = next(nets[0].parameters()).device
        self.names = [name for name, _ in nets[0].named_parameters()]
        self.shapes = [parameter.shape for parameter in nets[0].parameters()]
        rows = [torch.cat([each.detach().flatten() for each in net.parameters()]) for net in nets]
        self.flat = torch.stack(rows)
        self.buffers = {
            name: torch.stack([dict(net.named_buffers())[name] for net in nets]) for name, _ in nets[0].named_buffers()
        }
        generators = [Generator(self.device).manual_seed(derive_seed(seed, "training")) for seed in seeds]
        self.draws = Draws(generators, nets)
        template = copy.deepcopy(nets[0]).train()
        self._forward: Forward | None = forward_of(template, self.draws)
        self._called = _Called(masked(template, self.draws))
        self._bind()

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All parameters and buffers by name, each ``(M, ...)``."""
        return dict(zip(self.names, self.leaves, strict=True)) | self.buffers

    def losses(self, task: StackedTask, batch: Batch, *, shared: bool) -> Tensor:
        """Training loss of every member, ``(M,)``, ready for ``gradients``; draws dropout masks and updates the
        running statistics. ``batch``: the members' own, ``(M, B, ...)``, or one for all if ``shared``."""
        if self._forward is not None and task.each is not None:
            inputs, targets = batch
            if shared:
                inputs, targets = (whole.expand(len(self.nets), *whole.shape) for whole in (inputs, targets))
            return task.means(self._forward("forward", self.tensors, inputs), targets)
        mapped = {} if self._forward else self.tensors

        def one(row: Tensor, tensors: Any, constants: Any, inputs: Tensor, targets: Tensor) -> Tensor:
            net = _Member(self, row, tensors)
            return task.with_constants(constants).loss(net, Batch(inputs, targets))

        data = None if shared else 0
        rows = torch.arange(len(self.nets), device=self.device)
        with sdpa_kernel(SDPBackend.MATH):  # the others are not mapped, but called member by member
            return vmap(one, in_dims=(0, 0, 0, data, data))(rows, mapped, task.constants, batch.inputs, batch.targets)

    def gradients(self, losses: Tensor) -> Tensor:
        """Of each member's loss by its own parameters, ``(M, P)``."""
        found = torch.autograd.grad(losses.sum(), self.leaves)
        return torch.cat([part.reshape(len(self.nets), -1) for part in found], dim=1)

    def keep(self, rows: Sequence[int]) -> None:
        """Only these members go on, in this order; the nets of the others keep the weights that they have."""
        for row in set(range(len(self.nets))) - set(rows):
            for tensor in (*self.nets[row].parameters(), *self.nets[row].buffers()):
                tensor.data = tensor.data.clone()
        kept = torch.tensor(rows, device=self.device)
        self.nets = [self.nets[row] for row in rows]
        self.flat = self.flat[kept]
        self.buffers = {name: value[kept] for name, value in self.buffers.items()}
        self.draws.keep(rows)
        self._bind()

    def _bind(self) -> None:
        sizes = [shape.numel() for shape in self.shapes]
        parts = self.flat.split(sizes, dim=1)
        views = [
            part.unflatten(1, shape) if shape else part[:, 0] for part, shape in zip(parts, self.shapes, strict=True)
        ]
        self.leaves = [view.detach().requires_grad_() for view in views]
        for row, net in enumerate(self.nets):
            for parameter, view in zip(net.parameters(), views, strict=True):
                parameter.data = view[row]
            for name, buffer in net.named_buffers():
                buffer.data = self.buffers[name][row]


class _Called(nn.Module):
    """So that ``functional_call`` reaches other methods than ``forward``, too."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, method: str, inputs: Tensor) -> Tensor:
        out: Tensor = getattr(self.net, method)(inputs)
        return out


class _Member:
    """What a task takes for its net: one member's, within ``vmap``."""

    def __init__(self, stack: StackedNet, row: Tensor, tensors: Mapping[str, Tensor]) -> None:
        self.stack, self.row, self.tensors = stack, row, tensors

    def __call__(self, inputs: Tensor) -> Tensor:
        return self._run("forward", inputs)

    def features(self, inputs: Tensor) -> Tensor:
        return self._run("features", inputs)

    def _run(self, method: str, inputs: Tensor) -> Tensor:
        stack = self.stack
        if stack._forward is not None:
            forward = stack._forward
            return at_once(self.row, inputs, lambda whole: forward(method, stack.tensors, whole))
        with stack.draws.of(self.row):
            named = {f"net.{name}": value for name, value in self.tensors.items()}
            out: Tensor = functional_call(stack._called, named, (method, inputs))
        return out
