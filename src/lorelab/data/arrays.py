"""The user's own arrays: a NumPy .npz file with inputs ``x`` and targets ``y``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args
from zipfile import BadZipFile

import numpy as np
import torch

from lorelab.data.cautions import with_facts
from lorelab.data.columns import TargetChoice
from lorelab.data.official import absent_classes, complete
from lorelab.data.splits import DataSplits, Normalise, Split, provides, record_of
from lorelab.errors import DataError, nearest
from lorelab.records import DataSpec

_KEYS = ("x", "y", "x_val", "y_val", "x_test", "y_test", "class_names")
_MOST_CHANNELS = 16


@provides(inputs=None, targets=None)
def arrays(
    path: str,
    target_kind: TargetChoice = "auto",
    target_unit: str = "",
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    limit_train: int | None = None,
) -> DataSplits:
    """``x`` and ``y`` of a .npz file, and ``x_val``, ``y_val``, ``x_test``, ``y_test`` where it has them (what it has
    not is drawn from ``x``). ``x`` ``(N, F)`` is a table of numbers, standardised; ``(N, H, W)`` and ``(N, C, H, W)``
    of uint8 or floats are images. ``y`` ``(N,)``: booleans, text and whole numbers (of an integer type) are classes,
    floats are real values. ``class_names`` ``(C,)``, all different, names classes 0 to C − 1.

    Raises:
        DataError: naming the key, its shape and the row of what cannot be used.
    """
    file = Path(path).expanduser().resolve()
    if target_kind not in get_args(TargetChoice):
        raise DataError(f"data.target_kind: found {target_kind!r}, expected auto, class or real.")
    found = _read(file)
    given, names = _splits(found, target_kind, str(file))
    parts = complete(
        given,
        names,
        str(file),
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        split_seed=split_seed,
        limit_train=limit_train,
    )
    cautions = absent_classes(parts, names) if names else []
    official = [name for name in given if name != "train"]
    return with_facts(_finished(file, parts, names, target_unit), cautions, official_splits=official)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        opened = np.load(path, allow_pickle=False)
        if isinstance(opened, np.ndarray):
            raise DataError(f"{path}: found one array without a name; expected a .npz: np.savez(path, x=..., y=...).")
        with opened as file:
            unknown = [name for name in file.files if name not in _KEYS]
            if unknown:
                advice = nearest(unknown[0], _KEYS)
                raise DataError(f"{path}: found the key {unknown[0]!r}, expected only {', '.join(_KEYS)}; {advice}")
            found = {name: file[name] for name in file.files}
    except (OSError, EOFError, BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path} cannot be read ({reason}); expected a NumPy .npz file.") from error
    except ValueError as error:  # np.load's word for pickled objects
        raise DataError(
            f"{path}: holds Python objects, which could run code when read ({str(error).splitlines()[0]}); expected "
            "arrays of numbers or text. Save them with such a dtype, e.g. y.astype(str)."
        ) from error
    for split in ("", "_val", "_test"):
        pair = [name for name in (f"x{split}", f"y{split}") if name in found]
        if len(pair) == 1 or (not split and not pair):
            raise DataError(f"{path}: found the keys {', '.join(found)}; expected x{split} and y{split} together.")
    return found


def _splits(
    found: Mapping[str, np.ndarray], target_kind: TargetChoice, source: str
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """The splits that the file has, real targets in their own units (float64), and the names of classes if any."""
    keys = {"train": ""} | {split: f"_{split}" for split in ("val", "test") if f"x_{split}" in found}
    inputs = {split: _inputs(f"x{key}", found[f"x{key}"], source) for split, key in keys.items()}
    shape = inputs["train"].shape[1:]
    raw: dict[str, np.ndarray] = {}
    for split, key in keys.items():
        x, y = inputs[split], found[f"y{key}"]
        if x.shape[1:] != shape or x.dtype != inputs["train"].dtype:
            expected = f"{inputs['train'].dtype} {('N', *shape)}"
            raise DataError(f"{source}, key 'x{key}': found {x.dtype} {x.shape}, expected {expected} as in 'x'.")
        if y.shape != (len(x),):
            raise DataError(
                f"{source}, key 'y{key}': found shape {y.shape}, expected ({len(x)},) as many as in 'x{key}'."
            )
        raw[split] = y
    by_values = "real" if np.issubdtype(found["y"].dtype, np.floating) else "class"
    kind = by_values if target_kind == "auto" else target_kind
    if kind == "class":
        targets, names = _classes(raw, keys, found.get("class_names"), source)
    else:
        targets, names = {split: _reals(f"y{keys[split]}", y, source) for split, y in raw.items()}, ()
    return {split: Split(torch.from_numpy(inputs[split]), torch.from_numpy(targets[split])) for split in keys}, names


def _inputs(key: str, x: np.ndarray, source: str) -> np.ndarray:
    """``(N, F)`` float64, or images ``(N, C, H, W)`` uint8 or float32."""
    number = x.dtype == np.uint8 or np.issubdtype(x.dtype, np.floating)
    table = x.ndim == 2 and (number or x.dtype == bool or np.issubdtype(x.dtype, np.integer))
    image = x.ndim in (3, 4) and number
    if not (table or image) or 0 in x.shape:
        raise DataError(
            f"{source}, key {key!r}: found {x.dtype} {x.shape}; expected numbers (N, F), or uint8 or floats (N, H, W) "
            "or (N, C, H, W), and at least one example."
        )
    if x.ndim == 4 and x.shape[1] > _MOST_CHANNELS >= x.shape[3]:
        raise DataError(
            f"{source}, key {key!r}: found shape {x.shape}, with the channels last as it seems; expected (N, C, H, W): "
            f"save {key}.transpose(0, 3, 1, 2)."
        )
    if np.issubdtype(x.dtype, np.floating):
        bad = ~np.isfinite(x.reshape(len(x), -1)).all(1)
        _refuse_rows(key, x.shape, bad, "a number that is not finite", source)
    if table:
        return x.astype(np.float64)
    x = np.ascontiguousarray(x if x.dtype == np.uint8 else x.astype(np.float32))
    return x[:, None] if x.ndim == 3 else x


def _classes(
    raw: Mapping[str, np.ndarray], keys: Mapping[str, str], names: np.ndarray | None, source: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Indices of the sorted values in training, or of ``names`` where the file has them."""
    values = np.unique(raw["train"])
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        _refuse_rows("y", raw["train"].shape, ~np.isfinite(raw["train"]), "a number that is not finite", source)
    if names is not None:
        if names.ndim != 1 or not np.issubdtype(raw["train"].dtype, np.integer):
            what = f"class_names {names.shape} with y of {raw['train'].dtype}"
            raise DataError(
                f"{source}: found {what}; expected class_names (C,) and y of whole numbers from 0 to C − 1."
            )
        _refuse_twice(list(map(str, names)), source)
        values = np.arange(len(names))
    if len(values) < 2:
        raise DataError(f"{source}, key 'y': found {len(values)} class; expected two or more.")
    if len(values) > max(2, len(raw["train"]) // 2):
        raise DataError(
            f"{source}, key 'y': found {len(values):,} different values in {len(raw['train']):,} rows, too many for "
            "classes; expected few, or real values: data.target_kind=real task=regression."
        )
    codes = {}
    for split, y in raw.items():
        known = np.isin(y, values)
        shown = ", ".join(map(str, values[:20]))
        _refuse_rows(f"y{keys[split]}", y.shape, ~known, f"a class that is not one of {shown}", source)
        codes[split] = np.searchsorted(values, y).astype(np.int64)
    return codes, tuple(map(str, values if names is None else names))


def _refuse_twice(names: Sequence[str], source: str) -> None:
    """Two classes of one name would overwrite each other's metrics."""
    for name in names:
        if names.count(name) > 1:
            *first, last = (str(index) for index, each in enumerate(names) if each == name)
            raise DataError(
                f"{source}, key 'class_names': found {name!r} for the classes {', '.join(first)} and {last}; expected "
                "different names. Rename them, or merge the classes in y."
            )


def _reals(key: str, y: np.ndarray, source: str) -> np.ndarray:
    if not (np.issubdtype(y.dtype, np.number) and not np.issubdtype(y.dtype, np.complexfloating)):
        raise DataError(f"{source}, key {key!r}: found {y.dtype}, expected numbers for data.target_kind=real.")
    values = y.astype(np.float64)
    _refuse_rows(key, y.shape, ~np.isfinite(values), "a number that is not finite", source)
    return values


def _refuse_rows(key: str, shape: Sequence[int], bad: np.ndarray, what: str, source: str) -> None:
    if bad.any():
        row, more = int(np.flatnonzero(bad)[0]), int(bad.sum()) - 1
        also = f" (and {more} more)" if more else ""
        raise DataError(
            f"{source}, key {key!r} of shape {tuple(shape)}, row {row}{also}: found {what}; mend or remove the row."
        )


def _finished(path: Path, parts: Mapping[str, Split], names: tuple[str, ...], unit: str) -> DataSplits:
    """Inputs as the loader wants them, statistics of the training part; the record is of the raw values."""
    train, image = parts["train"], parts["train"].inputs.ndim == 4
    mean, std = (0.0, 1.0) if names else (train.targets.mean().item(), train.targets.std(correction=0).item())
    if std == 0:
        raise DataError(f"{path}, key 'y': found {mean:g} in every training row; expected the targets to vary.")
    raw = {key: {"inputs": part.inputs.numpy(), "targets": part.targets.numpy()} for key, part in parts.items()}
    spec = DataSpec(
        path.stem,
        "image" if image else "table",
        tuple(train.inputs.shape[1:]),
        "class" if names else "real",
        num_classes=len(names),
        class_names=names,
        target_name="y",
        target_unit=unit,
        target_mean=mean,
        target_std=std,
        class_counts=tuple(train.targets.bincount(minlength=len(names)).tolist()) if names else (),
    )
    record = record_of(spec, raw, str(path), dtype=str(train.inputs.numpy().dtype))
    centre, spread = train.inputs.double().mean(0), train.inputs.double().std(0, correction=0)
    spread = torch.where(spread > 0, spread, 1.0)

    def final(part: Split) -> Split:
        inputs = part.inputs if image else ((part.inputs - centre) / spread).float()
        return Split(inputs, part.targets if names else ((part.targets - mean) / std).float())

    normalise = Normalise.fitted(train.inputs) if image else None
    return DataSplits(spec, final(train), final(parts["val"]), final(parts["test"]), record, normalise)
