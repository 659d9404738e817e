"""The training loop of a stack: Lightning's, for many members in step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from lorelab.records import Batch, RunRecord
from lorelab.training.interrupts import Signals
from lorelab.training.progress import ProgressLine
from lorelab.training.stacked_batches import StackedBatches
from lorelab.training.stacked_callbacks import together
from lorelab.training.stacked_evaluation import scores
from lorelab.training.stacked_net import StackedNet
from lorelab.training.stacked_optimizer import StackedOptimizer, clip
from lorelab.training.stacked_seat import Seat
from lorelab.training.stacked_step import RecordedStep
from lorelab.training.stacked_task import StackedTask


class StackedLoop:
    """Trains the members in ``seats`` until each has spent its budget, diverged, failed or was stopped by a callback.

    Whoever ends leaves at once, closed in its store, and the stack shrinks. ``records``: of those that have left, by
    seat. An exception of one member's evaluation or callbacks is that member's end and not the others'.
    """

    def __init__(self, seats: Sequence[Seat], signals: Signals, progress: ProgressLine) -> None:
        self.live, self.signals = list(seats), signals
        self.records: dict[Seat, RunRecord] = {}
        self.errors: list[Exception] = []
        self.settings, self.progress = seats[0].member.settings, progress
        learners = [seat.learner for seat in seats]
        self.net = StackedNet([learner.net for learner in learners], [seat.member.seed for seat in seats])
        self.task = StackedTask([learner.task for learner in learners], self.net.device)
        self.batches = StackedBatches([seat.member.data for seat in seats])
        self.gradient = RecordedStep(self.net, self.task, self.settings.accumulate_grad_batches)
        self.total, self.step, self.epoch = seats[0].member.total_steps, 0, 0
        self.optimizer = self._made_optimizer()
        callbacks, data = [seat.trainer.callbacks for seat in seats], [seat.member.data for seat in seats]
        self.together = together(callbacks, self.net, data)
        limits = [seat.member.settings.gradient_clip_val for seat in seats]
        self._limits = torch.tensor([[float("inf") if limit is None else limit] for limit in limits])
        self._gradients: Tensor | None = None
        self._losses: list[Tensor] = []
        self._clock = time.perf_counter()

    def run(self) -> None:
        """From the first step to the last member's end."""
        self._clock = time.perf_counter()
        self._each(Seat.prepare)
        if not self.live:
            return
        self.optimizer = self._made_optimizer()  # callbacks may have changed what it is made from
        for each in self.together:
            each.begin()
        self._each(Seat.begin)
        while self.live:
            self._train_epoch()
            self.epoch += 1

    def _made_optimizer(self) -> StackedOptimizer:
        learners = [seat.learner for seat in self.live]
        made = [learner.make_optimizer(learner.net.parameters()) for learner in learners]
        return StackedOptimizer(made, [learner.schedule for learner in learners], self.total, self.net.flat)

    def charge(self, seats: Sequence[Seat]) -> None:
        """Shares the time since the last call equally among ``seats``."""
        now = time.perf_counter()
        for seat in seats:
            seat.share += (now - self._clock) / len(seats)
        self._clock = now

    def close(self, seat: Seat) -> None:
        """Closes the member's run, whole: a signal waits for it, and for all that are closed with it. What went wrong
        with that is in ``errors``."""
        self.signals.held = True
        try:
            self.records[seat] = seat.close(self.signals, among=len(self.net.nets))
        except Exception as error:
            assert seat.run is not None
            self.records[seat] = seat.run.record
            self.errors.append(error)
        self.charge([seat])

    def _train_epoch(self) -> None:
        self._each(lambda seat: seat.begin_epoch(self.epoch))
        for index, batches in enumerate(self.batches.epoch(self.epoch)):
            if not self.live:
                return
            last = index + 1 == len(self.batches)
            self._train_batch(batches, steps=last or (index + 1) % self.settings.accumulate_grad_batches == 0)
            if self._evaluates(last):
                self._read_losses()
                self._settle()
                self._each(Seat.begin_validation)
                found = scores(self.task, self.live)
                self._each(lambda seat: seat.validate(found.get(seat)))  # noqa: B023  called now
                if not last and self.step < self.total:
                    self._finish([seat for seat in self.live if seat.trainer.should_stop], within=True)
            if self.step == self.total:
                break
        self._read_losses()
        self._each(Seat.end_epoch)
        self._finish([seat for seat in self.live if self.step == self.total or seat.trainer.should_stop])

    def _train_batch(self, batches: Sequence[Batch], *, steps: bool) -> None:
        batch, shared = self.batches.joined(batches)
        losses, found = self.gradient(batch, shared=shared)
        self._losses.append(losses)
        for seat in self.live:
            seat.trainer.batches += 1
        leaving: list[int] = []
        if len(self._losses) >= self.settings.log_every_n_steps:
            leaving = self._note_losses()
        self._gradients = found if self._gradients is None else self._gradients.add_(found)
        if steps:
            for each in self.together:
                each.before_step(self._gradients)
            if self._limits.isfinite().any():
                algorithm = self.settings.gradient_clip_algorithm
                self._gradients = clip(self._gradients, self._limits.to(self.net.device), algorithm)
            self.optimizer.step(self.net.flat, self._gradients, self.step)
            self._gradients = None
            self.step += 1
            for each in self.together:
                each.after_step()
        gone = [self.live[row] for row in leaving]
        for seat in self.live:
            if steps and seat not in gone:
                seat.trainer.global_step = self.step
        self._drop(gone)

    def _evaluates(self, last: bool) -> bool:
        interval = self.settings.val_check_interval
        if interval:
            return self.live != [] and self.live[0].trainer.batches % interval == 0
        return last and (self.epoch + 1) % self.settings.check_val_every_n_epoch == 0

    def _read_losses(self) -> None:
        if self._losses:
            self._drop([self.live[row] for row in self._note_losses()])

    def _note_losses(self) -> list[int]:
        """Tells each Learner its losses; returns the rows of those that have diverged, whose end is noted."""
        values = torch.stack(self._losses, dim=1).float().tolist()
        self._losses.clear()
        rates = self.optimizer.rates(self.step)[:, 0].tolist()
        leaving = []
        for row, seat in enumerate(self.live):
            seat.trainer.rate = rates[row]
            with self._own_end(seat) as ended:
                seat.learner.note_losses(values[row])
            leaving += [row] if ended else []
        means = [sum(losses) / len(losses) for losses in values]
        self.progress.update({"train/loss": sum(means) / len(means)}, self.step)
        return leaving

    def _finish(self, seats: Sequence[Seat], *, within: bool = False) -> None:
        """Lets these go; ``within`` an epoch, they have not ended it yet."""
        if not seats:
            return
        if within:
            self._each(Seat.end_epoch, seats)
        self._settle()  # an evaluation may still be due
        self._each(Seat.finish, [seat for seat in seats if seat in self.live])
        self._drop([seat for seat in seats if seat in self.live])

    def _settle(self) -> None:
        for each in self.together:
            each.settle()

    def _each(self, action: Callable[[Seat], None], seats: Sequence[Seat] | None = None) -> None:
        """Does it with each member, on its own account; those that it ends leave."""
        self.charge(self.live)
        gone = []
        for seat in list(self.live if seats is None else seats):
            with self._own_end(seat) as ended:
                action(seat)
            self.charge([seat])
            gone += [seat] if ended else []
        self._drop(gone)

    @contextlib.contextmanager
    def _own_end(self, seat: Seat) -> Iterator[list[Exception]]:
        ended: list[Exception] = []
        try:
            yield ended
        except Exception as error:
            ended.append(error)
            assert seat.run is not None
            seat.run.ended(error)

    def _drop(self, gone: Sequence[Seat]) -> None:
        """Closes these runs and shrinks the stack to the others."""
        if not gone:
            return
        self.charge(self.live)
        self.signals.held = True  # whoever is no longer among the live is closed
        rows = [row for row, seat in enumerate(self.live) if seat not in gone]
        self.live = [self.live[row] for row in rows]
        for seat in gone:
            self.close(seat)
        self.signals.release()
        if not rows:
            return
        self.net.keep(rows)
        self.task.keep(rows)
        self.gradient.keep()
        self.batches.keep(rows)
        for each in self.together:
            each.keep(rows)
        self.optimizer.keep(rows, self.net.flat)
        self._limits = self._limits[rows]
        self._losses = [losses[rows] for losses in self._losses]
        if self._gradients is not None:
            self._gradients = self._gradients[rows]
