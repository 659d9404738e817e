"""Targets made wrong on purpose: how many, which, by which seed, and nothing else."""

import pytest
import torch

from lorelab.data.builtin import diabetes, digits
from lorelab.data.corruption import ScaleTargets, SwapTargets, corrupted
from lorelab.errors import DataError

DIABETES, DIGITS = diabetes(), digits(limit_train=200)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 1.0])
def test_scaled_targets_are_ten_times_as_large_in_their_own_unit_and_as_many_as_asked_for(fraction: float) -> None:
    spec, before = DIABETES.spec, DIABETES.train.targets
    after = corrupted(DIABETES, ScaleTargets(fraction, factor=10), seed=0).train.targets
    changed = after != before
    assert int(changed.sum()) == round(fraction * len(before))
    own = [each[changed].double() * spec.target_std + spec.target_mean for each in (before, after)]
    torch.testing.assert_close(own[1], 10 * own[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("splits", [DIABETES, DIGITS], ids=["values", "classes"])
def test_swapped_targets_are_the_same_ones_elsewhere(splits) -> None:
    before, after = splits.train.targets, corrupted(splits, SwapTargets(0.5), seed=0).train.targets
    assert torch.equal(before.sort().values, after.sort().values)
    assert 0.3 * len(before) < int((before != after).sum()) <= round(0.5 * len(before))


def test_the_seed_decides_which_and_everything_but_the_training_targets_stays() -> None:
    first, again, other = (corrupted(DIGITS, SwapTargets(0.5), seed) for seed in (0, 0, 1))
    assert torch.equal(first.train.targets, again.train.targets)
    assert not torch.equal(first.train.targets, other.train.targets)
    assert first.altered == again.altered != other.altered, "so that stacked runs do not take them for the same data"
    assert first.train.inputs is DIGITS.train.inputs
    assert (first.val, first.test, first.record, first.spec) == (DIGITS.val, DIGITS.test, DIGITS.record, DIGITS.spec)


def test_nothing_is_written_into_the_splits_given() -> None:
    before = DIGITS.train.targets.clone()
    corrupted(DIGITS, SwapTargets(1.0), seed=0)
    assert torch.equal(DIGITS.train.targets, before)


def test_values_out_of_range_and_targets_of_another_kind_are_refused() -> None:
    for make in (SwapTargets, ScaleTargets):
        with pytest.raises(ValueError, match="fraction is 2"):
            make(2)
    with pytest.raises(ValueError, match="factor is 0"):
        ScaleTargets(0.1, factor=0)
    with pytest.raises(DataError, match="of kind 'class'; this corruption expects 'real'"):
        corrupted(DIGITS, ScaleTargets(), seed=0)
