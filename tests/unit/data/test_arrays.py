"""Arrays as users have them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lorelab.data.arrays import arrays
from lorelab.errors import DataError

RNG = np.random.default_rng(0)
N = 60
ROWS = RNG.normal(5, 3, (N, 4))
IMAGES = RNG.integers(0, 256, (N, 3, 6, 5), dtype=np.uint8)
LABELS = np.arange(N) % 3
VALUES = RNG.normal(100, 20, N)


@pytest.fixture
def save(tmp_path: Path):
    def write(**content: object) -> str:
        np.savez(tmp_path / "mine.npz", **content)
        return str(tmp_path / "mine.npz")

    return write


def test_rows_of_numbers_are_a_table_standardised_by_the_training_rows(save) -> None:
    splits = arrays(save(x=ROWS, y=LABELS))
    assert (splits.spec.name, splits.spec.input_kind, splits.spec.input_shape) == ("mine", "table", (4,))
    assert (splits.spec.target_kind, splits.spec.class_names) == ("class", ("0", "1", "2"))
    np.testing.assert_allclose(splits.train.inputs.double().mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(splits.train.inputs.double().std(0, correction=0), 1, atol=1e-6)
    assert splits.train.inputs.dtype is torch.float32
    assert splits.record.sizes == {"train": 42, "val": 9, "test": 9}
    assert splits.spec.class_counts == (14, 14, 14)


def test_a_constant_feature_stays_finite(save) -> None:
    splits = arrays(save(x=np.ones((N, 2)), y=LABELS))
    assert (splits.train.inputs == 0).all()


@pytest.mark.parametrize(
    ("x", "shape", "dtype"),
    [
        (IMAGES, (3, 6, 5), torch.uint8),
        (IMAGES[:, 0], (1, 6, 5), torch.uint8),
        (IMAGES[:, 0] / 255, (1, 6, 5), torch.float32),
    ],
)
def test_three_and_four_axes_are_images(save, x, shape, dtype) -> None:
    splits = arrays(save(x=x, y=LABELS))
    assert (splits.spec.input_kind, splits.spec.input_shape, splits.train.inputs.dtype) == ("image", shape, dtype)
    assert splits.normalise is not None
    assert splits.normalise(splits.train.inputs).mean().item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("x", [ROWS, IMAGES])
def test_floats_are_real_targets_and_come_back_in_their_own_units(save, x) -> None:
    splits = arrays(save(x=x, y=VALUES), target_unit="m")
    assert (splits.spec.target_kind, splits.spec.target_unit, splits.spec.class_counts) == ("real", "m", ())
    own = torch.cat([part.targets.double() for part in splits.by_name().values()])
    np.testing.assert_allclose(
        np.sort(own * splits.spec.target_std + splits.spec.target_mean), np.sort(VALUES), rtol=1e-6
    )


def test_text_and_booleans_are_classes_and_numbers_can_be_either(save) -> None:
    assert arrays(save(x=ROWS, y=np.array(["b", "a"])[LABELS % 2])).spec.class_names == ("a", "b")
    assert arrays(save(x=ROWS, y=LABELS > 0)).spec.class_names == ("False", "True")
    assert arrays(save(x=ROWS, y=LABELS), target_kind="real").spec.target_kind == "real"
    assert arrays(save(x=ROWS, y=LABELS * 0.5), target_kind="class").spec.class_names == ("0.0", "0.5", "1.0")


def test_class_names_name_the_indices(save) -> None:
    splits = arrays(save(x=ROWS, y=LABELS, class_names=["cat", "ant", "bee"]))
    assert splits.spec.class_names == ("cat", "ant", "bee")
    assert splits.train.targets.bincount().tolist() == [14, 14, 14]


def test_splits_in_the_file_are_kept(save) -> None:
    path = save(x=ROWS, y=LABELS, x_test=ROWS[:6] + 100, y_test=LABELS[:6], x_val=ROWS[:3] + 50, y_val=LABELS[:3])
    splits = arrays(path, val_fraction=0.5, test_fraction=0.4)
    assert splits.record.sizes == {"train": N, "val": 3, "test": 6}
    assert splits.test.targets.tolist() == [0, 1, 2, 0, 1, 2]
    assert splits.record.schema["official_splits"] == ["val", "test"]
    half = arrays(save(x=ROWS, y=VALUES, x_test=ROWS[:6], y_test=VALUES[:6]), val_fraction=0.5)
    assert half.record.sizes == {"train": 30, "val": 30, "test": 6}


def test_the_same_file_gives_the_same_data_and_another_seed_other_splits(save) -> None:
    path = save(x=ROWS, y=LABELS)
    one, again, other = (arrays(path, split_seed=seed) for seed in (0, 0, 1))
    assert one.record == again.record
    assert torch.equal(one.train.inputs, again.train.inputs)
    assert one.record.fingerprint != other.record.fingerprint
    assert arrays(path, limit_train=9).record.sizes["train"] == 9


def with_nan(array: np.ndarray, *rows: int) -> np.ndarray:
    array = array.astype(float)
    array[list(rows)] = np.nan
    return array


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ({"x": ROWS}, {}, r"found the keys x; expected x and y together"),
        ({"x": ROWS, "y": LABELS, "x_val": ROWS}, {}, r"found the keys .*; expected x_val and y_val together"),
        ({"X": ROWS, "y": LABELS}, {}, r"found the key 'X', expected only x, y"),
        ({"x": ROWS, "y": LABELS[:-1]}, {}, r"key 'y': found shape \(59,\), expected \(60,\) as many as in 'x'"),
        ({"x": ROWS[:, 0], "y": LABELS}, {}, r"key 'x': found float64 \(60,\); expected numbers \(N, F\)"),
        ({"x": ROWS[:0], "y": LABELS[:0]}, {}, r"key 'x': found float64 \(0, 4\); expected .*at least one example"),
        ({"x": ROWS.astype(str), "y": LABELS}, {}, r"key 'x': found <U\d+ \(60, 4\); expected numbers"),
        (
            {"x": RNG.random((N, 32, 32, 3)), "y": LABELS},
            {},
            r"shape \(60, 32, 32, 3\), with the channels last.*x.transpose\(0, 3, 1, 2\)",
        ),
        (
            {"x": with_nan(ROWS, 7, 9), "y": LABELS},
            {},
            r"key 'x' of shape \(60, 4\), row 7 \(and 1 more\): found a number that is not finite; mend",
        ),
        ({"x": ROWS, "y": with_nan(VALUES, 3)}, {}, r"key 'y' of shape \(60,\), row 3: found a number that is not fin"),
        (
            {"x": ROWS, "y": with_nan(LABELS, 3)},
            {"target_kind": "class"},
            r"key 'y' of shape \(60,\), row 3: found a number that is not finite",
        ),
        (
            {"x": ROWS, "y": LABELS, "x_test": ROWS[:, :3], "y_test": LABELS},
            {},
            r"key 'x_test': found float64 \(60, 3\), expected float64 \('N', 4\) as in 'x'",
        ),
        (
            {"x": ROWS, "y": LABELS, "x_test": ROWS, "y_test": LABELS + 1},
            {},
            r"key 'y_test' .*row 2 \(and 19 more\): found a class that is not one of 0, 1, 2",
        ),
        ({"x": ROWS, "y": LABELS, "class_names": ["a", "b"]}, {}, r"found a class that is not one of 0, 1"),
        ({"x": ROWS, "y": VALUES > 0, "class_names": ["a", "b"]}, {}, r"found class_names \(2,\) with y of bool"),
        (
            {"x": ROWS, "y": LABELS, "class_names": ["cat", "dog", "cat"]},
            {},
            r"key 'class_names': found 'cat' for the classes 0 and 2; expected different names",
        ),
        (
            {"x": ROWS, "y": LABELS, "class_names": np.array([7, 7, 7])},
            {},
            r"found '7' for the classes 0, 1 and 2; expected different names",
        ),
        ({"x": ROWS, "y": np.zeros(N, int)}, {}, r"key 'y': found 1 class; expected two or more"),
        ({"x": ROWS, "y": np.arange(N)}, {}, r"found 60 different values .*data.target_kind=real task=regression"),
        ({"x": ROWS, "y": np.zeros(N)}, {}, r"found 0 in every training row; expected the targets to vary"),
        ({"x": ROWS, "y": LABELS.astype(str)}, {"target_kind": "real"}, r"found <U\d+, expected numbers"),
        ({"x": ROWS, "y": np.array([*"ab"] * 29 + ["c", "d"])}, {}, r"too few examples of 'c' \(1\), 'd' \(1\)"),
        ({"x": ROWS, "y": LABELS}, {"target_kind": "x"}, r"data.target_kind: found 'x', expected auto, class or real"),
        ({"x": ROWS, "y": LABELS.astype(object)}, {}, r"holds Python objects, which could run code.*y.astype\(str\)"),
    ],
)
def test_what_cannot_be_used_is_refused_with_key_shape_and_row(save, content, options, message) -> None:
    with pytest.raises(DataError, match=message):
        arrays(save(**content), **options)


def test_a_file_that_is_no_archive_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=r"no.npz cannot be read \(No such file or directory\); expected a NumPy .npz"):
        arrays(str(tmp_path / "no.npz"))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DataError, match=r"cut.npz cannot be read"):
        arrays(str(tmp_path / "cut.npz"))
    np.save(tmp_path / "one.npy", ROWS)
    with pytest.raises(DataError, match=r"found one array without a name; expected a .npz"):
        arrays(str(tmp_path / "one.npy"))
