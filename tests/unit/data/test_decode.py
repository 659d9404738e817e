"""Image files of every size and mode, made here with Pillow."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorelab.data.decode import decode_all
from lorelab.errors import DataError

LEFT_DARK = np.repeat(np.array([[0, 0, 200, 200]], np.uint8), 4, axis=0)


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def decode(*paths: Path, size: int = 4, channels="auto", fit="crop") -> np.ndarray:
    return decode_all(paths, size, channels, fit)


def test_grey_files_become_one_channel_with_their_own_values(tmp_path) -> None:
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert decode(saved(tmp_path / "a.png", pixels)).tolist() == [[pixels.tolist()]]


def test_one_colour_file_makes_all_of_them_three_channels(tmp_path) -> None:
    colour = np.zeros((4, 4, 3), np.uint8)
    colour[..., 1] = 90
    images = decode(saved(tmp_path / "a.png", LEFT_DARK), saved(tmp_path / "b.png", colour))
    assert images.shape == (2, 3, 4, 4)
    assert all((images[0, channel] == LEFT_DARK).all() for channel in range(3))
    assert images[1].max(axis=(1, 2)).tolist() == [0, 90, 0]


def test_channels_can_be_asked_for(tmp_path) -> None:
    white = saved(tmp_path / "a.png", np.full((4, 4, 3), 255, np.uint8))
    assert decode(white, channels=1).shape == (1, 1, 4, 4)
    assert decode(saved(tmp_path / "b.png", LEFT_DARK), channels=3).shape == (1, 3, 4, 4)
    assert (decode(white, channels=1) == 255).all()


def test_an_image_that_was_held_sideways_is_turned_upright(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn a quarter clockwise to see it upright"
    path = saved(tmp_path / "a.png", LEFT_DARK, exif=exif)
    assert (decode(path)[0, 0] == np.rot90(LEFT_DARK, k=-1)).all()
    assert (decode(path)[0, 0, 0] == 0).all()  # what was left is on top


@pytest.mark.parametrize("shape", [(240, 400), (400, 240)])
def test_a_large_jpeg_that_was_held_sideways_is_turned_upright(tmp_path, shape) -> None:
    height, width = shape
    pixels = np.zeros(shape, np.uint8)
    pixels[: height // 2, width // 2 :] = 100
    pixels[height // 2 :, : width // 2] = 160
    pixels[height // 2 :, width // 2 :] = 250
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.jpg", pixels, exif=exif, quality=95)
    with Image.open(path) as file:
        assert file.draft(None, (16, 16)) is not None  # decoded at a fraction of its size
    for fit in ("stretch", "crop"):
        quarters = decode(path, size=16, fit=fit)[0, 0, [[3, 3], [12, 12]], [[3, 12], [3, 12]]]
        assert quarters == pytest.approx(np.array([[160, 0], [250, 100]]), abs=6)  # np.rot90(..., k=-1)
    padded = decode(path, size=16, fit="pad")[0, 0] > 50
    wide = height > width  # once it is upright
    assert padded[:, 0].any() == wide
    assert padded[-1, :].any() != wide


@pytest.mark.parametrize(("fit", "first_row"), [("crop", [9, 9, 9, 9]), ("stretch", [1, 9, 9, 1]), ("pad", [0] * 4)])
def test_an_oblong_image_is_cropped_stretched_or_padded(tmp_path, fit, first_row) -> None:
    oblong = np.full((4, 8), 9, np.uint8)
    oblong[:, :2] = oblong[:, -2:] = 1
    assert decode(saved(tmp_path / "a.png", oblong), fit=fit)[0, 0, 0].tolist() == pytest.approx(first_row, abs=1)


def test_shrinking_averages_over_all_pixels_and_does_not_pick_some(tmp_path) -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    assert decode(saved(tmp_path / "a.png", board)) == pytest.approx(127.5, abs=2)


def test_what_is_transparent_is_white(tmp_path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255
    image = decode(saved(tmp_path / "a.png", pixels))[0]
    assert image.shape[0] == 3
    assert (image[:, :2] == 0).all()
    assert (image[:, 2:] == 255).all()


def test_sixteen_bits_keep_their_upper_eight_and_one_bit_is_black_and_white(tmp_path) -> None:
    deep = saved(tmp_path / "a.png", np.full((4, 4), 40_000, np.uint16))
    assert (decode(deep) == 40_000 >> 8).all()
    Image.fromarray(LEFT_DARK > 0).save(tmp_path / "b.png")
    assert (decode(tmp_path / "b.png")[0, 0] == np.where(LEFT_DARK > 0, 255, 0)).all()


def test_palettes_become_their_colours(tmp_path) -> None:
    Image.new("RGB", (4, 4), (10, 20, 30)).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "a.gif")
    assert decode(tmp_path / "a.gif")[0].max(axis=(1, 2)).tolist() == [10, 20, 30]


def test_a_large_jpeg_is_read_as_it_looks(tmp_path) -> None:
    path = saved(tmp_path / "a.jpg", np.full((600, 400, 3), (200, 100, 50), np.uint8), quality=95)
    assert decode(path, size=16)[0].mean(axis=(1, 2)) == pytest.approx([200, 100, 50], abs=3)


def test_all_unreadable_files_are_listed_at_once(tmp_path) -> None:
    good = saved(tmp_path / "good.png", LEFT_DARK)
    cut = saved(tmp_path / "cut.png", np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
    cut.write_bytes(cut.read_bytes()[:200])
    text = tmp_path / "text.png"
    text.write_text("no image")
    absent = tmp_path / "absent.png"
    real = tmp_path / "real.tif"
    Image.fromarray(np.zeros((4, 4), np.float32)).save(real)
    with pytest.raises(DataError) as raised:
        decode(good, cut, text, absent, real)
    message = str(raised.value)
    assert message.startswith("4 of 5 image files cannot be read:")
    assert str(good) not in message
    for path, reason in ((cut, "truncated"), (text, "cannot identify"), (absent, "No such file"), (real, "floating-")):
        assert any(str(path) in line and reason in line for line in message.splitlines())


def test_of_many_unreadable_files_every_one_is_named(tmp_path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(45)]
    with pytest.raises(DataError, match=r"(?s)45 of 45 image files .*mend or remove") as raised:
        decode(*paths)
    lines = str(raised.value).splitlines()
    assert all(any(line.startswith(f"  {path}: ") and "No such file" in line for line in lines) for path in paths)
