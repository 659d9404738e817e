"""The nouns that every floor shares: what the data are, what a batch is, how a run went.

Nothing here imports a heavy library at run time, so that listing runs or printing help never waits for torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

InputKind = Literal["image", "table", "text", "points"]
TargetKind = Literal["class", "real", "token", "none"]


VOLATILE = (
    "paths",
    "tracker",
    "progress",
    "tags",
    "force",
    "resume",
    "search",
    "sweep",
    "trusted",
    "loader.workers",
    "loader.memory_limit_gb",
    "data.root",
    "trainer.checkpoint_every_steps",
    "trainer.checkpoint_every_seconds",
)
"""Keys of a config, with all below them, that may change without the result changing: not part of its signature."""


def lies_below(key: str, names: Iterable[str]) -> bool:
    """Whether the dotted ``key`` is one of ``names`` or lies below one: ``data.root`` below ``data``."""
    return any(key == name or key.startswith(f"{name}.") for name in names)


class Batch(NamedTuple):
    """What a data source yields and a task consumes.

    ``inputs``: ``(B, *input_shape)`` float, or ``(B, T)`` integer tokens; ``targets``: ``(B,)`` class indices,
    ``(B,)`` real values in standardised units, ``(B, T)`` tokens, or zeros ``(B,)`` where there is no target. An
    augmentation may add an axis of views: ``(B, V, *input_shape)``.
    """

    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True)
class DataSpec:
    """What nets and tasks may know of a data set, without knowing the data set."""

    name: str
    input_kind: InputKind
    input_shape: tuple[int, ...]
    """Of one example, without the batch axis: ``(C, H, W)`` images, ``(F,)`` tables and points, ``(T,)`` text."""
    target_kind: TargetKind
    num_classes: int = 0
    """Classes or vocabulary size; 0 where there is none."""
    class_names: tuple[str, ...] = ()
    target_name: str = "target"
    target_unit: str = ""
    target_mean: float = 0.0
    """Of the training split; a real target ``y`` is trained on as ``(y - target_mean) / target_std``."""
    target_std: float = 1.0
    vocabulary: tuple[str, ...] = ()
    """Of text: the symbol of each token index."""
    class_counts: tuple[int, ...] = ()
    """Training examples of each class; empty where there are no classes."""


@dataclass(frozen=True)
class DatasetRecord:
    """What a run remembers of the data it saw."""

    name: str
    fingerprint: str
    """SHA-256 (hex) over the arrays actually used, split by split."""
    sizes: Mapping[str, int]
    """Examples per split: ``{"train": n, "val": n, "test": n}``."""
    source: str = ""
    """A path or the library the data come from."""
    schema: Mapping[str, Any] = field(default_factory=dict)
    """Shapes, kinds and names, as plain values."""


class RunStatus(StrEnum):
    """How a run ended (or that it has not)."""

    RUNNING = "running"
    FINISHED = "finished"
    DIVERGED = "diverged"
    """The loss became NaN or infinite: a result, not a crash."""
    PRUNED = "pruned"
    FAILED = "failed"
    KILLED = "killed"


@dataclass(frozen=True)
class RunStart:
    """All that is known of a run before its first step."""

    name: str
    params: Mapping[str, str]
    """Flattened resolved config: ``{"optimizer.lr": "0.001"}``."""
    tags: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    """Text artifacts by path: ``{"config/resolved.yaml": "..."}``."""
    dataset: DatasetRecord | None = None
    resume: str = ""
    """Id of the interrupted run that goes on, "" for a new one."""

    def going_on(self, run_id: str, name: str, tags: Mapping[str, str]) -> RunStart:
        """The same as the start of an interrupted run that goes on, whose facts stand."""
        facts = {"lorelab.resumed": str(int(tags.get("lorelab.resumed", 0)) + 1)}
        if (code := self.tags.get("lorelab.code")) != (before := tags.get("lorelab.code")):
            facts |= {"lorelab.code": f"{before}+{code}", "lorelab.signature": "mixed"}  # the result of no one version
        return replace(self, name=name, resume=run_id, tags=facts)


@dataclass(frozen=True)
class RunRecord:
    """How one run went: what ``fit`` returns, what a tracker stores and what a sweep reads."""

    run_id: str
    name: str
    status: RunStatus
    monitor: str
    """Metric that picks the checkpoint and is the score, e.g. ``val/accuracy``."""
    mode: Literal["max", "min"]
    score: float | None = None
    """Best value of ``monitor`` over the run; None if none was ever measured."""
    best_step: int | None = None
    steps: int = 0
    """Optimiser steps taken."""
    examples: int = 0
    """Training examples seen."""
    seconds: float = 0.0
    """Wall time of training, validation and testing, in all processes of a run that was resumed; not of opening the run
    in the store and closing it."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Final values, ``test/...`` among them."""
    diverged_at: int | None = None
    """First optimiser step whose loss was not finite."""
    error: str | None = None
    """Traceback of a failed run."""
    location: str = ""
    """Where to look: the folder with the run's files."""
    weights: str = ""
    """SHA-256 (first 16 hex digits) of the weights after the last step, "" if it was not reached."""

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, ready for JSON."""
        return asdict(self) | {"status": str(self.status), "metrics": dict(self.metrics)}
