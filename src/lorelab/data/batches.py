"""Iterables of batches whose order depends on seed and epoch alone, never on the global random state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from lorelab.data.augment import Augmentation
from lorelab.data.splits import Normalise, Split
from lorelab.records import Batch
from lorelab.seeds import derive_seed

# Gathering many batches at once saves calls; more than the cache holds costs more than it saves (measured on a CPU).
_CHUNK_BYTES = {"cpu": 2**20, "cuda": 2**28}


class Order:
    """The order of ``size`` examples in an epoch: as they lie, or shuffled by ``(seed, epoch)``.

    ``epoch`` is asked when an iteration starts; ``set_epoch`` fixes it, to repeat one epoch alone.
    """

    def __init__(
        self, size: int, batch_size: int, *, seed: int = 0, shuffle: bool = False, epoch: Callable[[], int] = lambda: 0
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected at least 1")
        self.size, self.batch_size, self.seed, self.shuffle = size, batch_size, seed, shuffle
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of batches; the last may be smaller."""
        return math.ceil(self.size / self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """From now on, iterations repeat this epoch."""
        self.epoch = lambda: epoch

    def indices(self) -> Tensor:
        """Row numbers ``(size,)`` of the current epoch, int64 on the CPU: the same on every device."""
        if not self.shuffle:
            return torch.arange(self.size)
        return torch.randperm(self.size, generator=self.generator("order"))

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> Generator:
        """A fresh generator for one purpose in the current epoch."""
        return Generator(device).manual_seed(derive_seed(self.seed, purpose, self.epoch()))

    def __iter__(self) -> Iterator[list[int]]:
        """Row numbers batch by batch: what a ``DataLoader`` wants as ``batch_sampler``."""
        for rows in self.indices().split(self.batch_size):
            yield rows.tolist()


class _InOrder:
    """What both kinds of batches share: ``order`` decides which rows come when."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.skip = 0
        """Batches that the next iteration leaves out, at its start."""

    def __len__(self) -> int:
        return len(self.order)

    def set_epoch(self, epoch: int) -> None:
        """From now on, iterations repeat this epoch."""
        self.order.set_epoch(epoch)

    def __iter__(self) -> Iterator[Batch]:
        skip, self.skip = self.skip, 0  # when the first batch is asked for: Lightning makes iterators it does not use
        yield from islice(self._batches(), skip, None)  # all are made: augmentation draws in their order

    def _batches(self) -> Iterator[Batch]:
        raise NotImplementedError


class TensorBatches(_InOrder):
    """Batches of a split that lies in memory, ready to use, on the device it is wanted on.

    ``split.inputs`` ``(N, ...)`` final (normalised) values. Unshuffled batches are views of it: do not write to them.
    """

    def __init__(self, split: Split, order: Order, augment: Augmentation | None = None) -> None:
        super().__init__(order)
        self.split, self.augment = split, augment

    def _batches(self) -> Iterator[Batch]:
        if self.augment is None:
            yield from self._plain()
            return
        generator = self.order.generator("augment", self.split.inputs.device)
        for inputs, targets in self._plain():
            yield Batch(self.augment(inputs, generator), targets)

    def _plain(self) -> Iterator[Batch]:
        size = self.order.batch_size
        for inputs, targets in self._chunks():
            yield from map(Batch, inputs.split(size), targets.split(size))

    def _chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Tensors of a whole number of batches each."""
        inputs, targets = self.split.inputs, self.split.targets
        if not self.order.shuffle or not len(targets):
            if len(targets):
                yield inputs, targets
            return
        batch_bytes = self.order.batch_size * inputs[0].numel() * inputs.element_size()
        batches = max(1, _CHUNK_BYTES.get(inputs.device.type, 2**28) // batch_bytes)
        order = self.order.indices().to(inputs.device)
        for rows in order.split(batches * self.order.batch_size):
            yield inputs.index_select(0, rows), targets.index_select(0, rows)


class StreamedBatches(_InOrder):
    """The same batches in the same order, of a split too large to be held ready: a ``DataLoader`` gathers raw rows,
    possibly in ``workers`` processes; transfer, normalising and augmentation are done here, on the device."""

    def __init__(
        self,
        split: Split,
        order: Order,
        augment: Augmentation | None = None,
        normalise: Normalise | None = None,
        device: torch.device | str = "cpu",
        workers: int = 0,
    ) -> None:
        super().__init__(order)
        self.augment, self.normalise = augment, normalise
        self.device = torch.device(device)
        self.loader: DataLoader[Split] = DataLoader(
            _Rows(split),
            batch_sampler=order,
            collate_fn=_as_is,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
            generator=Generator(),  # a DataLoader without one draws from the global random state at every epoch
        )

    def _batches(self) -> Iterator[Batch]:
        generator = self.order.generator("augment", self.device)
        for raw_inputs, raw_targets in self.loader:
            inputs = raw_inputs.to(self.device, non_blocking=True)
            inputs = self.normalise(inputs) if self.normalise else inputs
            inputs = inputs if inputs.dtype == torch.int64 else inputs.float()  # tokens stay whole
            if self.augment is not None:
                inputs = self.augment(inputs, generator)
            yield Batch(inputs, raw_targets.to(self.device, non_blocking=True))


class _Rows(Dataset[Split]):
    """Fetches a whole batch of rows at once, also from memory-mapped tensors."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitems__(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        index = torch.tensor(rows)
        return self.split.inputs.index_select(0, index), self.split.targets.index_select(0, index)


def _as_is(batch: Any) -> Any:
    return batch
