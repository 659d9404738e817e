import pytest
import torch
from torch import Generator
from torch.nn import functional as F

from lorelab.data.augment import Compose, Cutout, HorizontalFlip, RandomCrop

AUGMENTATIONS = [RandomCrop(2), HorizontalFlip(), Cutout(3), Compose([RandomCrop(2), HorizontalFlip(), Cutout(3)])]


@pytest.fixture
def images() -> torch.Tensor:
    """Every pixel different, none 0."""
    return torch.arange(1, 64 * 3 * 9 * 7 + 1, dtype=torch.float32).view(64, 3, 9, 7)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("augment", AUGMENTATIONS, ids=lambda augment: type(augment).__name__)
class TestEveryAugmentation:
    def test_keeps_shape_and_type_and_leaves_its_input_alone(self, augment, images) -> None:
        before = images.clone()
        out = augment(images, seeded())
        assert (out.shape, out.dtype) == (images.shape, images.dtype)
        assert torch.equal(images, before)

    def test_depends_on_its_generator_alone_and_moves_it_on(self, augment, images) -> None:
        state = torch.get_rng_state()
        generator = seeded()
        first, second = augment(images, generator), augment(images, generator)
        assert torch.equal(first, augment(images, seeded()))
        assert not torch.equal(first, second)
        assert torch.equal(torch.get_rng_state(), state)

    def test_draws_for_each_example_on_its_own(self, augment, images) -> None:
        same = images[:1].expand(64, -1, -1, -1)
        assert len({image.numpy().tobytes() for image in augment(same, seeded())}) > 1

    def test_invents_no_pixel_values(self, augment, images) -> None:
        for before, after in zip(images, augment(images, seeded()), strict=True):
            assert set(after.unique().tolist()) <= set(before.unique().tolist()) | {0.0}


def test_crops_equal_a_loop_over_examples(images) -> None:
    out = RandomCrop(3)(images, seeded(1))
    y, x = torch.randint(7, (2, 64), generator=seeded(1))
    padded = F.pad(images, (3, 3, 3, 3))
    for index in range(64):
        top, left = int(y[index]), int(x[index])
        assert torch.equal(out[index], padded[index, :, top : top + 9, left : left + 7])


def test_crops_reach_every_shift_about_equally_often() -> None:
    dot = torch.zeros(9000, 1, 5, 5)
    dot[:, :, 2, 2] = 1
    hits = RandomCrop(1)(dot, seeded()).sum((0, 1))
    assert hits[1:4, 1:4].sum() == 9000
    assert (hits[1:4, 1:4] - 1000).abs().max() < 150  # five standard deviations


def test_a_flip_is_the_mirror_image_and_happens_with_probability_p(images) -> None:
    out = HorizontalFlip(0.5)(images, seeded())
    kept = (out == images).flatten(1).all(1)
    mirrored = (out == images.flip(-1)).flatten(1).all(1)
    assert (kept ^ mirrored).all()
    assert 10 < int(mirrored.sum()) < 54
    assert torch.equal(HorizontalFlip(0.0)(images, seeded()), images)
    assert torch.equal(HorizontalFlip(1.0)(images, seeded()), images.flip(-1))


def test_a_cutout_is_one_clipped_square_in_all_channels(images) -> None:
    blank = Cutout(4)(images, seeded()) == 0
    assert (blank == blank[:, :1]).all()
    heights, widths = blank[:, 0].any(2).sum(1), blank[:, 0].any(1).sum(1)
    assert torch.equal(blank[:, 0].sum((1, 2)), heights * widths)
    assert heights.max() == widths.max() == 4
    assert heights.min() >= 2  # the centre is inside, so half of it is


def test_a_composition_draws_in_turn_from_one_generator(images) -> None:
    generator = seeded(3)
    expected = HorizontalFlip()(RandomCrop(1)(images, generator), generator)
    assert torch.equal(Compose([RandomCrop(1), HorizontalFlip()])(images, seeded(3)), expected)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RandomCrop(0), "padding is 0; expected at least 1"),
        (lambda: HorizontalFlip(1.5), "p is 1.5; expected a probability"),
        (lambda: Cutout(0), "size is 0; expected at least 1"),
    ],
)
def test_values_out_of_range_are_refused(build, message) -> None:
    with pytest.raises(ValueError, match=message):
        build()
