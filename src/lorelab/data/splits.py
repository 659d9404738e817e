"""What every source returns: training, validation and test split, with the facts and the record of the data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from lorelab.errors import DataError
from lorelab.records import DatasetRecord, DataSpec, InputKind, TargetKind

Source = TypeVar("Source", bound=Callable[..., "DataSplits"])
Arrays = Mapping[str, np.ndarray]
_CHUNK_BYTES = 2**22


@dataclass(frozen=True)
class Split:
    """Examples in memory: ``inputs`` ``(N, *input_shape)``, images as raw uint8 or float; ``targets`` ``(N,)``, int64
    classes or float32 values in standardised units."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Normalise:
    """``(x - mean) / std`` per channel; one value per channel, in the units of the raw inputs (0–255 for uint8)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fitted(cls, images: Tensor) -> Normalise:
        """Mean and population standard deviation of ``images`` ``(N, C, H, W)``, exact for uint8: from the histogram,
        so neither threads nor device change them. A constant channel gets ``std`` 1."""
        moments = [_moments(images[:, channel]) for channel in range(images.shape[1])]
        return cls(tuple(mean for mean, _ in moments), tuple(std if std > 0 else 1.0 for _, std in moments))

    def __call__(self, inputs: Tensor) -> Tensor:
        """``(N, C, H, W)`` of any type to a new float32 tensor on the same device."""
        shape = (1, -1, 1, 1)
        mean = torch.tensor(self.mean, dtype=torch.float32, device=inputs.device).view(shape)
        std = torch.tensor(self.std, dtype=torch.float32, device=inputs.device).view(shape)
        out = torch.empty(inputs.shape, dtype=torch.float32, device=inputs.device)
        rows = max(1, _CHUNK_BYTES // (4 * max(1, inputs[:1].numel())))  # a chunk stays in the cache for both passes
        for source, target in zip(inputs.split(rows), out.split(rows), strict=True):
            torch.sub(source, mean, out=target).div_(std)
        return out


def _moments(values: Tensor) -> tuple[float, float]:
    if values.dtype != torch.uint8:
        variance, mean = torch.var_mean(values.double(), correction=0)
        return mean.item(), variance.sqrt().item()
    counts = torch.bincount(values.flatten(), minlength=256).double()
    levels = torch.arange(256, dtype=torch.float64)
    mean = (counts @ levels) / counts.sum()
    return mean.item(), ((counts @ (levels - mean).square()) / counts.sum()).sqrt().item()


@dataclass(frozen=True, eq=False)  # the record tells whether two are equal; tensors cannot
class DataSplits:
    """A data set, ready to be batched. Statistics in ``spec`` and ``normalise`` are of the training split alone."""

    spec: DataSpec
    train: Split
    val: Split
    test: Split
    record: DatasetRecord
    normalise: Normalise | None = None
    """Applied by the loader, so that images can be kept as uint8; None where inputs are final."""
    altered: str = ""
    """What was done to the training split on purpose (``corruption``), and by which seed; "" for nothing."""

    def by_name(self) -> dict[str, Split]:
        """The splits as ``{"train": ..., "val": ..., "test": ...}``."""
        return {"train": self.train, "val": self.val, "test": self.test}


class Indices(NamedTuple):
    """Sorted row numbers (int64) of each split: disjoint, together all rows."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def provides(
    *,
    inputs: InputKind | None,
    targets: TargetKind | None,
    shape: tuple[int | str, ...] | None = None,
    classes: int | None = None,
) -> Callable[[Source], Source]:
    """Marks a source with what it will return, so that impossible combinations are refused before anything is loaded:
    ``provides_inputs``, ``provides_targets``, ``provides_shape`` and ``provides_classes``.

    None where only the data tell. ``shape``: of one example; a size may be the name of the argument that sets it:
    ``(1, 8, 8)``, ``("context",)``.
    """

    def mark(source: Source) -> Source:
        facts = {"inputs": inputs, "targets": targets, "shape": shape, "classes": classes}
        source.__dict__.update({f"provides_{name}": fact for name, fact in facts.items()})
        return source

    return mark


