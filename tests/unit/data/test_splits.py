import hashlib

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lorelab.data.splits import Normalise, fingerprint, limited, provides, split_indices
from lorelab.errors import DataError

FRACTIONS = st.floats(0.05, 0.4)


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 300), FRACTIONS, FRACTIONS, st.integers(0, 2**31), st.booleans())
def test_splits_are_disjoint_exhaustive_sorted_and_of_the_sizes_asked_for(n, val, test, seed, stratified) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, n) if stratified else None
    rows = split_indices(n, val, test, seed, labels)
    assert sorted(np.concatenate(rows)) == list(range(n))
    assert all((np.diff(part) > 0).all() for part in rows)
    assert (len(rows.val), len(rows.test)) == (round(n * val), round(n * test))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=8), FRACTIONS, FRACTIONS, st.integers(0, 2**31))
def test_every_class_keeps_its_share_in_every_split(counts, val, test, seed) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    n = len(labels)
    assume(min(round(n * val), round(n * test), n - round(n * val) - round(n * test)) >= 1)
    rows = split_indices(n, val, test, seed, labels)
    for part, slack in ((rows.test, 1), (rows.val, 2), (rows.train, 2)):
        exact = np.array(counts) * len(part) / n
        assert (np.abs(np.bincount(labels[part], minlength=len(counts)) - exact) < slack).all()


def test_shares_of_ten_and_five_examples_by_hand() -> None:
    labels = np.array([0] * 10 + [1] * 5)
    rows = split_indices(15, 0.2, 0.2, 0, labels)
    counts = [np.bincount(labels[part]).tolist() for part in rows]
    assert counts == [[6, 3], [2, 1], [2, 1]]


def test_the_split_is_the_same_on_every_machine() -> None:
    rows = split_indices(10, 0.2, 0.3, seed=0)
    assert (rows.val.tolist(), rows.test.tolist()) == ([3, 5], [2, 4, 6])  # measured once, to be kept for ever


def test_another_seed_gives_another_split_and_the_same_seed_the_same() -> None:
    labels = np.arange(100) % 5
    first, again, other = (split_indices(100, 0.2, 0.2, seed, labels) for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first.test != other.test).any()


@pytest.mark.parametrize(("val", "test"), [(0.6, 0.4), (-0.1, 0.2), (0.2, 1.0)])
def test_fractions_that_leave_nothing_to_train_on_are_refused(val: float, test: float) -> None:
    with pytest.raises(DataError, match=r"val_fraction=.*expected both at least 0 and their sum below 1"):
        split_indices(100, val, test, 0)


def test_a_split_that_would_be_empty_is_refused() -> None:
    with pytest.raises(DataError, match=r"leaves 3 for training, 0 for validation .* expected at least one each"):
        split_indices(3, 0.1, 0.0, 0)


def test_a_limited_split_is_a_subset_with_the_same_shares() -> None:
    labels = np.array([0, 0, 0, 1] * 25)
    rows = np.arange(0, 100)
    kept = limited(rows, 20, 0, labels)
    assert set(kept) <= set(rows)
    assert np.bincount(labels[kept]).tolist() == [15, 5]
    assert limited(rows, None, 0, labels) is rows
    assert limited(rows, 100, 0, labels) is rows


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(DataError, match="Limiting a split to 0 examples: expected at least 1, or null"):
        limited(np.arange(5), 0, 0)


def test_normalised_uint8_images_have_mean_0_and_deviation_1_per_channel() -> None:
    images = torch.randint(0, 256, (50, 3, 5, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[:, 1] //= 4
    normalise = Normalise.fitted(images)
    flat = images.double().transpose(0, 1).flatten(1).numpy()
    np.testing.assert_allclose(normalise.mean, flat.mean(1), rtol=1e-12)
    np.testing.assert_allclose(normalise.std, flat.std(1), rtol=1e-12)
    out = normalise(images)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.ones(3))


def test_float_images_are_normalised_by_the_same_rule_and_left_as_they_were() -> None:
    images = torch.randint(0, 256, (10, 2, 3, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    before = images.float()
    of_floats, of_bytes = Normalise.fitted(before), Normalise.fitted(images)
    np.testing.assert_allclose((of_floats.mean, of_floats.std), (of_bytes.mean, of_bytes.std), rtol=1e-12)
    of_floats(before)
    assert torch.equal(before, images.float())


def test_a_constant_channel_becomes_zero_and_not_a_division_by_zero() -> None:
    images = torch.full((4, 1, 2, 2), 7, dtype=torch.uint8)
    assert Normalise.fitted(images)(images).eq(0).all()


def test_the_fingerprint_of_one_small_array_by_hand() -> None:
    array = np.array([[1, 2]], dtype=np.int16)
    header = b'["train", "x", "<i2", [1, 2]]'
    expected = hashlib.sha256(header + b"\x01\x00\x02\x00").hexdigest()
    assert fingerprint({"train": {"x": array}}) == expected
    assert fingerprint({"train": {"x": array.astype(">i2")}}) == expected
    assert fingerprint({"train": {"x": np.asfortranarray(array)}}) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"train": {"x": np.array([[1, 3]], dtype=np.int16)}},
        {"train": {"x": np.array([[1], [2]], dtype=np.int16)}},
        {"train": {"x": np.array([[1, 2]], dtype=np.uint16)}},
        {"train": {"y": np.array([[1, 2]], dtype=np.int16)}},
        {"val": {"x": np.array([[1, 2]], dtype=np.int16)}},
    ],
    ids=["value", "shape", "type", "name", "split"],
)
def test_the_fingerprint_sees_a_change_of(other) -> None:
    assert fingerprint(other) != fingerprint({"train": {"x": np.array([[1, 2]], dtype=np.int16)}})


def test_the_fingerprint_of_text_tells_missing_from_empty_and_joined() -> None:
    prints = {
        fingerprint({"train": {"x": np.array(values, dtype=object)}})
        for values in (["a", "b"], ["ab", ""], ["a", np.nan], ["a", ""], ["a", "nan"])
    }
    assert len(prints) == 5


def test_a_source_says_what_it_provides_before_it_is_called() -> None:
    @provides(inputs="image", targets="class")
    def source():
        raise AssertionError("not to be called")

    assert (source.provides_inputs, source.provides_targets) == ("image", "class")
    assert source.provides_shape is source.provides_classes is None
