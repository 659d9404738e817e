"""The Lightning side of the data: which batches, on which device, from memory or streamed."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule

from lorelab.data.augment import Augmentation
from lorelab.data.batches import Order, StreamedBatches, TensorBatches
from lorelab.data.splits import DataSplits, Split
from lorelab.data.summary import summarise
from lorelab.data.thumbnails import is_picturable, thumbnails
from lorelab.errors import DataError
from lorelab.seeds import derive_seed

_DESCRIBED: weakref.WeakKeyDictionary[DataSplits, dict[str, bytes]] = weakref.WeakKeyDictionary()
"""Files that describe splits which several runs share."""
Batches = TensorBatches | StreamedBatches


class DataModule(LightningDataModule):
    """Serves ``splits`` as ``Batch``es on the trainer's device (the CPU without a trainer).

    Sets whose inputs as float32 take no more than ``memory_limit_gb`` (10⁹ bytes, all splits) are normalised once and
    held on the device; larger ones are streamed with ``workers`` processes. Both give the same batches in one order.
    Training batches are shuffled by ``(seed, epoch)`` and changed by ``augment``; the last one may be smaller. An
    augmentation with a true attribute ``in_evaluation`` (views, noise points: part of the loss itself) changes
    evaluation batches too, from draws that are the same at every evaluation.

    Raises:
        DataError: an augmentation of another kind of inputs; training on several devices, which would each see all
            of the data.
    """

    def __init__(
        self,
        splits: DataSplits,
        batch_size: int = 64,
        eval_batch_size: int = 1024,
        seed: int = 0,
        augment: Augmentation | None = None,
        memory_limit_gb: float = 2.0,
        workers: int = 0,
    ) -> None:
        super().__init__()
        kinds = getattr(augment, "accepts_inputs", frozenset({"image"}))
        if augment is not None and splits.spec.input_kind not in kinds:
            raise DataError(
                f"augment: {splits.spec.name} holds '{splits.spec.input_kind}' inputs; this augmentation expects "
                f"{' or '.join(sorted(kinds))}. Use augment=none."
            )
        self.splits = splits
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.seed, self.augment, self.workers = seed, augment, workers
        needed = sum(4 * split.inputs.numel() for split in splits.by_name().values())
        self.in_memory = needed <= memory_limit_gb * 1e9
        self.memory_limit_gb = memory_limit_gb
        self._held: dict[tuple[str, torch.device], Split] = {}
        self.skip_batches = 0
        """Of the first epoch that is trained: those an interrupted run had seen."""

    @property
    def device(self) -> torch.device:
        """Where batches come out."""
        return torch.device("cpu") if self.trainer is None else self.trainer.strategy.root_device

    def fits(self, name: str) -> bool:
        """Whether the split ``name`` alone may be held whole."""
        return 4 * self.splits.by_name()[name].inputs.numel() <= self.memory_limit_gb * 1e9

    def held(self, name: str, device: torch.device | str | None = None) -> Split:
        """Split ``name`` ("train", "val", "test") with final inputs (float32, or tokens) on ``device``; shared."""
        key = (name, torch.device(device) if device is not None else self.device)
        if key not in self._held:
            split, normalise = self.splits.by_name()[name], self.splits.normalise
            inputs = split.inputs.to(key[1])
            inputs = normalise(inputs) if normalise else inputs
            if self.splits.spec.input_kind != "text":
                inputs = inputs.float()
            self._held[key] = Split(inputs, split.targets.to(key[1]))
        return self._held[key]

    def share(self, other: DataModule) -> None:
        """Takes over the splits of ``other``, which must hold the same data, and what it holds of them on devices."""
        self.splits, self._held = other.splits, other._held

    def describe(self, folder: Path) -> None:
        """Writes what was understood of the data below ``folder``: summary as text and JSON, images as thumbnails."""
        folder.mkdir(parents=True, exist_ok=True)
        if (known := _DESCRIBED.get(self.splits)) is None:
            known = _DESCRIBED[self.splits] = _described(self.splits, folder)
        for name, content in known.items():
            (folder / name).write_bytes(content)

    def setup(self, stage: str | None = None) -> None:
        """Refuses what would silently train on wrong batches."""
        if self.trainer is not None and self.trainer.world_size > 1:
            raise DataError(
                f"trainer.devices: found {self.trainer.world_size} processes in one run, expected 1. A run uses one "
                "device; use more of them by running several at once."
            )

    def train_dataloader(self) -> Batches:
        """Shuffled anew in every epoch; the epoch is the trainer's, so a resumed run goes on where it was."""
        batches = self._batches("train", self.batch_size, shuffle=True)
        batches.skip, self.skip_batches = self.skip_batches, 0
        return batches

    def val_dataloader(self) -> Batches:
        """In the order of the rows."""
        return self._batches("val", self.eval_batch_size)

    def test_dataloader(self) -> Batches:
        """In the order of the rows."""
        return self._batches("test", self.eval_batch_size)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Nothing to do: batches come out on the trainer's device."""
        return batch

    def _batches(self, name: str, batch_size: int, shuffle: bool = False) -> Batches:
        split = self.splits.by_name()[name]
        if shuffle:
            order = Order(len(split), batch_size, seed=self.seed, shuffle=True, epoch=self._epoch)
            augment = self.augment
        else:
            order = Order(len(split), batch_size, seed=derive_seed(self.seed, "evaluation", name))
            augment = self.augment if getattr(self.augment, "in_evaluation", False) else None
        if self.in_memory:
            return TensorBatches(self.held(name), order, augment)
        return StreamedBatches(split, order, augment, self.splits.normalise, self.device, self.workers)

    def _epoch(self) -> int:
        return 0 if self.trainer is None else int(self.trainer.current_epoch)


def _described(splits: DataSplits, folder: Path) -> dict[str, bytes]:
    summary = summarise(splits)
    found = {
        "summary.txt": summary.to_text().encode(),
        "summary.json": json.dumps(summary.to_dict(), indent=2).encode(),
    }
    if is_picturable(splits):
        thumbnails(splits, folder / "thumbnails.png")
        found["thumbnails.png"] = (folder / "thumbnails.png").read_bytes()
    return found
