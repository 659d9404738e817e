import gzip
import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, MNIST

from lorelab.data.files import data_root
from lorelab.data.images import fashion_mnist, mnist, read_cifar, read_idx, with_official_test
from lorelab.data.splits import Split
from lorelab.errors import DataError

RNG = np.random.default_rng(0)
IMAGES = {"train": RNG.integers(0, 256, (12, 5, 4), dtype=np.uint8), "t10k": RNG.integers(0, 256, (6, 5, 4), np.uint8)}
LABELS = {"train": np.arange(12, dtype=np.uint8) % 3, "t10k": np.arange(6, dtype=np.uint8) % 3}


def idx(array: np.ndarray) -> bytes:
    """The format of LeCun's files: two zero bytes, type 8 (uint8), rank, sizes in big-endian, values."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


CONTENT = {f"{part}-images-idx3-ubyte": idx(IMAGES[part]) for part in IMAGES} | {
    f"{part}-labels-idx1-ubyte": idx(LABELS[part]) for part in LABELS
}
CHECKSUMS = {name: hashlib.md5(content).hexdigest() for name, content in CONTENT.items()}


class TinyMNIST(MNIST):
    """Torchvision's reader and downloader over twelve hand-made images."""

    mirrors = ()
    resources = tuple(
        (f"{name}.gz", hashlib.md5(gzip.compress(CONTENT[name], mtime=0)).hexdigest()) for name in CONTENT
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    raw = tmp_path / "TinyMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in CONTENT.items():
        (raw / name).write_bytes(content)
    return tmp_path


def test_idx_files_become_uint8_images_with_a_channel_and_int64_labels(root) -> None:
    train, test = read_idx(TinyMNIST, root, CHECKSUMS)
    assert torch.equal(train.inputs, torch.from_numpy(IMAGES["train"]).unsqueeze(1))
    assert torch.equal(test.targets, torch.from_numpy(LABELS["t10k"]).long())
    assert (train.inputs.dtype, test.targets.dtype) == (torch.uint8, torch.int64)


def test_absent_files_are_downloaded_and_unpacked(tmp_path, monkeypatch, serve) -> None:
    url = serve({f"{name}.gz": gzip.compress(content, mtime=0) for name, content in CONTENT.items()})
    monkeypatch.setattr(TinyMNIST, "mirrors", (url,))
    train, _ = read_idx(TinyMNIST, tmp_path / "root", CHECKSUMS)
    assert torch.equal(train.inputs.squeeze(1), torch.from_numpy(IMAGES["train"]))


def test_absent_files_and_no_server_say_where_it_looked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(TinyMNIST, "mirrors", ((tmp_path / "nowhere").as_uri() + "/",))
    with pytest.raises(DataError, match=rf"(?s)TinyMNIST is not there: looked for {tmp_path}.*Set LORELAB_DATA_DIR"):
        read_idx(TinyMNIST, tmp_path, CHECKSUMS)


@pytest.mark.parametrize("damage", [lambda content: content[:-3], lambda content: content[:-1] + b"\x07"])
def test_a_truncated_or_changed_file_is_named(root, damage) -> None:
    path = root / "TinyMNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"{path} is damaged: found md5 .*, expected md5 {CHECKSUMS[path.name]}"):
        read_idx(TinyMNIST, root, CHECKSUMS)


def test_the_official_test_set_stays_the_test_set_and_statistics_are_of_the_training_rows(root) -> None:
    train, test = read_idx(TinyMNIST, root, CHECKSUMS)
    splits = with_official_test("tiny", train, test, ("a", "b", "c"), str(root), 0.25, split_seed=0)
    assert splits.test is test
    assert splits.record.sizes == {"train": 9, "val": 3, "test": 6}
    assert splits.val.targets.sort().values.tolist() == [0, 1, 2]
    pixels = splits.train.inputs.double()
    assert splits.normalise is not None
    assert splits.normalise.mean == pytest.approx((pixels.mean().item(),), rel=1e-12)
    assert splits.normalise.std == pytest.approx((pixels.std(correction=0).item(),), rel=1e-12)
    assert splits.record.schema["mean"] == list(splits.normalise.mean)


def test_limits_take_stratified_subsets_and_leave_validation_alone() -> None:
    images = Split(torch.arange(60, dtype=torch.uint8).view(60, 1, 1, 1), torch.arange(60) % 3)
    full, small = (
        with_official_test("t", images, images, ("a", "b", "c"), "", 0.2, 0, limit, limit) for limit in (None, 12)
    )
    assert torch.equal(full.val.inputs, small.val.inputs)
    assert small.train.targets.bincount().tolist() == small.test.targets.bincount().tolist() == [4, 4, 4]
    assert set(small.train.inputs.flatten().tolist()) < set(full.train.inputs.flatten().tolist())
    assert full.record.fingerprint != small.record.fingerprint


@pytest.fixture
def cifar(tmp_path: Path) -> type[CIFAR10]:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    contents = {
        "data_batch_1": {"data": RNG.integers(0, 256, (4, 3072), dtype=np.uint8), "labels": [0, 1, 1, 0]},
        "test_batch": {"data": RNG.integers(0, 256, (2, 3072), dtype=np.uint8), "labels": [1, 0]},
        "batches.meta": {"label_names": ["cat", "dog"]},
    }
    md5 = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        md5[name] = hashlib.md5(pickle.dumps(content)).hexdigest()

    class TinyCIFAR(CIFAR10):
        train_list = (("data_batch_1", md5["data_batch_1"]),)
        test_list = (("test_batch", md5["test_batch"]),)
        meta = {"filename": "batches.meta", "key": "label_names", "md5": md5["batches.meta"]}  # noqa: RUF012
        content = contents

    return TinyCIFAR


def test_cifar_files_become_channels_first_images(tmp_path, cifar) -> None:
    train, test, names = read_cifar(cifar, tmp_path)
    assert torch.equal(train.inputs, torch.from_numpy(cifar.content["data_batch_1"]["data"]).view(4, 3, 32, 32))
    assert train.inputs.is_contiguous()
    assert (train.targets.tolist(), test.targets.tolist(), names) == ([0, 1, 1, 0], [1, 0], ("cat", "dog"))


def test_a_damaged_cifar_file_is_named(tmp_path, cifar) -> None:
    path = tmp_path / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"{path} is damaged: .*expected md5"):
        read_cifar(cifar, tmp_path)


@pytest.mark.parametrize(("source", "folder"), [(fashion_mnist, "FashionMNIST"), (mnist, "MNIST")])
def test_the_real_files_load_as_published_and_the_root_is_left_untouched(source, folder) -> None:
    raw = data_root() / folder / "raw"
    if not (raw / "train-images-idx3-ubyte").is_file():
        pytest.skip(f"no {folder} below the data root {data_root()}")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in raw.iterdir())
    splits = source(limit_train=1000)
    assert splits.record.sizes == {"train": 1000, "val": 6000, "test": 10_000}
    assert splits.spec.input_shape == (1, 28, 28)
    if folder == "FashionMNIST":
        assert splits.test.targets.bincount().tolist() == [1000] * 10
    assert sorted((path.name, path.stat().st_mtime_ns) for path in raw.iterdir()) == before
