"""Callbacks that act at every step: how they do it for all members of a stack at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self, runtime_checkable

from pytorch_lightning import Callback
from torch import Tensor, nn

from lorelab.data.loading import DataModule
from lorelab.training.stacked_net import StackedNet


class Together(Protocol):
    """What the members' callbacks of one kind do at a step, done at once for all of them.

    A stack calls it where Lightning would call three hooks of each callback; their other hooks are called on the
    callbacks themselves, member by member.
    """

    def begin(self) -> None:
        """In place of ``on_train_start``: before the first step. May be called twice."""
        ...

    def before_step(self, gradients: Tensor) -> None:
        """In place of ``on_before_optimizer_step``: those of the step ``(M, P)``, before they are clipped. Not to be
        kept or changed: the optimiser works in their memory."""
        ...

    def after_step(self) -> None:
        """In place of ``on_train_batch_end``, where the batch was the last of a step."""
        ...

    def settle(self) -> None:
        """Before members are evaluated: each callback gets what it knows when its run is alone."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Only these members go on; called after ``StackedNet.keep``."""
        ...


@runtime_checkable
class Joining(Protocol):
    """A callback whose class knows how to act together. Subclasses, which may act otherwise, must say so anew."""

    @classmethod
    def why_not_together(cls, callbacks: Sequence[Self], nets: Sequence[nn.Module]) -> str | None:
        """Why these, one a member, cannot act together on these nets; None if nothing speaks against it."""
        ...

    @classmethod
    def together(cls, callbacks: Sequence[Self], net: StackedNet, data: Sequence[DataModule]) -> Together:
        """``callbacks`` and ``data``: one a member."""
        ...


def joins(callback: Callback) -> bool:
    """Whether it acts together with those of other members."""
    return isinstance(callback, Joining) and "together" in vars(type(callback))


def why_not_together(callbacks: Sequence[Sequence[Callback]], nets: Sequence[nn.Module]) -> str | None:
    """Why the members' callbacks of every step cannot act together, in words."""
    kinds = [[type(each) for each in own if joins(each)] for own in callbacks]
    for other in kinds:
        if other != kinds[0]:
            one, two = (", ".join(kind.__name__ for kind in own) or "none" for own in (kinds[0], other))
            return f"the callbacks of every step differ: {one} and {two}"
    reasons = (type(each[0]).why_not_together(each, nets) for each in _columns(callbacks))
    return next((reason for reason in reasons if reason), None)


def together(callbacks: Sequence[Sequence[Callback]], net: StackedNet, data: Sequence[DataModule]) -> list[Together]:
    """Of the members' callbacks, those that act together."""
    return [type(each[0]).together(each, net, data) for each in _columns(callbacks)]


def _columns(callbacks: Sequence[Sequence[Callback]]) -> list[Sequence[Any]]:
    """One callback of each member, of one kind."""
    return list(zip(*([each for each in own if joins(each)] for own in callbacks), strict=True))
