"""How much memory one member of a stack needs, measured, and how many of them fit."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lorelab.heap import give_back
from lorelab.training.no_trace import no_trace
from lorelab.training.stacked import Member
from lorelab.training.stacked_callbacks import joins
from lorelab.training.stacked_forward import forward_of

_COPIES = 6
"""Times a member's parameters are held, beside the optimiser's state: weights, gradients by tensor and in one piece,
the step, the best so far, and one more that comes and goes while they are computed."""
_WORKING = 2
"""Times what a loss keeps for its gradients: once kept, once as gradients on the way back."""
_SHARE = 0.5
"""Of the memory that is free, unless the user says how much."""


def footprint(member: Member) -> int:
    """Bytes that ``member`` needs within a stack: its parameters as often as they are held, the state of its optimiser
    and what its loss keeps for one batch, and patches where a stack writes convolutions out. Measured in one step of a
    copy; leaves no trace. A callback that acts at every step is taken to hold the parameters once more, and as much as
    a loss would keep of its ``examples``."""
    with no_trace():
        net, task = copy.deepcopy(member.learner.net).to(member.device).train(), copy.copy(member.learner.task)
        parameters = list(net.parameters())
        batch = next(iter(copy.copy(member.data).train_dataloader()))
        batch = type(batch)(*(part.to(member.device) for part in batch))
        own = {part.untyped_storage().data_ptr() for part in parameters}
        kept: dict[int, int] = {}

        def keep(part: Tensor) -> Tensor:
            storage = part.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return part

        patches: list[int] = []
        unfolded = [each for each in net.modules() if isinstance(each, nn.Conv2d)] if forward_of(net, None) else []
        hooks = [
            each.register_forward_pre_hook(lambda _, given: patches.append(9 * _bytes(given[0]))) for each in unfolded
        ]
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda part: part):
            loss = task.loss(net, batch)
        for hook in hooks:
            hook.remove()
        optimizer = member.learner.make_optimizer(parameters)
        loss.backward()
        optimizer.step()
        state = sum(_bytes(part) for each in optimizer.state.values() for part in _tensors(each))
        served = sum(_bytes(part) for part in batch)
        weights, working = sum(map(_bytes, parameters)), sum(kept.values()) + sum(patches)
        examples = [getattr(each, "examples", len(batch.inputs)) for each in member.callbacks if joins(each)]
        beside = sum(weights + working * count // len(batch.inputs) for count in examples)
        return _COPIES * weights + state + _WORKING * working + served + beside


def budget(memory_gb: float | None, device: torch.device) -> int:
    """Bytes that stacks may take on ``device``: ``memory_gb`` (10⁹ bytes), or half of what is free now."""
    if memory_gb is not None:
        return int(memory_gb * 1e9)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(_SHARE * free)
    import psutil

    give_back()
    return int(_SHARE * psutil.virtual_memory().available)


def stack_size(members: int, each: int, memory: int) -> int:
    """How many of ``members``, of ``each`` bytes, to train at once: as few stacks as ``memory`` allows, of about the
    same size. 1 if two do not fit."""
    most = max(1, memory // max(1, each))
    return math.ceil(members / math.ceil(members / most))


def _tensors(state: dict[str, object]) -> Iterator[Tensor]:
    return (value for value in state.values() if isinstance(value, Tensor))


def _bytes(part: Tensor) -> int:
    return part.numel() * part.element_size()
