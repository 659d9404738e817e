"""The parts of a run as the command line builds them, made anew for each way from one load of the data."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from lorelab.config.build import Parts, build
from lorelab.config.describe import describe
from lorelab.config.overrides import Composed, compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.config.validate import validate
from lorelab.data.files import data_root
from lorelab.paths import ROOT
from lorelab.records import RunStart
from lorelab.training.learner import Learner
from lorelab.training.provenance import capture

ACCELERATOR = os.environ.get("LORELAB_BENCH_ACCELERATOR", "cpu")
"""What ``sizes`` and ``stacked`` train on, the benchmarks that know of GPUs; their tables are apart then."""


@dataclass
class Run:
    """What ``lorelab train OVERRIDES`` would build."""

    overrides: Sequence[str]

    @cached_property
    def composed(self) -> Composed:
        register_resolvers()
        (composed,) = compose_all(self.overrides)
        validate(composed.cfg, composed.origin)
        return composed

    @cached_property
    def parts(self) -> Parts:
        return build(self.composed.cfg, self.composed.origin)

    @cached_property
    def start(self) -> RunStart:
        record = self.parts.data.splits.record
        return describe(self.composed.cfg, self.composed.origin, capture(ROOT), record, code="benchmark")

    @property
    def total_steps(self) -> int:
        data = self.parts.data
        return self.parts.settings.total_steps(examples=len(data.splits.train), batch_size=data.batch_size)

    def learner(self, kind: type[Learner] = Learner, *, scheduled: bool = True) -> Learner:
        """A fresh Learner over a copy of the initial net."""
        built = self.parts.learner
        schedule = built.schedule if scheduled else None
        return kind(copy.deepcopy(built.net), built.task, built.make_optimizer, schedule, built.class_names)


def missing_images(name: str) -> str | None:
    """Why the torchvision set ``name`` cannot be used without a download, or None if it is there."""
    folder = data_root(None) / name / "raw"
    if (folder / "train-images-idx3-ubyte").exists():
        return None
    return f"skipped: {folder} does not hold {name}; set LORELAB_DATA_DIR to a folder that does"


def own_threads(count: int) -> None:
    """PyTorch's threads; and no look for NVIDIA's library at every step, which importing Lightning would cause in the
    hand-written loop too."""
    torch.set_num_threads(count)
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


def scratch_tracker(folder: Path) -> list[str]:
    """Overrides that keep a run's traces in ``folder`` instead of in the checkout."""
    store = folder / "store"
    store.mkdir(exist_ok=True)
    return [
        f"paths.outputs={folder / 'outputs'}",
        f"tracker.uri=sqlite:///{store / 'mlflow.db'}",
        f"tracker.artifacts={store / 'artifacts'}",
    ]
