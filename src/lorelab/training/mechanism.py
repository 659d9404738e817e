"""What a step does to the units and to the gradient: measured while a run trains, without changing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

if TYPE_CHECKING:
    from lorelab.data.loading import DataModule
    from lorelab.training.stacked_callbacks import Together
    from lorelab.training.stacked_net import StackedNet

SIGNS, COSINE = "mechanism/sign_changes", "mechanism/gradient_cosine"


class Mechanism(Callback):
    """Reports two means over the steps so far, at each evaluation:

    - ``mechanism/sign_changes``, in [0, 1]: the share of units × examples (× positions) whose pre-activation, the input
      of a module called ``activation``, is above zero before a step and not after it, or the reverse. On the first
      ``examples`` of the training split, unaugmented, in eval mode.
    - ``mechanism/gradient_cosine``, in [−1, 1]: the cosine between the gradients of two successive steps, each of its
      own batch, before clipping. Steps whose gradient is zero count as 0.

    A step costs one more forward pass over the examples. Draws no random numbers. Members of a stack measure together
    (``StackedMechanism``).

    Raises:
        ValueError: ``examples`` is below 1, or the net has no module called ``activation``.
    """

    def __init__(self, examples: int = 256) -> None:
        if examples < 1:
            raise ValueError(f"Mechanism: examples={examples}, expected at least 1")
        self.examples = examples
        self._sums = {SIGNS: torch.zeros(()), COSINE: torch.zeros(())}
        self._counts = {SIGNS: 0, COSINE: 0}
        self._gradient: Tensor | None = None
        self._signs: Tensor | None = None
        self._step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Where the units are before the first step."""
        if reason := _unheard(pl_module.net):
            raise ValueError(reason)
        self._signs, self._step = self._signs_of(trainer, pl_module), trainer.global_step

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """The gradient beside the one before."""
        parts = [p.grad.flatten() for p in pl_module.net.parameters() if p.grad is not None]
        gradient = torch.cat(parts).float()
        if self._gradient is not None:
            self._add(COSINE, torch.cosine_similarity(gradient, self._gradient.to(gradient.device), dim=0))
        self._gradient = gradient

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Which units changed sides, if a step was taken (gradients may be accumulated)."""
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        signs = self._signs_of(trainer, pl_module)
        assert self._signs is not None
        self._add(SIGNS, (signs != self._signs).float().mean())
        self._signs = signs

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reports what there is."""
        found = {name: float(self._sums[name]) / count for name, count in self._counts.items() if count}
        if found:
            pl_module.report(found, pl_module.global_step)

    def state_dict(self) -> dict[str, Any]:
        """Sums, counts and the last gradient, so that an interrupted run goes on as if it had not been."""
        sums = {name: total.cpu() for name, total in self._sums.items()}
        gradient = torch.zeros(0) if self._gradient is None else self._gradient.cpu()
        return {"sums": sums, "counts": dict(self._counts), "gradient": gradient}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes it back."""
        self._sums, self._counts = dict(state_dict["sums"]), dict(state_dict["counts"])
        self._gradient = state_dict["gradient"] if len(state_dict["gradient"]) else None

    @classmethod
    def why_not_together(cls, callbacks: Sequence[Self], nets: Sequence[nn.Module]) -> str | None:
        """They must ask about as many examples."""
        if len({callback.examples for callback in callbacks}) > 1:
            return "Mechanism's examples differ"
        return next((reason for net in nets if (reason := _unheard(net))), None)

    @classmethod
    def together(cls, callbacks: Sequence[Self], net: StackedNet, data: Sequence[DataModule]) -> Together:
        """All members' at once."""
        from lorelab.training.stacked_mechanism import StackedMechanism  # which imports this module

        return StackedMechanism(callbacks, net, data)

    def take(self, sums: Mapping[str, Tensor], counts: Mapping[str, int]) -> None:
        """What was measured so far, where it was measured for this run among others."""
        self._sums, self._counts = dict(sums), dict(counts)

    def _add(self, name: str, value: Tensor) -> None:
        """On the device: reading a number would make a GPU wait."""
        self._sums[name] = self._sums[name].to(value.device) + value
        self._counts[name] += 1

    @torch.no_grad()
    def _signs_of(self, trainer: Trainer, learner: LightningModule) -> Tensor:
        """(units × examples,) whether each pre-activation is above zero."""
        inputs = trainer.datamodule.held("train").inputs[: self.examples]
        if inputs.is_floating_point():
            inputs = trainer.precision_plugin.convert_input(inputs)
        net, mode = learner.net, learner.net.training
        with heard(net) as found:
            net.eval()
            with trainer.precision_plugin.forward_context():
                net(inputs.to(learner.device))
            net.train(mode)
        return torch.cat(found)


def _unheard(net: nn.Module) -> str | None:
    if _activations(net):
        return None
    return f"Mechanism: {type(net).__name__} has no module called activation; use another net, or callbacks=none"


def _activations(net: nn.Module) -> list[nn.Module]:
    """One that several layers share is there once and is heard once a layer."""
    return [module for name, module in net.named_modules() if name.rpartition(".")[2] == "activation"]


@contextmanager
def heard(net: nn.Module, axes: int = 0) -> Iterator[list[Tensor]]:
    """Within, a forward pass of ``net`` adds, layer by layer, whether the pre-activations are above zero; flat but for
    the first ``axes``."""
    found: list[Tensor] = []

    def hear(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append((inputs[0] > 0).flatten(axes))

    handles = [module.register_forward_pre_hook(hear) for module in _activations(net)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
