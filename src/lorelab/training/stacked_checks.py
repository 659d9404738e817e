"""Whether built runs can be trained as one: what must agree, and a trial of one batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor, nn

from lorelab.errors import LorelabError
from lorelab.records import Batch
from lorelab.seeds import derive_seed
from lorelab.training.keeper import LAST
from lorelab.training.learner import Learner, channels_last
from lorelab.training.stacked_callbacks import joins, why_not_together
from lorelab.training.stacked_loop import StackedLoop
from lorelab.training.stacked_optimizer import STACKABLE, is_decoupled
from lorelab.training.stacked_seat import Member
from lorelab.training.stacked_task import StackedTask

_LOSS, _GRADIENT = 1e-4, 1e-3


class Unstackable(LorelabError):  # noqa: N818  an answer, not a mishap
    """These runs cannot be trained as one; the message says why. None of them was started."""


_MUST_AGREE: dict[str, Callable[[Member], Any]] = {
    "the data's kind": lambda m: (m.data.splits.spec.input_kind, m.data.splits.spec.input_shape),
    "the number of training examples": lambda m: len(m.data.splits.train),
    "loader.batch_size": lambda m: m.data.batch_size,
    "the budget in steps": lambda m: m.total_steps,
    "trainer.accumulate_grad_batches": lambda m: m.settings.accumulate_grad_batches,
    "trainer.check_val_every_n_epoch": lambda m: m.settings.check_val_every_n_epoch,
    "trainer.val_check_interval": lambda m: m.settings.val_check_interval,
    "trainer.log_every_n_steps": lambda m: m.settings.log_every_n_steps,
    "trainer.gradient_clip_algorithm": lambda m: m.settings.gradient_clip_algorithm,
    "trainer.threads": lambda m: m.settings.cpu_threads,
    "the device": lambda m: m.device,
    "the task": lambda m: type(m.learner.task),
    "the net's layers": lambda m: _form(m.learner.net),
}


def why_not(members: Sequence[Member]) -> str | None:
    """Why these runs cannot be trained as one, in words; None if nothing speaks against it (but see ``trial``)."""
    for member in members:
        reason = _unfit(member)
        if reason:
            return f"{member.start.name}: {reason}"
    for what, of in _MUST_AGREE.items():
        if any(of(member) != of(members[0]) for member in members):
            return f"{what} differs"
    callbacks, nets = [member.callbacks for member in members], [member.learner.net for member in members]
    if reason := why_not_together(callbacks, nets):
        return reason
    kinds = {(type(optimizer), is_decoupled(optimizer)) for optimizer in map(_optimizer, members)}
    if len(kinds) > 1:
        return "the optimiser differs"
    try:
        StackedTask([member.learner.task for member in members], torch.device("cpu"))
    except ValueError as error:
        return str(error)
    return None


def _unfit(member: Member) -> str | None:
    """Why this run cannot be stacked with any other."""
    settings, learner, optimizer = member.settings, member.learner, _optimizer(member)
    foreign = [type(each).__name__ for each in member.callbacks if not _is_stackable(each)]
    kind = type(optimizer).__name__
    reasons = {
        f"trainer.precision={settings.precision}, only 32-true is stacked": settings.precision != "32-true",
        "reproducible=strict promises the bits of the run alone; stacked, sums are taken in another order": (
            settings.reproducible == "strict"
        ),
        "only CPUs and NVIDIA's GPUs are stacked on": (
            settings.accelerator == "mps" or (settings.accelerator == "auto" and torch.backends.mps.is_available())
        ),
        "it goes on from a checkpoint of a run alone": _has_checkpoint(member),
        f"its Learner is a {type(learner).__name__}, whose hooks a stack would not call": type(learner) is not Learner,
        f"{', '.join(foreign)} may act on a trainer, which a stack has not (if not, set `stackable = True` there)": (
            bool(foreign)
        ),
        f"optimiser {kind}, only SGD, Adam, AdamW and RMSprop with one parameter group are stacked": (
            type(optimizer) not in STACKABLE or len(optimizer.param_groups) != 1
        ),
        "its optimiser maximises": bool(optimizer.param_groups[0].get("maximize")),
        "parts of its net are frozen": not all(each.requires_grad for each in learner.net.parameters()),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _has_checkpoint(member: Member) -> bool:
    resumed, folder = member.start.resume, member.checkpoints
    return bool(resumed and folder and (folder / resumed / LAST).is_file())


def _is_stackable(callback: Callback) -> bool:
    return type(callback) is EarlyStopping or joins(callback) or bool(getattr(callback, "stackable", False))


def trial(loop: StackedLoop) -> str | None:
    """Compares loss and gradients of every member on its first batch with those of the member alone, and lets callbacks
    that act together begin.

    Leaves no trace: neither in the nets' statistics nor in what will be drawn. Returns what failed or differs.
    """
    net, members = loop.net, [seat.member for seat in loop.live]
    buffers = {name: value.clone() for name, value in net.buffers.items()}
    states = [generator.get_state() for generator in net.draws.generators]
    batches = next(iter(loop.batches.epoch(0)))
    own = [batches[source] for source in loop.batches.sources]
    batch, shared = loop.batches.joined(batches)
    try:
        alone = [_alone(member, batch) for member, batch in zip(members, own, strict=True)]
        losses = net.losses(loop.task, batch, shared=shared)
        gradients = net.gradients(losses)
        for each in loop.together:
            each.begin()
    except Exception as error:  # whatever a net or a loss does that cannot be mapped
        return f"net, loss or callback cannot be stacked: {(str(error) or type(error).__name__).splitlines()[0]}"
    finally:
        for name, value in buffers.items():
            net.buffers[name].copy_(value)
        for generator, state in zip(net.draws.generators, states, strict=True):
            generator.set_state(state)
    for row, (member, (loss, gradient)) in enumerate(zip(members, alone, strict=True)):
        apart = _apart(losses[row].detach(), loss), _apart(gradients[row], gradient)
        if apart[0] > _LOSS or apart[1] > _GRADIENT:
            return (
                f"{member.start.name}: on its first batch, loss and gradient are {apart[0]:.1e} and {apart[1]:.1e} "
                f"from those of the run alone, expected {_LOSS:.0e} and {_GRADIENT:.0e} at most"
            )
    return None


def _alone(member: Member, batch: Batch) -> tuple[Tensor, Tensor]:
    net, task = copy.deepcopy(member.learner.net).train(), copy.copy(member.learner.task)
    if member.device.type == "cpu":
        channels_last(net)  # as it trains alone: dropout may draw in the order of memory
    devices = [member.device] if member.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive_seed(member.seed, "training"))
        loss = task.loss(net, batch)
    found = torch.autograd.grad(loss, list(net.parameters()))
    return loss.detach(), torch.cat([part.flatten() for part in found])


def _apart(found: Tensor, expected: Tensor) -> float:
    """The distance as a share of what is expected; 0 where neither is finite, infinite where one is."""
    if not (found.isfinite().all() and expected.isfinite().all()):
        return 0.0 if found.isfinite().all() == expected.isfinite().all() else float("inf")
    return float((found - expected).norm() / (expected.norm() + 1e-6))


def _form(net: nn.Module) -> Any:
    """What decides whether two nets compute alike: classes, plain settings and shapes, apart from dropout's rates."""
    layers = []
    for name, module in net.named_modules():
        plain = {k: v for k, v in vars(module).items() if isinstance(v, int | float | str | tuple) and k != "training"}
        for rate in ("p", "dropout") if isinstance(module, nn.Dropout) else ():
            plain.pop(rate, None)
        layers.append((name, type(module), tuple(sorted(plain.items(), key=str))))
    tensors = [*net.named_parameters(), *net.named_buffers()]
    return layers, [(name, value.shape, value.dtype, value.requires_grad) for name, value in tensors]


def _optimizer(member: Member) -> torch.optim.Optimizer:
    return member.learner.make_optimizer(member.learner.net.parameters())
