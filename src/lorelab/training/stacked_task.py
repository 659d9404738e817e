"""One task for many members whose losses differ in constants alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lorelab.tasks.protocol import PerExample, Scorer, Task


class StackedTask:
    """The members' tasks as one. Numbers in which they differ are tensors ``(M,)`` here, and ``()`` to a task's loss;
    tensors get an axis in front. ``ValueError`` names what differs and is neither."""

    def __init__(self, tasks: Sequence[Task], device: torch.device) -> None:
        self.first = tasks[0]
        self.constants = {
            name: value.to(device)
            for name, value in _differing([getattr(task, "__dict__", {}) for task in tasks]).items()
        }
        first, equal = self.first, not self.constants
        self.each = first.each if equal and isinstance(first, PerExample) and _is_own(first, "each", "loss") else None
        """Losses of single examples or positions, where members differ in nothing: these need no ``vmap``."""
        scores = first.scores if isinstance(first, Scorer) and all(alike(task, first) for task in tasks) else None
        self.scores = scores if scores and _is_own(first, "scores", "evaluate", "metrics") else None
        """Metrics of all members at once, where they are all the same to the last object."""

    def means(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Losses ``(M,)`` of all members from their outputs and targets ``(M, B, ...)``, where there is ``each``."""
        assert self.each is not None
        return self.each(outputs.flatten(0, 1), targets.flatten(0, 1)).view(len(outputs), -1).mean(1)

    def with_constants(self, constants: Mapping[str, Tensor]) -> Task:
        """The task of one member: a shallow copy, with its own constants."""
        if not constants:
            return self.first
        mine = copy.copy(self.first)
        vars(mine).update(constants)
        return mine

    def keep(self, rows: Sequence[int]) -> None:
        """Only these members go on."""
        self.constants = {name: value[list(rows)] for name, value in self.constants.items()}


def _is_own(task: Task, name: str, *of: str) -> bool:
    """Whether no subclass has other methods ``of`` which ``name`` speaks than the class that has ``name``."""
    speaks, *spoken = (next(kind for kind in type(task).__mro__ if each in vars(kind)) for each in (name, *of))
    return all(issubclass(speaks, kind) for kind in spoken)


def _differing(attributes: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name in attributes[0]:
        values: list[Any] = [each.get(name) for each in attributes]
        if all(alike(value, values[0]) for value in values):
            continue
        if all(type(value) in (int, float) for value in values):
            found[name] = torch.tensor([float(value) for value in values])
        elif all(isinstance(value, Tensor) and value.shape == values[0].shape for value in values):
            found[name] = torch.stack(values)
        elif any(isinstance(value, str | bool | tuple | list | Tensor | None) for value in values):
            raise ValueError(f"the task's {name} differs, and is neither a number nor a tensor of one shape")
        # other objects (a copy of the net as it began, a density to judge by) are each member's own
    return found


def alike(one: Any, other: Any) -> bool:
    """Whether two parts built from configs are certainly the same: equal values, or objects of one class that are alike
    in all they hold."""
    if one is other or type(one) is not type(other):
        return one is other
    if isinstance(one, Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(alike(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, str | int | float | frozenset | set):
        return bool(one == other)
    mine, its = getattr(one, "__dict__", None), getattr(other, "__dict__", None)
    return bool(mine) and alike(mine, its)
