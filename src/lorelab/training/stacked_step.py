"""Losses and gradients of a stack's step. On a GPU, which small nets leave waiting for Python, replayed."""

from __future__ import annotations

import os
import warnings

import torch
from torch import Tensor

from lorelab.records import Batch
from lorelab.training.stacked_net import StackedNet
from lorelab.training.stacked_task import StackedTask

VARIABLE = "LORELAB_CUDA_GRAPHS"
"""Set to 1, steps on a GPU are recorded. Not by default: it has not run on one yet."""
_STEPS_BEFORE = 3
"""Steps until one is recorded: the first pay for what is loaded lazily."""
_NONE = torch.Size([0])
"""Smaller than the shape of any batch."""


class RecordedStep:
    """Computes what an optimiser step of all members needs, from ``batches`` of them one after the other."""

    def __init__(self, net: StackedNet, task: StackedTask, batches: int = 1) -> None:
        self.net, self.task, self.batches = net, task, batches
        self._seen, self._shape = 0, _NONE
        self._recorded: _Recorded | None = None
        # Dropout draws from the members' own generators, which are no part of a recording.
        drops = any(map(any, net.draws.rates.values()))
        self._records = os.environ.get(VARIABLE) == "1" and net.device.type == "cuda" and not drops

    def __call__(self, batch: Batch, *, shared: bool) -> tuple[Tensor, Tensor]:
        """Losses ``(M,)`` of one of the batches and its part of the gradients ``(M, P)``, which the caller may change,
        and of a single batch holds no longer than until the next call. ``batch``: as ``StackedNet.losses`` takes it."""
        if batch.inputs.numel() > self._shape.numel():
            self._seen, self._shape, self._recorded = 0, batch.inputs.shape, None
        if batch.inputs.shape != self._shape:  # the last of an epoch is smaller
            return self.computed(batch, shared)
        self._seen += 1
        if self._records and self._recorded is None and self._seen > _STEPS_BEFORE:
            self._record(batch, shared)
        return self.computed(batch, shared) if self._recorded is None else self._recorded(batch)

    def computed(self, batch: Batch, shared: bool) -> tuple[Tensor, Tensor]:
        """The same, kernel by kernel."""
        losses = self.net.losses(self.task, batch, shared=shared)
        return losses.detach(), self.net.gradients(losses / self.batches)

    def keep(self) -> None:
        """The stack has shrunk: its tensors lie elsewhere."""
        self._seen, self._shape, self._recorded = 0, _NONE, None

    def _record(self, batch: Batch, shared: bool) -> None:
        try:
            self._recorded = _Recorded(self, batch, shared)
        except RuntimeError as error:  # whatever cannot be recorded: it waits for the GPU, say
            self._records = False
            reason = next(iter(str(error).splitlines()), "no reason given")
            warnings.warn(f"{VARIABLE}=1: the steps of this stack are not recorded: {reason}", stacklevel=2)


class _Recorded:
    """A CUDA graph of one step (Gray 2021, pytorch.org/blog/accelerating-pytorch-with-cuda-graphs)."""

    def __init__(self, step: RecordedStep, batch: Batch, shared: bool) -> None:
        self.batch = Batch(batch.inputs.clone(), batch.targets.clone())
        self.alone = step.batches == 1
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.losses, self.gradients = step.computed(self.batch, shared)

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        self.batch.inputs.copy_(batch.inputs)
        self.batch.targets.copy_(batch.targets)
        self.graph.replay()
        return self.losses.clone(), self.gradients if self.alone else self.gradients.clone()
