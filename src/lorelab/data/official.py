"""Splits that come with the data are respected; those that do not are taken from the training part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from lorelab.data.images import take
from lorelab.data.splits import Split, limited, split_indices
from lorelab.errors import DataError


def complete(
    given: Mapping[str, Split],
    class_names: Sequence[str],
    source: str,
    *,
    val_fraction: float,
    test_fraction: float,
    split_seed: int,
    limit_train: int | None = None,
) -> dict[str, Split]:
    """Training, validation and test split from ``given``, which has "train" and perhaps "val" or "test".

    What is not given is drawn from "train" by its fraction of that, stratified where there are ``class_names``; a
    fraction for a split that is given has no effect.

    Raises:
        DataError: a class has too few examples to be in every split, or the fractions leave a split empty.
    """
    pool = given["train"]
    labels = pool.targets.numpy() if class_names else None
    wanted = {"val": val_fraction, "test": test_fraction}
    drawn = {name: 0.0 if name in given else fraction for name, fraction in wanted.items()}
    if labels is not None:
        require_examples(labels, class_names, source, splits=1 + sum(value > 0 for value in drawn.values()))
    rows = split_indices(len(pool), drawn["val"], drawn["test"], split_seed, labels)
    rows = rows._replace(train=limited(rows.train, limit_train, split_seed, labels))
    parts = {name: take(pool, index) if len(index) else _none_of(pool) for name, index in rows._asdict().items()}
    return {name: given[name] if name in given and name != "train" else part for name, part in parts.items()}


def require_examples(labels: np.ndarray, class_names: Sequence[str], source: str, *, splits: int) -> None:
    """Refuses classes (indices ``labels`` ``(N,)``) with fewer examples than there are splits to draw.

    Raises:
        DataError: naming every such class with its count.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    few = [f"{name!r} ({count})" for name, count in zip(class_names, counts, strict=True) if count < splits]
    if few:
        shown = ", ".join(few[:20]) + (f" and {len(few) - 20} more" if len(few) > 20 else "")
        raise DataError(
            f"{source}: found too few examples of {shown}; expected at least {splits} of each class, one for every "
            f"split drawn from them. Add examples, merge or drop the class, or draw fewer splits "
            "(data.val_fraction=0 or data.test_fraction=0)."
        )


def absent_classes(parts: Mapping[str, Split], class_names: Sequence[str]) -> list[str]:
    """One caution per split that lacks a class: it is not learnt from training without it, and metrics of the other
    splits say nothing of it."""
    cautions = []
    for name in ("train", "val", "test"):
        counts = torch.bincount(parts[name].targets, minlength=len(class_names)).tolist()
        absent = [each for each, count in zip(class_names, counts, strict=True) if not count]
        if absent and len(parts[name]):
            shown = ", ".join(map(repr, absent[:10])) + (" and others" if len(absent) > 10 else "")
            lost = ": it cannot be learnt; add examples, or change data.val_fraction, test_fraction or limit_train"
            cautions.append(f"the {name} split has no example of {shown}" + (lost if name == "train" else ""))
    return cautions


def _none_of(split: Split) -> Split:
    return Split(split.inputs[:0], split.targets[:0])
