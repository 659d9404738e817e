"""What the toy problems of ``contract_*.py`` share: the task as ``conf/`` has it, splits of rows, noise for points."""

from collections.abc import Callable
from functools import partial

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from lorelab.data.splits import DataSplits, Split, record_of
from lorelab.nets.mlp import MLP
from lorelab.paths import CONF
from lorelab.records import DataSpec
from lorelab.tasks.protocol import TaskFactory

HELD = 151
"""Rows of each held-out split."""
ONE_HIDDEN_LAYER = partial(MLP, head=nn.Linear, width=32, depth=1, dropout=0.1)


def configured(kind: str, **values: object) -> TaskFactory:
    """The task of ``conf/task`` with other values."""
    return instantiate(OmegaConf.merge(OmegaConf.load(CONF / "task" / f"{kind}.yaml"), values))


def toy_splits(spec: DataSpec, inputs: Tensor, answer: Callable[[Tensor], Tensor]) -> DataSplits:
    """``inputs`` ``(N, ...)``, all different, and their answers; the last rows are held out."""
    targets = answer(inputs)
    sizes = [len(inputs) - 2 * HELD, HELD, HELD]
    splits = [Split(*pair) for pair in zip(inputs.split(sizes), targets.split(sizes), strict=True)]
    raw = {
        name: {"inputs": split.inputs.numpy(), "targets": split.targets.numpy()}
        for name, split in zip(("train", "val", "test"), splits, strict=True)
    }
    return DataSplits(spec, *splits, record_of(spec, raw, "drawn by a test"))


def normal(*shape: int) -> Tensor:
    """Standard normal values, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


class Shaken:
    """An augmentation of points and tables: a little noise on every value."""

    accepts_inputs = frozenset({"table", "points"})

    def __call__(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        return inputs + 0.05 * torch.randn(inputs.shape, generator=generator)
