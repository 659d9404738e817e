"""Small sets that come with scikit-learn: no download, no files."""

from __future__ import annotations

import torch

from lorelab.data.images import image_splits, take
from lorelab.data.splits import DataSplits, Split, limited, provides, split_indices
from lorelab.data.tables import table_splits


@provides(inputs="image", targets="class", shape=(1, 8, 8), classes=10)
def digits(
    val_fraction: float = 0.15, test_fraction: float = 0.15, split_seed: int = 0, limit_train: int | None = None
) -> DataSplits:
    """1,797 handwritten digits (Alpaydin and Kaynak 1998), ``(1, 8, 8)`` in [0, 1], 10 classes."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    labels = bunch.target.astype("int64")
    everything = Split(torch.from_numpy(bunch.images / 16).float().unsqueeze(1), torch.from_numpy(labels))
    rows = split_indices(len(labels), val_fraction, test_fraction, split_seed, labels)
    rows = rows._replace(train=limited(rows.train, limit_train, split_seed, labels))
    parts = {name: take(everything, index) for name, index in rows._asdict().items()}
    return image_splits("digits", parts, "0123456789", "sklearn.datasets.load_digits")


@provides(inputs="table", targets="class", shape=(30,), classes=2)
def breast_cancer(
    val_fraction: float = 0.15, test_fraction: float = 0.15, split_seed: int = 0, limit_train: int | None = None
) -> DataSplits:
    """569 tumours (Wolberg et al. 1995), 30 numeric features, malignant (0) or benign (1)."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    names = tuple(map(str, bunch.target_names))
    return table_splits(
        bunch.data.assign(diagnosis=bunch.target.map(dict(enumerate(names)))),
        "diagnosis",
        name="breast_cancer",
        target_kind="class",
        class_names=names,
        source="sklearn.datasets.load_breast_cancer",
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        split_seed=split_seed,
        limit_train=limit_train,
    )


@provides(inputs="table", targets="real", shape=(10,))
def diabetes(
    val_fraction: float = 0.15, test_fraction: float = 0.15, split_seed: int = 0, limit_train: int | None = None
) -> DataSplits:
    """442 patients (Efron et al. 2004), 10 features in their own units, disease progression after a year (25–346)."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(as_frame=True, scaled=False)
    return table_splits(
        bunch.data.assign(progression=bunch.target),
        "progression",
        name="diabetes",
        target_kind="real",
        source="sklearn.datasets.load_diabetes",
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        split_seed=split_seed,
        limit_train=limit_train,
    )
