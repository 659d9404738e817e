"""Small runs of every kind, to be trained alone and stacked, and what must agree between the two."""

import io
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from pytorch_lightning import Callback
from torch import Tensor, nn

from lorelab.data.densities import Mixture
from lorelab.data.loading import DataModule
from lorelab.data.splits import DataSplits, Split, record_of
from lorelab.data.views import NoisePoints, TwoViews
from lorelab.nets.heads import MLPHead
from lorelab.nets.mlp import MLP
from lorelab.records import DataSpec, RunRecord, RunStart
from lorelab.tasks.classification import Classification
from lorelab.tasks.contrastive import Contrastive
from lorelab.tasks.language import LanguageModel
from lorelab.tasks.nce import NCE
from lorelab.tasks.regression import Regression
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.fit import fit
from lorelab.training.learner import Learner
from lorelab.training.progress import ProgressLine
from lorelab.training.schedules import Constant, Schedule
from lorelab.training.settings import TrainerSettings
from lorelab.training.stacked import Member, fit_stacked

TRAIN, HELD = 37, 24
ACCELERATOR = os.environ.get("LORELAB_TEST_ACCELERATOR", "cpu")
"""What they train on; on a GPU by hand, see CONTRIBUTING.md."""
QUIET = ProgressLine("quiet")


def splits_of(spec: DataSpec, inputs: Tensor, targets: Tensor) -> DataSplits:
    sizes = [TRAIN, HELD, HELD]
    splits = [Split(*pair) for pair in zip(inputs.split(sizes), targets.split(sizes), strict=True)]
    raw = {
        name: {"inputs": split.inputs.numpy(), "targets": split.targets.numpy()}
        for name, split in zip(("train", "val", "test"), splits, strict=True)
    }
    return DataSplits(spec, *splits, record_of(spec, raw, "drawn by a test"))


def _draw(*shape: int) -> Tensor:
    return torch.randn((TRAIN + 2 * HELD, *shape), generator=torch.Generator().manual_seed(0))


_rows, _images = _draw(6), _draw(1, 8, 8)
_points = _draw(2)
_text = (_draw(9) * 2).long() % 5
TABLE = splits_of(
    DataSpec("table", "table", (6,), "class", num_classes=3), _rows, (_rows[:, 0] > 0).long() + (_rows[:, 1] > 0)
)
OTHERWISE = splits_of(TABLE.spec, _rows.flip(0), ((_rows[:, 0] > 0).long() + (_rows[:, 1] > 0)).flip(0))
"""The rows of ``TABLE``, split otherwise."""
IMAGES = splits_of(DataSpec("images", "image", (1, 8, 8), "class", num_classes=3), _images, (_rows[:, 0] > 0).long())
REAL = splits_of(DataSpec("real", "table", (6,), "real", target_std=2.0), _rows, _rows[:, 0] * 0.8 - _rows[:, 1])
POINTS = splits_of(DataSpec("points", "points", (2,), "none"), _points, torch.zeros(len(_points)))
TEXT = splits_of(
    DataSpec("text", "text", (8,), "token", num_classes=5, vocabulary=tuple("abcde")), _text[:, :-1], _text[:, 1:]
)


