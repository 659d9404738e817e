"""The one LightningModule, for every task kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lorelab.records import Batch
from lorelab.tasks.protocol import Beginner, Illustrator, Judge, Plotter, Stage, Task
from lorelab.training.best import Best
from lorelab.training.evaluation import Evaluation
from lorelab.training.schedules import Constant, Schedule

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
Report = Callable[[Mapping[str, float], int], None]
"""Takes points (metric → value) at an optimiser step."""


class Diverged(Exception):  # noqa: N818  a result, not an error
    """A loss or the monitored metric is NaN or infinite."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"{what} at step {step}")
        self.step = step


class Learner(LightningModule):
    """Trains ``net`` on ``task``: built objects in, points out through ``report``.

    Nothing is logged per step: losses stay tensors on the device and are read every ``log_every_n_steps`` batches and
    at the end of each epoch, where a NaN or infinity ends the run as ``Diverged`` with the step that had it first.
    """

    def __init__(
        self,
        net: nn.Module,
        task: Task,
        optimizer: OptimizerFactory,
        schedule: Schedule | None = None,
        class_names: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.net: Any = net  # an nn.Module that is a ``Net``
        self.task = task
        self.make_optimizer = optimizer
        self.schedule = schedule or Constant()
        self.class_names = class_names
        self.best = Best()
        if isinstance(task, Beginner):
            task.begin(net)
        self._illustrator = task if isinstance(task, Illustrator) else None
        self._plotter = task if isinstance(task, Plotter) else None
        self._judge = task if isinstance(task, Judge) else None
        self.report: Report = lambda _points, _step: None
        self.publish: Callable[[], None] = lambda: None
        """Called when ``folder`` has new files."""
        self.log_every_n_steps = 50
        self.folder: Path | None = None
        self.evaluated_at = -1
        self.test_metrics: dict[str, float] = {}
        self._losses: list[Tensor] = []
        self._epoch_start = self._batches_read = 0
        self.evaluation = Evaluation(task, class_names)

    def __setattr__(self, name: str, value: Any) -> None:
        """Past ``nn.Module``'s search for parameters: Lightning sets this attribute 40 times a step."""
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def _on_before_batch_transfer(self, batch: Batch, dataloader_idx: int = 0) -> Batch:
        return batch  # batches come on the device and augmented; the hooks alone cost a tenth of a small net's step

    def _apply_batch_transfer_handler(
        self, batch: Batch, device: torch.device | None = None, dataloader_idx: int = 0
    ) -> Batch:
        return batch

    def configure_optimizers(self) -> Any:
        """The factory's optimiser; schedules other than constant as a factor on its rate, step by step."""
        if self.device.type == "cpu":
            channels_last(self.net)
        optimizer = self.make_optimizer(self.net.parameters())
        if isinstance(self.schedule, Constant):
            return optimizer
        total = int(self.trainer.estimated_stepping_batches)
        schedule = self.schedule
        # The last call comes after the last step: clamp, so that no schedule is asked beyond its budget.
        scheduler = LambdaLR(optimizer, lambda step: schedule(min(step, total - 1), total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """Mean loss of the batch."""
        loss = self.task.loss(self.net, batch)
        self._losses.append(loss.detach())
        if len(self._losses) >= self.log_every_n_steps:
            self._read_losses()
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what is not in ``state_dict``: the best so far and the losses not read yet."""
        losses = torch.stack(self._losses).float().cpu() if self._losses else torch.zeros(0)
        checkpoint["learner"] = {
            "best": vars(self.best),
            "evaluated_at": self.evaluated_at,
            "losses": losses,
            "epoch_start": self._epoch_start,
            "batches_read": self._batches_read,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes it back."""
        state = checkpoint["learner"]
        self.best = Best(**state["best"])
        self.evaluated_at = state["evaluated_at"]
        self._losses = list(state["losses"].unbind())
        self._epoch_start, self._batches_read = state["epoch_start"], state["batches_read"]

    def on_train_start(self) -> None:
        """Losses of an interrupted run follow the net to its device, and its optimiser's state the weights' layout."""
        for optimizer in self.trainer.optimizers:
            for weight, state in optimizer.state.items():
                for name, value in state.items():
                    if isinstance(value, Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                        state[name] = torch.empty_like(weight).copy_(value)  # fused steps take them side by side
        self._losses = [loss.to(self.device) for loss in self._losses]

    def on_train_epoch_start(self) -> None:
        """Windows never span epochs."""
        self._epoch_start, self._batches_read = self.global_step, 0

    def on_train_epoch_end(self) -> None:
        """Reads what is left of the epoch."""
        self._read_losses()

    def on_validation_epoch_start(self) -> None:
        """Reads the training losses first, so that a diverged run stops before it is evaluated."""
        self._read_losses()
        self.evaluation.begin(self.device)

    def on_test_epoch_start(self) -> None:
        """Fresh metrics."""
        data: Any = self.trainer.datamodule
        wanted = self.folder is not None and data.fits("test")
        self.evaluation.begin(self.device, self._plotter if wanted else None)

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Updates the metrics."""
        self.evaluation.add(self.net, batch)

    def test_step(self, batch: Batch, _index: int) -> None:
        """Updates the metrics."""
        self.evaluation.add(self.net, batch)

    def on_validation_epoch_end(self) -> None:
        """Reports ``val/...``, offers the weights to ``best`` and tells Lightning's callbacks."""
        scalars, _ = self.evaluation.result("val")
        step = self.global_step
        if not math.isfinite(scalars["val/loss"]):  # before a judge or a picture stumbles over it
            self.report(scalars, step)
            raise Diverged(step, f"val/loss is {scalars['val/loss']}")
        scalars |= self._judged("val")
        self.evaluated_at = step
        self.report(scalars, step)
        score = scalars.get(self.task.monitor)
        if score is None:
            raise KeyError(f"the task monitors '{self.task.monitor}', but its metrics are {sorted(scalars)}")
        if not math.isfinite(score):
            raise Diverged(step, f"{self.task.monitor} is {score}")
        self.best.offer(score, step, self.net, self.task.mode)
        # What `log_dict` ends in, at a tenth of its cost: callbacks find here what they monitor.
        self.trainer.callback_metrics.update({name: torch.tensor(value) for name, value in scalars.items()})

    def on_test_epoch_end(self) -> None:
        """Keeps ``test/...``, one value per class included."""
        scalars, per_class = self.evaluation.result("test")
        if self.folder is not None and self.evaluation.plot(self.folder):
            self.publish()
        self.test_metrics = scalars | per_class | self._judged("test")

    def _judged(self, stage: Stage) -> dict[str, float]:
        """What only the whole splits can tell, and the files that show it.

        A set that is streamed is not brought into memory for a picture, but a judge must have it.
        """
        data: Any = self.trainer.datamodule
        if self._illustrator is not None and self.folder is not None and data.fits(stage):
            self._illustrator.illustrate(self.net, self._whole(stage), stage, self.global_step, self.folder)
            self.publish()
        if self._judge is None:
            return {}
        found = self._judge.judge(self.net, self._whole("train"), self._whole(stage), stage)
        return {f"{stage}/{name}": value for name, value in found.items()}

    def _read_losses(self) -> None:
        if not self._losses:
            return
        values = torch.stack(self._losses).float().tolist()
        self._losses.clear()
        self.note_losses(values)

    def note_losses(self, values: Sequence[float]) -> None:
        """Reports the mean of the next batches' losses, at the step they reach; or ``Diverged`` at the first that is
        not finite."""
        # Counted in batches: `global_step` lags while a batch is still under way.
        per_step, first = self.trainer.accumulate_grad_batches, self._batches_read
        self._batches_read += len(values)
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        bad = next((index for index, value in enumerate(values) if not math.isfinite(value)), None)
        if bad is not None:
            step = self._epoch_start + (first + bad) // per_step
            self.report({"train/loss": values[bad], "lr": rate}, step)
            raise Diverged(step, f"train/loss is {values[bad]}")
        step = self._epoch_start + math.ceil(self._batches_read / per_step)
        self.report({"train/loss": sum(values) / len(values), "lr": rate}, step)

    def _whole(self, split: str) -> Batch:
        """In the precision of the net, as Lightning converts the batches of a step."""
        held = self.trainer.datamodule.held(split)
        whole: Batch = self.trainer.precision_plugin.convert_input(Batch(held.inputs, held.targets))
        return whole


def channels_last(net: nn.Module) -> None:
    """Lays the filters of convolutions out with their channels last, and so all that passes them: on a CPU, a step then
    takes 0.7 of the time (``benchmarks.options``)."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)
