"""The contract of a source, over every source that can be loaded here."""

import functools
import hashlib
import inspect

import numpy as np
import pytest
import torch

from lorelab.data.builtin import breast_cancer, diabetes, digits
from lorelab.data.california import california
from lorelab.data.files import data_root
from lorelab.errors import DataError

SOURCES = [digits, breast_cancer, diabetes, california]


@pytest.fixture(params=SOURCES, ids=lambda source: source.__name__)
def source(request):
    if request.param is california and not (data_root() / "california_housing" / "housing.csv").is_file():
        pytest.skip(f"no california_housing/housing.csv below the data root {data_root()}")
    return request.param


load = functools.cache(lambda source: source())


@pytest.fixture
def splits(source):
    return load(source)


def test_the_spec_agrees_with_the_arrays(source, splits) -> None:
    spec = splits.spec
    assert (spec.input_kind, spec.target_kind) == (source.provides_inputs, source.provides_targets)
    assert source.provides_shape in (None, spec.input_shape)
    assert source.provides_classes == (spec.num_classes or None)
    for split in splits.by_name().values():
        assert tuple(split.inputs.shape[1:]) == spec.input_shape
        assert split.inputs.isfinite().all()
        assert split.targets.dtype == (torch.int64 if spec.target_kind == "class" else torch.float32)
    if spec.target_kind == "class":
        assert splits.train.targets.unique().tolist() == list(range(spec.num_classes))
        assert len(spec.class_names) == spec.num_classes


def test_the_record_agrees_with_the_arrays(splits) -> None:
    assert splits.record.name == splits.spec.name
    assert splits.record.sizes == {name: len(split) for name, split in splits.by_name().items()}
    assert splits.record.schema["input_shape"] == list(splits.spec.input_shape)
    assert len(splits.record.fingerprint) == 64


def test_no_example_is_in_two_splits(splits) -> None:
    rows = [row.numpy().tobytes() for split in splits.by_name().values() for row in split.inputs]
    everything = len(set(rows))
    assert (
        sum(len({row.numpy().tobytes() for row in split.inputs}) for split in splits.by_name().values()) == everything
    )


def test_the_same_seed_gives_the_same_data_and_another_seed_other_data(source, splits) -> None:
    again, other = source(), source(split_seed=1)
    assert splits.record == again.record
    assert torch.equal(splits.train.inputs, again.train.inputs)
    assert other.record.fingerprint != splits.record.fingerprint


def test_what_is_fitted_is_fitted_on_the_training_split(splits) -> None:
    if splits.normalise is not None:
        inputs = splits.normalise(splits.train.inputs)
    else:
        numeric = [kind == "numeric" for kind in splits.record.schema["columns"].values()]
        inputs = splits.train.inputs[:, : sum(numeric)]
    axes = [axis for axis in range(inputs.ndim) if axis != 1]
    np.testing.assert_allclose(inputs.double().mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(inputs.double().std(axes, correction=0), 1, atol=1e-5)
    if splits.spec.target_kind == "real":
        assert splits.train.targets.double().mean().item() == pytest.approx(0, abs=1e-6)
        assert splits.train.targets.double().std(correction=0).item() == pytest.approx(1, abs=1e-6)


def test_a_limit_shrinks_training_only(source, splits) -> None:
    limited = source(limit_train=100)
    assert limited.record.sizes == {**splits.record.sizes, "train": 100}


def test_every_source_can_be_split_otherwise_and_limited(source) -> None:
    assert {"val_fraction", "split_seed", "limit_train"} <= set(inspect.signature(source).parameters)


def test_digits_are_the_published_images_scaled_to_one() -> None:
    from sklearn.datasets import load_digits

    splits = digits()
    published = {image.astype(np.float32).tobytes() for image in load_digits().images / 16}
    assert {image.numpy().tobytes() for image in splits.train.inputs} <= published
    assert (splits.train.inputs.min(), splits.train.inputs.max()) == (0, 1)


def test_breast_cancer_keeps_scikit_learns_classes() -> None:
    splits = breast_cancer()
    assert splits.spec.class_names == ("malignant", "benign")
    assert sum(int((split.targets == 0).sum()) for split in splits.by_name().values()) == 212


def test_diabetes_targets_come_back_in_their_own_units() -> None:
    from sklearn.datasets import load_diabetes

    splits = diabetes()
    own = torch.cat([split.targets for split in splits.by_name().values()]).double()
    own = own * splits.spec.target_std + splits.spec.target_mean
    np.testing.assert_allclose(np.sort(own), np.sort(load_diabetes().target), rtol=1e-6)


def test_california_is_downloaded_when_absent(tmp_path, monkeypatch, serve) -> None:
    rows = [f"{i},{i % 7},{1000 * i}.0,{('INLAND', 'ISLAND')[i % 2]}" for i in range(40)]
    text = "\n".join(["longitude,total_rooms,median_house_value,ocean_proximity", *rows]).encode()
    monkeypatch.setattr("lorelab.data.california.URL", serve({"housing.csv": text}) + "housing.csv")
    monkeypatch.setattr("lorelab.data.california.MD5", hashlib.md5(text).hexdigest())
    assert california(tmp_path).record.sizes == {"train": 28, "val": 6, "test": 6}
    assert (tmp_path / "california_housing" / "housing.csv").read_bytes() == text


def test_a_damaged_california_file_is_named(tmp_path) -> None:
    path = tmp_path / "california_housing" / "housing.csv"
    path.parent.mkdir()
    path.write_text("longitude,latitude\n1,2\n")
    with pytest.raises(
        DataError, match=f"{path} is damaged: found md5 .*expected md5 d1c47305887e2252bf1ccbd74ff159a6"
    ):
        california(tmp_path)


def test_california_has_its_categories_and_says_where_bedrooms_are_missing() -> None:
    if not (data_root() / "california_housing" / "housing.csv").is_file():
        pytest.skip(f"no california_housing/housing.csv below the data root {data_root()}")
    splits = california()
    features = splits.record.schema["features"]
    missing = features.index("missingindicator_total_bedrooms")
    assert sum(int(split.inputs[:, missing].sum()) for split in splits.by_name().values()) == 207
    assert sum(name.startswith("ocean_proximity_") for name in features) == 5
    assert (splits.spec.target_unit, sum(splits.record.sizes.values())) == ("USD", 20_640)
