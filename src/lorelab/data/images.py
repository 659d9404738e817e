"""Image sets that torchvision knows: Fashion-MNIST, MNIST, CIFAR-10. Downloaded when absent, verified at every load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from lorelab.data.files import data_root, fetch, verify
from lorelab.data.splits import DataSplits, Normalise, Split, limited, provides, record_of, split_indices
from lorelab.errors import DataError
from lorelab.records import DataSpec

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10, MNIST

# md5 of the unpacked files. torchvision checks the archives it downloads, not what lies on the disk ever after.
FASHION_MNIST_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@provides(inputs="image", targets="class", shape=(1, 28, 28), classes=10)
def fashion_mnist(
    root: str | None = None,
    val_fraction: float = 0.1,
    split_seed: int = 0,
    limit_train: int | None = None,
    limit_test: int | None = None,
) -> DataSplits:
    """Fashion-MNIST (Xiao et al. 2017), ``(1, 28, 28)``, 10 classes; validation is a share of the 60,000, the official
    10,000 are the test split.

    Raises:
        DataError: a file is absent and cannot be downloaded, or is damaged.
    """
    from torchvision.datasets import FashionMNIST

    folder = data_root(root)
    train, test = read_idx(FashionMNIST, folder, FASHION_MNIST_MD5)
    names = tuple(FashionMNIST.classes)
    return with_official_test(
        "fashion_mnist", train, test, names, str(folder), val_fraction, split_seed, limit_train, limit_test
    )


@provides(inputs="image", targets="class", shape=(1, 28, 28), classes=10)
def mnist(
    root: str | None = None,
    val_fraction: float = 0.1,
    split_seed: int = 0,
    limit_train: int | None = None,
    limit_test: int | None = None,
) -> DataSplits:
    """MNIST (LeCun et al. 1998), ``(1, 28, 28)``, 10 classes; split, and refused, as Fashion-MNIST."""
    from torchvision.datasets import MNIST

    folder = data_root(root)
    train, test = read_idx(MNIST, folder, MNIST_MD5)
    return with_official_test(
        "mnist", train, test, tuple("0123456789"), str(folder), val_fraction, split_seed, limit_train, limit_test
    )


@provides(inputs="image", targets="class", shape=(3, 32, 32), classes=10)
def cifar10(
    root: str | None = None,
    val_fraction: float = 0.1,
    split_seed: int = 0,
    limit_train: int | None = None,
    limit_test: int | None = None,
) -> DataSplits:
    """CIFAR-10 (Krizhevsky 2009), ``(3, 32, 32)``, 10 classes; validation is a share of the 50,000, the official 10,000
    are the test split. Refused as Fashion-MNIST."""
    from torchvision.datasets import CIFAR10

    folder = data_root(root)
    train, test, names = read_cifar(CIFAR10, folder)
    return with_official_test(
        "cifar10", train, test, names, str(folder), val_fraction, split_seed, limit_train, limit_test
    )


def read_idx(dataset: type[MNIST], root: Path, checksums: Mapping[str, str]) -> tuple[Split, Split]:
    """Train and test part of a set in MNIST's format below ``root/NAME/raw``, as uint8 ``(N, 1, H, W)`` and int64
    ``(N,)``. ``checksums``: md5 by the name of the unpacked file.

    Raises:
        DataError: absent and not to be downloaded, or a file is not what its md5 says.
    """
    from torchvision.datasets.mnist import read_image_file, read_label_file

    folder = root / dataset.__name__ / "raw"
    fetch(dataset.__name__, [folder / name for name in checksums], lambda: dataset(root, download=True))
    verify(folder, checksums)
    train, test = (
        Split(
            read_image_file(str(folder / f"{part}-images-idx3-ubyte")).unsqueeze(1),
            read_label_file(str(folder / f"{part}-labels-idx1-ubyte")),
        )
        for part in ("train", "t10k")
    )
    return train, test


def read_cifar(dataset: type[CIFAR10], root: Path) -> tuple[Split, Split, tuple[str, ...]]:
    """Train part, test part and class names of a set in CIFAR's format: uint8 ``(N, 3, 32, 32)`` and int64 ``(N,)``.

    Raises:
        DataError: absent and not to be downloaded, or a file is not what torchvision's md5 says.
    """
    folder = root / dataset.base_folder
    meta = (dataset.meta["filename"], dataset.meta["md5"])
    checksums = dict([*dataset.train_list, *dataset.test_list, meta])
    fetch(dataset.__name__, [folder / name for name in checksums], lambda: dataset(root, download=True))
    try:
        parts = [dataset(root, train=train) for train in (True, False)]
    except RuntimeError as error:  # torchvision's check failed; ours says which file
        verify(folder, checksums)
        raise DataError(f"{folder} cannot be read: {error}") from error
    train, test = (
        Split(torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets))
        for part in parts
    )
    return train, test, tuple(parts[0].classes)


def with_official_test(
    name: str,
    train: Split,
    test: Split,
    class_names: tuple[str, ...],
    source: str,
    val_fraction: float,
    split_seed: int,
    limit_train: int | None = None,
    limit_test: int | None = None,
) -> DataSplits:
    """Takes validation from ``train`` (stratified) and leaves ``test`` what it is, but for ``limit_test``."""
    labels = train.targets.numpy()
    rows = split_indices(len(train), val_fraction, 0.0, split_seed, labels)
    kept = limited(rows.train, limit_train, split_seed, labels)
    tested = limited(np.arange(len(test)), limit_test, split_seed, test.targets.numpy())
    parts = {"train": take(train, kept), "val": take(train, rows.val), "test": take(test, tested)}
    return image_splits(name, parts, class_names, source)


def image_splits(name: str, parts: Mapping[str, Split], class_names: Iterable[str], source: str) -> DataSplits:
    """Images ``(N, C, H, W)`` by split, with what they are normalised by and the record of their raw values."""
    train = parts["train"]
    names = tuple(class_names)
    spec = DataSpec(
        name,
        "image",
        tuple(train.inputs.shape[1:]),
        "class",
        num_classes=len(names),
        class_names=names,
        target_name="class",
        class_counts=tuple(train.targets.bincount(minlength=len(names)).tolist()),
    )
    normalise = Normalise.fitted(train.inputs)
    raw = {key: {"inputs": part.inputs.numpy(), "targets": part.targets.numpy()} for key, part in parts.items()}
    facts = {"dtype": str(train.inputs.numpy().dtype), "mean": list(normalise.mean), "std": list(normalise.std)}
    record = record_of(spec, raw, source, **facts)
    return DataSplits(spec, train, parts["val"], parts["test"], record, normalise)


def take(split: Split, rows: np.ndarray) -> Split:
    """The rows ``rows`` of ``split``; the split itself, uncopied, where that is all of it."""
    if len(rows) == len(split):
        return split
    index = torch.from_numpy(rows)
    return Split(split.inputs.index_select(0, index), split.targets.index_select(0, index))
