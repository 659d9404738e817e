"""What a summary tells, on data whose faults are known."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from lorelab.data.builtin import breast_cancer, diabetes, digits
from lorelab.data.densities import Rings, sampled
from lorelab.data.examples import write_image_folder
from lorelab.data.folder import image_folder
from lorelab.data.images import image_splits
from lorelab.data.splits import DataSplits, Split
from lorelab.data.summary import Duplicates, find_duplicates, summarise
from lorelab.data.table_file import table
from lorelab.data.text import text_splits
from lorelab.data.thumbnails import thumbnails
from lorelab.errors import DataError


def part(values: list[int], targets: list[int]) -> Split:
    inputs = torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return Split(inputs, torch.tensor(targets, dtype=torch.int64))


def made(train: tuple, val: tuple, test: tuple) -> DataSplits:
    parts = {"train": part(*train), "val": part(*val), "test": part(*test)}
    return image_splits("made", parts, ["cat", "dog"], "here")


FAULTY = ([1, 1, 1, 2, 3], [0, 0, 1, 1, 1]), ([4, 1], [0, 0]), ([2, 3, 9], [0, 1, 1])
SOUND = ([1, 2], [0, 1]), ([3, 4], [0, 1]), ([5, 6], [0, 1])


def test_duplicates_by_hand() -> None:
    # 1 lies thrice in training and once in validation, 2 and 3 in training and test; 1 and 2 have both targets.
    found = find_duplicates(made(*FAULTY).by_name())
    assert found == Duplicates(
        within={"train": 2, "val": 0, "test": 0}, across={"train/val": 1, "train/test": 2, "val/test": 0}, conflicting=2
    )


def test_no_set_is_too_large_to_be_searched() -> None:
    images = torch.tensor([*range(35), 0], dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4096, 4096)
    large = Split(images, torch.zeros(36, dtype=torch.int64))  # 576 MiB, if it were held
    duplicates = summarise(replace(made(*SOUND), train=large, val=Split(images[:3], large.targets[:3]))).duplicates
    assert duplicates is not None
    assert (duplicates.within["train"], duplicates.across["train/val"]) == (1, 3)


def test_rows_are_told_apart_wherever_they_differ() -> None:
    rows = torch.eye(300, 700)
    found = find_duplicates({"train": Split(torch.cat([rows, rows[:20]]), torch.zeros(320))})
    assert found.within == {"train": 20}
    assert find_duplicates({"train": Split(rows.T, torch.zeros(700))}).within == {"train": 399}  # not contiguous


def test_data_without_faults_have_no_cautions() -> None:
    summary = summarise(made(*SOUND))
    assert summary.duplicates is not None
    assert sum([*summary.duplicates.within.values(), *summary.duplicates.across.values()]) == 0
    assert summary.cautions == []
    assert "duplicates   none" in summary.to_text()


def test_an_empty_split_does_no_harm() -> None:
    empty = ([], [])
    assert summarise(made(SOUND[0], empty, empty)).sizes == {"train": 2, "val": 0, "test": 0}


def test_what_is_shared_between_splits_and_contradictory_is_cautioned() -> None:
    text = summarise(made(*FAULTY)).to_text()
    assert "2 within train, 1 in train and val, 2 in train and test" in text
    assert "! 2 different inputs of test are in train too: the test score rewards what is remembered" in " ".join(
        text.split()
    )
    assert "2 different inputs occur with more than one target" in text
    assert "! 1 input of val is in train too: the val score rewards what is remembered" in " ".join(text.split())
    again = summarise(made(SOUND[0], ([4, 4], [0, 1]), ([4], [0]))).cautions
    assert "1 input of test is in val too: the test score is not independent of the choice by val" in again
    assert "1 input occurs with more than one target: no model gets all right" in again


def test_imbalance_is_cautioned_with_what_to_do() -> None:
    lots = (list(range(22)), [0] * 20 + [1] * 2)
    summary = summarise(made(lots, *SOUND[1:]))
    (caution,) = [caution for caution in summary.cautions if "imbalanced" in caution]
    assert "20 training examples of 'cat', 2 of 'dog'" in caution
    assert "task.class_weights=balanced" in caution
    assert summary.classes["dog"] == {"train": 2, "val": 1, "test": 1}


def test_a_table_shows_missing_values_cautions_and_the_task_it_fits(tmp_path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "y": rng.normal(50, 9, 60)})
    frame["twin"] = frame["y"]
    frame.loc[::6, "a"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = summarise(table(str(tmp_path / "t.csv"), "y"))
    assert summary.task == "task=regression"
    assert sum(summary.missing["a"].values()) == 10
    assert "column 'twin' equals the target 'y'" in summary.cautions[0]
    assert "'y': real (numbers, 60 different ones)" in summary.to_text()


def test_real_targets_are_shown_in_their_own_units() -> None:
    from sklearn.datasets import load_diabetes

    splits = diabetes()
    moments = summarise(splits).target_values
    sizes = splits.record.sizes
    mean = sum(moments[name]["mean"] * sizes[name] for name in sizes) / sum(sizes.values())
    assert mean == pytest.approx(load_diabetes().target.mean())
    assert (min(m["min"] for m in moments.values()), max(m["max"] for m in moments.values())) == pytest.approx(
        (25, 346)
    )


def test_the_summary_is_plain_values() -> None:
    summary = summarise(digits())
    assert json.loads(json.dumps(summary.to_dict()))["fingerprint"] == digits().record.fingerprint
    assert summary.inputs == "image, 1 × 8 × 8 float32"


def test_many_classes_are_shortened_in_the_text_alone() -> None:
    parts = {name: part(list(range(100)), list(range(100))) for name in ("train", "val", "test")}
    summary = summarise(image_splits("many", parts, [f"class-{number}" for number in range(100)], "here"))
    assert len(summary.classes) == 100
    assert "… 76 more" in summary.to_text()
    assert "class-50 " not in summary.to_text()


def test_names_with_brackets_are_shown_as_they_are() -> None:
    parts = {name: part([1, 2], [0, 1]) for name in ("train", "val", "test")}
    assert "[red]x[/red]" in summarise(image_splits("b", parts, ["[red]x[/red]", "[bold]"], "[here]")).to_text()


@pytest.mark.parametrize("depth", [1, 3])
def test_thumbnails_show_the_classes_from_top_to_bottom(tmp_path, depth) -> None:
    dark = torch.zeros(20, depth, 8, 8, dtype=torch.uint8)
    both = Split(torch.cat([dark, dark + 200]), torch.arange(40) // 20)
    splits = image_splits("two", {"train": both, "val": both, "test": both}, ["dark", "light"], "here")
    thumbnails(splits, tmp_path / "t.png")
    sheet = np.asarray(Image.open(tmp_path / "t.png").convert("L"))
    upper, lower = np.array_split(sheet[:, sheet.shape[1] // 2], 2)
    assert np.bincount(upper[upper < 250]).argmax() == 0
    assert np.bincount(lower[lower < 250]).argmax() == 200


def test_thumbnails_of_a_table_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match=r"diabetes: found inputs of kind 'table' \(10,\); thumbnails need images"):
        thumbnails(diabetes(), tmp_path / "t.png")


def test_the_example_folder_holds_the_digits(tmp_path) -> None:
    assert write_image_folder(tmp_path / "new") == 1797
    splits = image_folder(str(tmp_path / "new"), size=8)
    published = {row.numpy().tobytes() for split in digits().by_name().values() for row in split.inputs}
    again = (split.inputs.float() / 255 * 16 for split in splits.by_name().values())
    assert {(row.round() / 16).numpy().tobytes() for rows in again for row in rows} == published


def test_text_shows_its_characters_its_vocabulary_and_what_is_unknown() -> None:
    splits = text_splits("hello world hello " * 20 + "hexxxo" * 9 + "Hello!" * 9, "t", "here", 4, 0.1, 0.1)
    unknown, summary = splits.record.schema["unknown"], summarise(splits)
    assert (summary.characters, summary.vocabulary) == (468, splits.spec.num_classes)
    assert summary.unknown == unknown
    assert min(unknown["val"], unknown["test"]) > 0
    text = summary.to_text()
    assert "characters   468 in all; unknown among the targets: " in text
    assert f"train 0, val {unknown['val']}, test {unknown['test']}" in text
    assert f"vocabulary   {splits.spec.num_classes} symbols, one of them for unknown characters" in text
    assert "duplicates   not searched: windows of a text are no examples of their own" in text
    assert summary.task == "task=language"
    assert "vocabulary" not in summarise(digits()).to_text()


def test_real_targets_are_shown_with_their_unit_and_all_their_digits(tmp_path) -> None:
    values = np.append(np.arange(15_000, 500_000, 5_000), [500_001, 500_001])
    frame = pd.DataFrame({"rooms": np.random.default_rng(0).normal(size=len(values)), "price": values})
    frame.to_csv(tmp_path / "t.csv", index=False)
    text = summarise(table(str(tmp_path / "t.csv"), "price", target_unit="USD")).to_text()
    assert "'price' (USD): real" in text
    assert "500,001" in text
    assert "e+05" not in text


def test_a_table_says_what_kinds_its_columns_are_and_that_nothing_is_missing(tmp_path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.choice(["x", "y"], 60), "y": rng.normal(size=60)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    text = summarise(table(str(tmp_path / "t.csv"), "y")).to_text()
    assert "table, 3 float32 from 2 columns (1 numeric, 1 categorical)" in text
    assert "missing      none" in text
    assert "missing      none" in summarise(breast_cancer()).to_text()
    assert "missing" not in summarise(digits()).to_text()


def test_classes_without_names_are_counted_by_number() -> None:
    splits = made(*FAULTY)
    summary = summarise(replace(splits, spec=replace(splits.spec, class_names=())))
    assert summary.classes == {"0": {"train": 2, "val": 2, "test": 1}, "1": {"train": 3, "val": 0, "test": 2}}


def test_data_without_targets_say_so() -> None:
    assert "target       none" in summarise(sampled(Rings([1.0], 0.1), train=60, val=20, test=20)).to_text()
