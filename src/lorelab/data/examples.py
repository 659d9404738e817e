"""Example data in the formats a user brings, written from sets that come with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_image_folder(folder: Path) -> int:
    """Digits (Alpaydin and Kaynak 1998) as 1,797 grey PNGs of 8 × 8 pixels below ``folder/CLASS/``; how many."""
    from PIL import Image
    from sklearn.datasets import load_digits

    bunch = load_digits()
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    for number, (image, label) in enumerate(zip(bunch.images, bunch.target, strict=True)):
        path = folder / names[label] / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 255 / 16).round().astype(np.uint8)).save(path)
    return len(bunch.images)


def write_table(folder: Path) -> int:
    """``folder/table.csv``: the 442 patients of the diabetes data (Efron et al. 2004), with what tables at large have;
    how many rows.

    Made so here, not measured: ``age_band`` (text) in place of age, ``high_bmi`` (boolean, BMI of 30 or more) beside
    BMI, and 5 % of blood pressures and 3 % of age bands taken out at random.
    """
    import pandas as pd
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame
    ages = pd.cut(
        frame.pop("age"), [0, 35, 45, 55, 65, 200], labels=["<35", "35-44", "45-54", "55-64", "65+"], right=False
    )
    frame.insert(0, "age_band", ages.astype(object))
    frame.insert(3, "high_bmi", frame["bmi"] >= 30)
    frame = frame.rename(columns={"target": "progression"})
    rng = np.random.default_rng(0)
    frame.loc[rng.random(len(frame)) < 0.05, "bp"] = np.nan
    frame.loc[rng.random(len(frame)) < 0.03, "age_band"] = np.nan
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "table.csv", index=False)
    return len(frame)