class Shaken:
    """An augmentation that draws for every batch."""

    accepts_inputs = frozenset({"table", "image", "points"})

    def __init__(self, by: float = 0.1) -> None:
        self.by = by

    def __call__(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        return inputs + self.by * torch.randn(inputs.shape, generator=generator, device=inputs.device)


class LastWeights(Callback):
    """Keeps what the weights were after the last step, before the best ones were put back."""

    stackable = True

    def on_train_end(self, _trainer: Any, learner: Any) -> None:
        self.weights = {name: value.detach().clone() for name, value in learner.net.state_dict().items()}


MLP_NET = partial(MLP, head=nn.Linear, width=12, depth=2)
DROPOUT_NET = partial(MLP, head=MLPHead, width=12, depth=2, dropout=0.3)

ADAM = partial(torch.optim.Adam, fused=True)


@dataclass(frozen=True)
class Case:
    """A family of runs: each field is common to them all; ``values`` and the seed are a member's own."""

    splits: DataSplits = TABLE
    task: Callable[..., Any] = Classification
    net: Callable[..., nn.Module] = MLP_NET
    optimizer: Callable[..., Any] = ADAM
    schedule: Schedule = field(default_factory=Constant)
    augment: Callable[[], Any] = lambda: None
    settings: dict[str, Any] = field(default_factory=dict)
    callbacks: Callable[[], Sequence[Callback]] = tuple

    def member(self, seed: int = 0, lr: float = 0.02, task: dict[str, Any] | None = None, **optimizer: Any) -> Member:
        """Seed of everything, learning rate, constants of the task, other options of the optimiser."""
        spec = self.splits.spec
        built = self.task(data=spec, **(task or {}))
        torch.manual_seed(seed)
        net = self.net(input_shape=spec.input_shape, out_features=built.out_features)
        learner = Learner(net, built, partial(self.optimizer, lr=lr, **optimizer), self.schedule, spec.class_names)
        data = DataModule(self.splits, batch_size=10, seed=seed, augment=self.augment())
        settings = TrainerSettings(
            **({"max_epochs": 3, "accelerator": ACCELERATOR, "log_every_n_steps": 3} | self.settings)
        )
        start = RunStart(f"run-{seed}-{lr}", {}, {})
        callbacks = [LastWeights(), *self.callbacks()]
        return Member(learner, data, settings, MemoryTracker(), start, seed=seed, callbacks=callbacks)


def alone(member: Member) -> RunRecord:
    """What ``fit`` makes of it."""
    return fit(
        member.learner, member.data, member.settings, tracker=member.tracker, start=member.start, seed=member.seed,
        callbacks=member.callbacks, progress=QUIET, config=member.config,
    )  # fmt: skip


def both(case: Case, members: Sequence[dict[str, Any]]) -> list[tuple[Member, Member]]:
    """The same members trained alone and stacked; asserts all that must agree. Returns them in pairs."""
    single, stacked = ([case.member(**each) for each in members] for _ in range(2))
    expected = [alone(member) for member in single]
    found = fit_stacked(stacked, QUIET)
    for one, many, record, other in zip(single, stacked, expected, found, strict=True):
        agree(one, many, record, other)
    return list(zip(single, stacked, strict=True))


def agree(one: Member, many: Member, expected: RunRecord, found: RunRecord, tolerance: float = 2e-3) -> None:
    """Weights to a tolerance, scores to within one example, all else exactly."""
    exact = ("status", "monitor", "mode", "best_step", "steps", "examples", "diverged_at", "name")
    assert {name: getattr(found, name) for name in exact} == {name: getattr(expected, name) for name in exact}
    assert found.metrics.keys() == expected.metrics.keys()
    for name, value in expected.metrics.items():
        assert near(found.metrics[name], value, name), (name, found.metrics[name], value)
    mine, its = many.tracker, one.tracker
    assert [(name, step) for name, _, step in mine.points] == [(name, step) for name, _, step in its.points]
    for (name, value, step), (_, known, _) in zip(mine.points, its.points, strict=True):
        assert near(value, known, name), (name, step, value, known)
    assert mine.files.keys() == its.files.keys()
    assert mine.record == found
    if expected.weights:
        same_weights(many.callbacks[0].weights, one.callbacks[0].weights, tolerance)
    if "checkpoints/best.ckpt" in its.files:
        kept, known = (
            torch.load(io.BytesIO(each.files["checkpoints/best.ckpt"]), weights_only=True) for each in (mine, its)
        )
        same_weights(kept.pop("state_dict"), known.pop("state_dict"), tolerance)
        assert (kept["step"], kept["monitor"], kept["config"]) == (known["step"], known["monitor"], known["config"])
        assert kept["run_id"] == found.run_id


def near(found: float, expected: float, name: str) -> bool:
    """A share of examples may be off by one of them, at the smallest group of them."""
    if math.isnan(expected) or math.isinf(expected):
        return not math.isfinite(found)
    if name == "lr":
        return math.isclose(found, expected, rel_tol=1e-9)
    of_examples = any(word in name for word in ("accuracy", "recall", "precision", "f1", "calibration"))
    return abs(found - expected) <= (1 / HELD + 1e-6 if of_examples else 2e-3 * max(1.0, abs(expected)))


def same_weights(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


CLASSIFY = Case()
REGRESS = Case(REAL, Regression)
CONTRAST = Case(TABLE, partial(Contrastive, k=3), DROPOUT_NET, augment=lambda: TwoViews([Shaken(0.5)]))
DENSITY = Case(
    POINTS, partial(NCE, density=Mixture([[0, 0]], [1]), noise_ratio=2, noise_scale=3.0, grid_size=16),
    augment=lambda: NoisePoints(ratio=2, scale=3.0),
)  # fmt: skip
SPEAK = Case(TEXT, partial(LanguageModel, sample_length=5, ngram_order=2))
with_ = replace
