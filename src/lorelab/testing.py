"""The contract of a task kind, clause by clause, for pytest to run over any of them: Lorelab's own and yours.

@pytest.mark.parametrize("clause", CONTRACT)
def test_my_task(clause):
    clause(TOY)
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Trainer
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from lorelab.data.augment import Augmentation
from lorelab.data.loading import DataModule
from lorelab.data.splits import DataSplits
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tasks.protocol import Task, TaskFactory
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.checkpoint import Checkpoint, load_checkpoint
from lorelab.training.fit import fit
from lorelab.training.learner import Learner
from lorelab.training.progress import ProgressLine
from lorelab.training.settings import TrainerSettings

_TURNS_AT = 0.75


@dataclass(frozen=True, eq=False)
class Toy:
    """A problem that a small net learns within seconds, whose answer is known."""

    task: TaskFactory
    splits: DataSplits
    net: Callable[..., nn.Module]
    """From ``input_shape`` and ``out_features``; with dropout, so that the seed has something to fix."""
    score: float
    """What ``task.monitor`` reaches on the validation split by learning, and not without."""
    predicts: tuple[int, ...]
    """Shape of the prediction for one example: ``()`` for a number."""
    reference: Callable[[Task, Any, DataModule], Mapping[str, float]]
    """Validation metrics by bare name, found by other means (scikit-learn) from what the net says of that split."""
    augment: Augmentation | None = None
    lr: float = 0.03
    epochs: int = 16
    batch_size: int = 32

    def build(self, seed: int = 0) -> tuple[Task, Any]:
        """The task and a net with first weights drawn from ``seed``."""
        task = self.task(data=self.splits.spec)
        torch.manual_seed(seed)
        return task, self.net(self.splits.spec.input_shape, task.out_features)

    def data(self, seed: int = 0) -> DataModule:
        """The batches, in an order drawn from ``seed``."""
        return DataModule(self.splits, batch_size=self.batch_size, seed=seed, augment=self.augment)

    def passes(self, task: Task, score: float) -> bool:
        """Whether ``score`` is that of a net that learned."""
        return score > self.score if task.mode == "max" else score < self.score


class _Trained(NamedTuple):
    record: RunRecord
    tracker: MemoryTracker
    best: Checkpoint


def loss_is_finite_and_falls(toy: Toy) -> None:
    """To less than two thirds of what it was, in the mean over an epoch."""
    record, tracker, _ = trained(toy)
    losses = [(step, loss) for step, loss in tracker.history("train/loss") if step <= _TURNS_AT * record.steps]
    assert record.status is RunStatus.FINISHED, record
    assert torch.tensor(losses).isfinite().all(), losses
    assert losses[-1][1] < 2 / 3 * losses[0][1], losses


def known_answer_is_learnt(toy: Toy) -> None:
    """On examples that were not trained on, and not by a net that was not trained."""
    known = {row.numpy().tobytes() for row in toy.splits.train.inputs}
    assert not any(row.numpy().tobytes() in known for row in toy.splits.val.inputs), "training and validation overlap"
    record, task = trained(toy).record, toy.build()[0]
    untrained = evaluated(toy, toy.build()[1])[task.monitor]
    assert record.score is not None
    assert toy.passes(task, record.score), f"trained: {task.monitor} {record.score}, expected {toy.score} to be passed"
    assert not toy.passes(task, untrained), f"untrained: {task.monitor} {untrained} passes {toy.score}, too"


def metrics_agree_with_the_reference(toy: Toy) -> None:
    """What the Learner reports of the trained net, and of the untrained one, which is wrong more often."""
    task, net = toy.build()
    for state in (net.state_dict(), trained(toy).best.weights):
        net.load_state_dict(state)
        reported, data = evaluated(toy, net), toy.data()
        with torch.no_grad():
            expected = toy.reference(task, net.eval(), data)
        assert expected
        for name, value in expected.items():
            assert abs(reported[f"val/{name}"] - value) <= 1e-5 * max(1, abs(value)), (name, reported, expected)


def same_seed_gives_same_weights(toy: Toy) -> None:
    """Through shuffling, augmentation and dropout; each of the three seeds matters."""
    again = final_weights(toy)
    torch.rand(1)  # the global random state is no part of it
    assert torch.equal(final_weights(toy), again), "equal seeds, other weights"
    for seeds in ({"weights": 1}, {"order": 1}, {"training": 1}):
        assert not torch.equal(final_weights(toy, **seeds), again), f"{seeds} changes nothing"


def best_checkpoint_restores_the_best_score(toy: Toy) -> None:
    """In a fresh net, although the run went on to worse weights: every metric of that evaluation, to the last digit
    that a float32 keeps."""
    record, tracker, best = trained(toy)
    task, net = toy.build(seed=1)
    history = tracker.history(record.monitor)
    assert record.score == (max if task.mode == "max" else min)(score for _, score in history)
    assert not toy.passes(task, history[-1][1]), f"the run kept its score to its end, which shows nothing: {history}"
    net.load_state_dict(best.weights)
    restored = evaluated(toy, net)
    logged = {name: value for name, value, step in tracker.points if step == record.best_step and name in restored}
    assert restored.keys() == logged.keys()
    for name, value in logged.items():
        assert abs(restored[name] - value) <= 1e-6 * max(1, abs(value)), (name, restored, logged)
    assert (best.score, best.step, best.monitor) == (record.score, record.best_step, task.monitor)


def prediction_has_the_documented_shape(toy: Toy) -> None:
    """For the whole split as for one example."""
    task, net = toy.build()
    inputs = toy.data().held("val").inputs
    for part in (inputs, inputs[:1]):
        assert task.predict(net, part).shape == (len(part), *toy.predicts)


def evaluation_is_one_forward_pass_and_a_scalar(toy: Toy) -> None:
    """Over all of the batch, views included."""
    task, net = toy.build()
    (batch,), calls = toy.data().val_dataloader(), []

    def counted(inputs: Tensor) -> Tensor:
        calls.append(len(inputs))
        return net(inputs)

    loss = task.evaluate(counted, batch, task.metrics())  # type: ignore[arg-type]  # no features needed
    assert calls == [batch.inputs.numel() // toy.splits.val.inputs[0].numel()]
    assert loss.shape == ()


def declared_kinds_fit_the_data(toy: Toy) -> None:
    """The task says of itself that it takes them."""
    task, spec = toy.build()[0], toy.splits.spec
    assert spec.input_kind in task.accepts_inputs  # type: ignore[attr-defined]
    assert spec.target_kind in task.accepts_targets  # type: ignore[attr-defined]


def one_net_and_stacked_ones_are_the_same_to_it(toy: Toy) -> None:
    """Gradients of three nets at once equal those of each alone."""
    nets = [toy.build(seed)[1].eval() for seed in range(3)]
    task, batch = toy.build()[0], next(iter(toy.data().train_dataloader()))
    params, buffers = stack_module_state(nets)

    def loss(params: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return task.loss(lambda x: functional_call(nets[0], (params, buffers), (x,)), batch)  # type: ignore[arg-type]

    gradients = vmap(grad(loss))(params, buffers)
    for i, net in enumerate(nets):
        task.loss(net, batch).backward()
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(gradients[name][i], parameter.grad)


CONTRACT: tuple[Callable[[Toy], None], ...] = (
    loss_is_finite_and_falls,
    known_answer_is_learnt,
    metrics_agree_with_the_reference,
    same_seed_gives_same_weights,
    best_checkpoint_restores_the_best_score,
    prediction_has_the_documented_shape,
    evaluation_is_one_forward_pass_and_a_scalar,
    declared_kinds_fit_the_data,
    one_net_and_stacked_ones_are_the_same_to_it,
)


@cache
def trained(toy: Toy) -> _Trained:
    """One run: it learns for three quarters of its steps, then it climbs the loss with a negative learning rate, so
    that its best weights are not its last ones."""
    learner = _learner(toy, *toy.build())
    learner.schedule = lambda step, total: 1.0 if step < _TURNS_AT * total else -3.0
    tracker = MemoryTracker()
    record = _fit(learner, toy.data(), toy.epochs, tracker)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "best.ckpt"
        path.write_bytes(tracker.files["checkpoints/best.ckpt"])
        return _Trained(record, tracker, load_checkpoint(path))


def final_weights(toy: Toy, weights: int = 0, order: int = 0, training: int = 0) -> Tensor:
    """Of two epochs with these seeds, side by side."""
    learner = _learner(toy, *toy.build(weights))
    _fit(learner, toy.data(order), 2, MemoryTracker(), training)
    return torch.cat([each.detach().flatten() for each in learner.net.parameters()])


def evaluated(toy: Toy, net: nn.Module) -> dict[str, float]:
    """What a fresh Learner reports of ``net`` on the validation split: ``val/...``."""
    found: dict[str, float] = {}
    learner = _learner(toy, toy.build()[0], net)
    learner.report = lambda points, _step: found.update(points)
    silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    Trainer(accelerator="cpu", enable_checkpointing=False, **silent).validate(
        learner, datamodule=toy.data(), verbose=False
    )
    return found


def _learner(toy: Toy, task: Task, net: nn.Module) -> Learner:
    return Learner(net, task, partial(torch.optim.Adam, lr=toy.lr), class_names=toy.splits.spec.class_names)


def _fit(learner: Learner, data: DataModule, epochs: int, tracker: MemoryTracker, seed: int = 0) -> RunRecord:
    settings = TrainerSettings(max_epochs=epochs, accelerator="cpu")
    quiet = ProgressLine("quiet")
    return fit(learner, data, settings, tracker=tracker, start=RunStart("toy", {}, {}), seed=seed, progress=quiet)