def split_indices(
    n: int, val_fraction: float, test_fraction: float, seed: int, stratify: np.ndarray | None = None
) -> Indices:
    """Splits ``n`` rows at random, the same way for the same arguments on every machine.

    ``stratify`` ``(n,)``: labels whose shares are kept; each label's count in the test split is within 1 of its exact
    share (largest remainders), in the others within 2.

    Raises:
        DataError: fractions outside ``[0, 1)`` or leaving no training rows, or too few rows for a split asked for.
    """
    if not (0 <= val_fraction < 1 and 0 <= test_fraction < 1 and val_fraction + test_fraction < 1):
        raise DataError(
            f"Splitting {n} examples: found val_fraction={val_fraction}, test_fraction={test_fraction}; expected both "
            "at least 0 and their sum below 1. Set data.val_fraction and data.test_fraction accordingly."
        )
    n_test, n_val = round(n * test_fraction), round(n * val_fraction)
    if n - n_test - n_val < 1 or (val_fraction > 0 and not n_val) or (test_fraction > 0 and not n_test):
        raise DataError(
            f"Splitting {n} examples by val_fraction={val_fraction}, test_fraction={test_fraction} leaves "
            f"{n - n_test - n_val} for training, {n_val} for validation and {n_test} for testing; expected at least "
            "one each. Use more data or other fractions."
        )
    rng = np.random.default_rng(seed)
    everything = np.arange(n)
    test = _sample(everything, n_test, rng, stratify)
    rest = np.setdiff1d(everything, test, assume_unique=True)
    val = _sample(rest, n_val, rng, stratify)
    return Indices(np.setdiff1d(rest, val, assume_unique=True), val, test)


def limited(rows: np.ndarray, limit: int | None, seed: int, stratify: np.ndarray | None = None) -> np.ndarray:
    """At most ``limit`` of ``rows``, drawn at random with the labels' shares kept; all of them if ``limit`` is None.

    ``stratify`` holds the labels of the whole set, indexed by the row numbers in ``rows``.
    """
    if limit is None or limit >= len(rows):
        return rows
    if limit < 1:
        raise DataError(f"Limiting a split to {limit} examples: expected at least 1, or null for all of them.")
    return _sample(rows, limit, np.random.default_rng(seed), stratify)


def _sample(rows: np.ndarray, count: int, rng: np.random.Generator, stratify: np.ndarray | None) -> np.ndarray:
    """``count`` of ``rows``, sorted; per label by largest remainder, ties by label order."""
    shuffled = rng.permutation(rows)
    if stratify is None:
        return np.sort(shuffled[:count])
    _, labels, sizes = np.unique(stratify[shuffled], return_inverse=True, return_counts=True)
    # In integers: exact quotas, so that no floating-point rounding decides between two labels.
    shares, remainders = np.divmod(sizes.astype(np.int64) * count, max(1, len(rows)))
    shares[np.argsort(-remainders, kind="stable")[: count - shares.sum()]] += 1
    chosen = [shuffled[labels == label][:share] for label, share in enumerate(shares)]
    return np.sort(np.concatenate(chosen)) if chosen else shuffled


def fingerprint(splits: Mapping[str, Arrays]) -> str:
    """SHA-256 (hex) over name, type, shape and bytes of the arrays of each split, in the order given.

    Meant for raw values, before standardisation, so that it does not hang on the order of floating-point sums. Object
    arrays hold text; whatever else is in them counts as missing.
    """
    digest = hashlib.sha256()
    for split, arrays in splits.items():
        for name, array in arrays.items():
            if array.dtype == object:
                values = [value if isinstance(value, str) else None for value in array.ravel()]
                dtype, content = "text", memoryview(json.dumps(values).encode())
            else:
                little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
                dtype, content = little.dtype.str, little.reshape(-1).view(np.uint8).data
            digest.update(json.dumps([split, name, dtype, list(array.shape)]).encode())
            digest.update(content)
    return digest.hexdigest()


def record_of(spec: DataSpec, raw: Mapping[str, Arrays], source: str, **schema: Any) -> DatasetRecord:
    """The record of ``spec``'s data, whose raw arrays by split are ``raw``; ``schema`` adds plain values to it."""
    sizes = {split: len(next(iter(arrays.values()))) for split, arrays in raw.items()}
    facts: dict[str, Any] = {
        "input_kind": spec.input_kind,
        "input_shape": list(spec.input_shape),
        "target_kind": spec.target_kind,
        "target_name": spec.target_name,
    }
    if spec.target_kind == "class":
        facts |= {"class_names": list(spec.class_names)}
    if spec.target_kind == "real":
        facts |= {"target_unit": spec.target_unit, "target_mean": spec.target_mean, "target_std": spec.target_std}
    return DatasetRecord(spec.name, fingerprint(raw), sizes, source, facts | schema)
