"""Views and noise points: an axis more, one draw per example, the same in every evaluation."""

import pytest
import torch

from lorelab.data.augment import HorizontalFlip
from lorelab.data.densities import Mixture, sampled
from lorelab.data.loading import DataModule
from lorelab.data.views import FeatureCorruption, Jitter, NoisePoints, RandomResizedCrop, TwoViews

IMAGES = torch.rand(64, 3, 12, 12, generator=torch.Generator().manual_seed(9))
ROWS = torch.arange(2000.0).reshape(500, 4)
MADE = {
    "two-views": (TwoViews([RandomResizedCrop(), HorizontalFlip(), Jitter()]), IMAGES),
    "corruption": (FeatureCorruption(0.5), ROWS),
    "crop": (RandomResizedCrop(0.2), IMAGES),
    "jitter": (Jitter(), IMAGES),
    "noise": (NoisePoints(3, 2.0), ROWS[:, :2]),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", MADE)
def test_what_is_drawn_depends_on_the_generator_alone_and_nothing_is_written_to(name):
    augment, inputs = MADE[name]
    before = inputs.clone()
    torch.manual_seed(1)
    one = augment(inputs, seeded())
    torch.manual_seed(2)
    assert torch.equal(one, augment(inputs, seeded()))
    assert not torch.equal(one, augment(inputs, seeded(1)))
    assert torch.equal(inputs, before)


def test_two_views_are_neighbours_and_differ():
    views = TwoViews([RandomResizedCrop()])(IMAGES, seeded())
    assert views.shape == (64, 2, 3, 12, 12)
    assert not torch.isclose(views[:, 0], views[:, 1]).flatten(1).all(1).any()


def test_the_original_can_be_kept_as_the_first_view():
    views = TwoViews([FeatureCorruption(0.5)], keep_original=True)(ROWS, seeded())
    assert torch.equal(views[:, 0], ROWS)
    assert not torch.equal(views[:, 1], ROWS)


def test_two_views_accept_what_all_their_transforms_accept():
    assert TwoViews([RandomResizedCrop(), HorizontalFlip()]).accepts_inputs == {"image"}
    assert TwoViews([FeatureCorruption()]).accepts_inputs == {"table", "points"}
    with pytest.raises(ValueError, match="no kind of input suits all of FeatureCorruption, Jitter"):
        TwoViews([FeatureCorruption(), Jitter()])
    with pytest.raises(ValueError, match="expected at least one"):
        TwoViews([])


def test_corruption_takes_the_column_of_another_row_at_the_given_rate():
    corrupted = FeatureCorruption(0.3)(ROWS, seeded())
    assert torch.equal(corrupted % 4, ROWS % 4)  # column j holds 4 i + j: every value is still of its own column
    changed = corrupted != ROWS
    assert changed.double().mean().item() == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 2000) ** 0.5)
    assert 0 < changed[:, 0].logical_xor(changed[:, 1]).sum() < 500  # an independent draw per value


def test_a_crop_of_the_whole_image_is_the_image():
    torch.testing.assert_close(RandomResizedCrop(1.0)(IMAGES, seeded()), IMAGES)


def test_a_crop_of_a_ramp_is_a_flatter_ramp_that_stays_within_it():
    ramp = torch.linspace(0, 1, 32).expand(2000, 1, 32, 32)
    cropped = RandomResizedCrop(0.25)(ramp, seeded())
    inner = cropped[:, 0, :, 8:24]
    area = (inner.diff(dim=-1).mean((1, 2)) * 31).square()  # the slope is the crop's side
    assert cropped.min() >= 0
    assert cropped.max() <= 1
    assert area.min() >= 0.25 - 1e-5
    assert area.max() <= 1 + 1e-5
    assert area.mean().item() == pytest.approx((0.25 + 1) / 2, abs=0.02)
    assert cropped.mean((1, 2, 3)).mean().item() == pytest.approx(0.5, abs=0.01)


def test_jitter_is_one_affine_map_per_image_within_its_bounds():
    two_tones = torch.tensor([-1.0, 1.0]).expand(500, 3, 2, 2)
    low, high = Jitter(contrast=0.4, brightness=0.2)(two_tones, seeded())[:, 1, 0].unbind(-1)
    contrast, brightness = (high - low) / 2, (high + low) / 2
    assert (contrast - 1).abs().max() <= 0.4 + 1e-6
    assert brightness.abs().max() <= 0.2 + 1e-6
    assert contrast.max() - contrast.min() > 0.7
    assert brightness.max() - brightness.min() > 0.35


def test_noise_points_follow_the_true_one_and_have_their_scale():
    points = ROWS[:, :2]
    beside = NoisePoints(ratio=5, scale=3.0)(points, seeded())
    assert beside.shape == (500, 6, 2)
    assert torch.equal(beside[:, 0], points)
    noise = beside[:, 1:]
    assert noise.mean().item() == pytest.approx(0, abs=4 * 3 / 5000**0.5)
    assert noise.std().item() == pytest.approx(3, abs=0.15)


def test_evaluation_batches_have_the_noise_too_and_always_the_same():
    data = DataModule(sampled(Mixture([[0, 0]], [1]), 40, 30, 20), augment=NoisePoints(2, 1.0), eval_batch_size=16)
    once, again = (torch.cat([batch.inputs for batch in data.val_dataloader()]) for _ in range(2))
    assert once.shape == (30, 3, 2)
    assert torch.equal(once, again)
    assert torch.equal(once[:, 0], data.held("val").inputs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FeatureCorruption(0), "p=0, expected a probability"),
        (lambda: RandomResizedCrop(0), "min_area=0"),
        (lambda: Jitter(contrast=1), "contrast=1"),
        (lambda: NoisePoints(ratio=0), "ratio=0, scale=2.0, expected at least 1"),
        (lambda: NoisePoints(scale=0), "scale=0, expected"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
