"""Small runs that may be trained as one."""

from functools import partial
from typing import Any

import torch
from torch import nn

from lorelab.data.loading import DataModule
from lorelab.data.splits import DataSplits, Split, record_of
from lorelab.nets.mlp import MLP
from lorelab.records import DataSpec, RunStart
from lorelab.tasks.classification import Classification
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.learner import Learner
from lorelab.training.settings import TrainerSettings
from lorelab.training.stacked import Member

TRAIN, HELD, FEATURES, CLASSES = 37, 20, 6, 3
SPEC = DataSpec("drawn", "table", (FEATURES,), "class", num_classes=CLASSES)


def member(
    seed: int = 0, *, width: int = 12, depth: int = 1, batch_size: int = 10, optimizer: Any = torch.optim.SGD,
    lr: float = 0.02, **settings: Any,
) -> Member:  # fmt: skip
    """One run on 37 drawn examples: four batches of ten in an epoch."""
    inputs = torch.randn(TRAIN + 2 * HELD, FEATURES, generator=torch.Generator().manual_seed(0))
    parts = zip(inputs.split([TRAIN, HELD, HELD]), (inputs[:, 0] > 0).long().split([TRAIN, HELD, HELD]), strict=True)
    train, val, test = (Split(*part) for part in parts)
    raw = {
        name: {"inputs": split.inputs.numpy(), "targets": split.targets.numpy()}
        for name, split in (("train", train), ("val", val), ("test", test))
    }
    splits = DataSplits(SPEC, train, val, test, record_of(SPEC, raw, "drawn by a test"))
    torch.manual_seed(seed)
    net = MLP(input_shape=(FEATURES,), out_features=CLASSES, head=nn.Linear, width=width, depth=depth)
    learner = Learner(net, Classification(data=SPEC), partial(optimizer, lr=lr))
    data = DataModule(splits, batch_size=batch_size, seed=seed)
    budget = TrainerSettings(**({"max_epochs": 3, "accelerator": "cpu"} | settings))
    return Member(learner, data, budget, MemoryTracker(), RunStart(f"run-{seed}", {}, {}), seed=seed)
