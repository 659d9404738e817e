"""Colours can be told from the ground, and from each other also by colour-blind readers."""

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest

SERIES = tuple(f"s{index}" for index in range(6))
TONES = ("good", "bad", "open")
BLIND = {
    # Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def palette(theme: str) -> dict[str, str]:
    light, dark = (files("lorelab.pages") / "chart.css").read_text(encoding="utf-8").split("@media", 1)
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", {"light": light, "dark": dark}[theme]))


def linear(colour: str) -> np.ndarray:
    """Red, green and blue of sRGB as light, 0..1 (IEC 61966-2-1)."""
    shares = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""
    dim, bright = sorted(float(XYZ[1] @ linear(colour)) for colour in (one, other))
    return (bright + 0.05) / (dim + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of linear RGB."""
    shares = XYZ @ np.clip(light, 0, 1) / XYZ.sum(1)
    roots = np.where(shares > 216 / 24389, np.cbrt(shares), (24389 / 27 * shares + 16) / 116)
    return np.array([116 * roots[1] - 16, 500 * (roots[0] - roots[1]), 200 * (roots[1] - roots[2])])


def test_the_measures_themselves_on_known_values() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert lab(linear("#ff0000")) == pytest.approx([53.2, 80.1, 67.2], abs=0.2)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_stand_out_from_the_ground(theme: str) -> None:
    colours = palette(theme)
    for ground in (colours["ground"], colours["panel"]):
        assert min(contrast(colours[name], ground) for name in ("ink", "muted", "link", *TONES)) >= 4.5
        assert min(contrast(colours[name], ground) for name in SERIES) >= 3.0


@pytest.mark.parametrize("names", [SERIES, TONES], ids=["series", "tones"])
@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_differ_for_colour_blind_readers(theme: str, kind: str, names: tuple[str, ...]) -> None:
    """By ten times the smallest difference that is seen, or more."""
    colours = palette(theme)
    seen = {name: lab(np.array(BLIND[kind]) @ linear(colours[name])) for name in names}
    apart = {pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in combinations(names, 2)}
    assert min(apart.values()) >= 10.0, min(apart, key=lambda pair: apart[pair])
