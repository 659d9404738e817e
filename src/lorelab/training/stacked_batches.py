"""Batches for many members over one copy of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from lorelab.data.loading import DataModule
from lorelab.records import Batch
from lorelab.training.stacked_task import alike


class StackedBatches:
    """The batches that each of ``modules`` would serve. Members with the same data, seed and augmentation read one
    module; modules with the same data hold it once."""

    def __init__(self, modules: Sequence[DataModule]) -> None:
        self.modules: list[DataModule] = []
        """Those that are read, each of them once."""
        self.sources: list[int] = []
        """For each member, the place of its own among ``modules``."""
        for module in modules:
            first = next((other for other in self.modules if same_data(module, other)), None)
            if first is not None:
                module.share(first)
            place = next((i for i, other in enumerate(self.modules) if _same_batches(module, other)), None)
            if place is None:
                place = len(self.modules)
                self.modules.append(module)
            self.sources.append(place)
        self._loaders = [module.train_dataloader() for module in self.modules]

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._loaders[0])

    def epoch(self, epoch: int) -> Iterator[list[Batch]]:
        """One batch of each module, step by step."""
        for loader in self._loaders:
            loader.set_epoch(epoch)
        for batches in zip(*self._loaders, strict=True):
            yield list(batches)

    def joined(self, batches: Sequence[Batch]) -> tuple[Batch, bool]:
        """The members' batches as one ``(M, B, ...)``; or, with True, the one ``(B, ...)`` that they all share."""
        if len(set(self.sources)) == 1:
            return batches[self.sources[0]], True
        inputs = torch.stack([batches[source].inputs for source in self.sources])
        return Batch(inputs, torch.stack([batches[source].targets for source in self.sources])), False

    def keep(self, rows: Sequence[int]) -> None:
        """Only these members read on."""
        self.sources = [self.sources[row] for row in rows]


def same_data(one: DataModule, other: DataModule) -> bool:
    """Whether two modules serve the same examples, whatever the order."""
    mine, its = one.splits, other.splits
    if mine is its:
        return True
    facts = [(each.spec, each.record.fingerprint, each.normalise, each.altered) for each in (mine, its)]
    return facts[0] == facts[1] and one.memory_limit_gb == other.memory_limit_gb and one.in_memory == other.in_memory


def _same_batches(one: DataModule, other: DataModule) -> bool:
    return one.seed == other.seed and one.splits is other.splits and alike(one.augment, other.augment)
