import numpy as np
import pandas as pd
import pytest
import torch

from lorelab.data.csvfile import read_csv
from lorelab.data.tables import table_splits
from lorelab.errors import DataError


def build(frame: pd.DataFrame, kind="real", **options):
    return table_splits(frame, "y", name="t", target_kind=kind, source="t.csv", **options)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(50, 10, 100)
    size[::7] = np.nan
    return pd.DataFrame(
        {
            "size": size,
            "old": rng.random(100) < 0.5,
            "colour": rng.choice(["red", "green", "blue"], 100),
            "y": rng.normal(1000, 100, 100),
        }
    )


def feature(splits, split: str, name: str) -> torch.Tensor:
    return splits.by_name()[split].inputs[:, splits.record.schema["features"].index(name)]


def test_numbers_are_imputed_by_the_training_median_then_standardised(frame) -> None:
    splits = build(frame)
    # Which rows are where can be read off the targets, in their own units.
    rows = {
        name: np.abs(
            frame["y"].to_numpy()[None]
            - (part.targets.double() * splits.spec.target_std + splits.spec.target_mean).numpy()[:, None]
        ).argmin(1)
        for name, part in splits.by_name().items()
    }
    train = frame["size"].iloc[rows["train"]]
    filled = train.fillna(train.median())
    for name, index in rows.items():
        raw = frame["size"].iloc[index]
        expected = (raw.fillna(train.median()) - filled.mean()) / filled.std(ddof=0)
        np.testing.assert_allclose(feature(splits, name, "size"), expected, rtol=1e-5, atol=1e-6)
        assert feature(splits, name, "missingindicator_size").bool().tolist() == raw.isna().tolist()
        assert feature(splits, name, "old").bool().tolist() == frame["old"].iloc[index].tolist()
        assert feature(splits, name, "colour_red").bool().tolist() == (frame["colour"].iloc[index] == "red").tolist()
    assert splits.spec.target_mean == pytest.approx(frame["y"].iloc[rows["train"]].mean())
    assert splits.spec.target_std == pytest.approx(frame["y"].iloc[rows["train"]].std(ddof=0))


def test_values_outside_training_do_not_move_the_training_split(frame) -> None:
    before = build(frame)
    outside = np.setdiff1d(np.arange(100), training_rows(frame))
    frame.loc[outside, "size"] = 1e6
    after = build(frame)
    assert torch.equal(before.train.inputs, after.train.inputs)
    assert not torch.equal(before.test.inputs, after.test.inputs)
    assert before.record.fingerprint != after.record.fingerprint


def training_rows(frame: pd.DataFrame) -> np.ndarray:
    splits = build(frame)
    own = splits.train.targets.double() * splits.spec.target_std + splits.spec.target_mean
    return np.abs(frame["y"].to_numpy()[None] - own.numpy()[:, None]).argmin(1)


def test_a_category_unseen_in_training_is_all_zeros(frame) -> None:
    outside = np.setdiff1d(np.arange(100), training_rows(frame))
    frame.loc[outside, "colour"] = "violet"
    splits = build(frame)
    names = [name for name in splits.record.schema["features"] if name.startswith("colour_")]
    assert names == ["colour_blue", "colour_green", "colour_red"]
    assert sum(feature(splits, "test", name).sum() for name in names) == 0


def test_a_missing_category_is_one_of_its_own_and_missing_booleans_are_marked(frame) -> None:
    frame.loc[::5, "colour"] = np.nan
    frame["old"] = frame["old"].astype(object)
    frame.loc[::4, "old"] = None
    splits = build(frame)
    assert splits.record.schema["columns"] == {"size": "numeric", "old": "boolean", "colour": "categorical"}
    parts = splits.by_name()
    assert sum(int(feature(splits, part, "colour_nan").sum()) for part in parts) == 20
    assert sum(int(feature(splits, part, "missingindicator_old").sum()) for part in parts) == 25
    assert {value for part in parts for value in feature(splits, part, "old").tolist()} == {0.0, 1.0}


def test_a_column_missing_throughout_does_no_harm(frame) -> None:
    frame["void"] = np.nan
    splits = build(frame)
    assert feature(splits, "train", "void").eq(0).all()


def test_numbers_named_as_categorical_are_one_hot(frame) -> None:
    frame["zone"] = np.arange(100) % 3
    features = build(frame, categorical=["zone"]).record.schema["features"]
    assert {"zone_0", "zone_1", "zone_2"} <= set(features)
    assert "zone" in build(frame).record.schema["features"]


def test_classes_are_sorted_or_in_the_order_given(frame) -> None:
    frame["y"] = np.array([10, 9, 100, 9])[np.arange(100) % 4]
    splits = build(frame, "class")
    assert splits.spec.class_names == ("9", "10", "100")
    assert [part.targets.bincount().tolist() for part in (splits.val, splits.test)] == [[7, 4, 4]] * 2 or (
        splits.train.targets.bincount().tolist()[0] == 35
    )
    assert build(frame, "class", class_names=["100", "9", "10"]).spec.class_names == ("100", "9", "10")


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("a,y\n1,2\n3,\n", "real", r"line 3, column 'y': found nothing, expected a target in every row"),
        ("a,y\n1,2\n3,x\n", "real", r"line 3, column 'y': found 'x', expected a finite number as target"),
        ("a,y\n1,2\n3,inf\n", "real", r"line 3, column 'y': found inf, expected a finite number as target"),
        ("a,y\n1,2\ninf,3\n", "real", r"line 3, column 'a': found inf, expected a finite number"),
        (
            "a,y\n1,1\n2,1\n\n3x,2\n4y,2\n5,3\n",
            "real",
            r"line 5, column 'a': found '3x' \(and 1 more\), expected a num",
        ),
        ("a,b\n1,2\n", "real", r"found no column 'y', expected it among a, b"),
        ("y\n1\n2\n", "real", r"found no column but the target 'y'"),
        ("a,y\n1,k\n2,k\n3,k\n", "class", r"the target 'y' is always 'k'; expected two classes or more"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_file_and_row(tmp_path, text, kind, message) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=f"{path}.*{message}"):
        table_splits(read_csv(path), "y", name="t", target_kind=kind, source=str(path))


def test_a_class_that_is_not_among_those_named_is_refused_with_its_row(frame) -> None:
    frame["y"] = ["a", "b"] * 50
    with pytest.raises(
        DataError, match=r"t.csv, row 1, column 'y': found 'b' \(and 49 more\), expected one of .* a, c"
    ):
        build(frame, "class", class_names=["a", "c"])


def test_a_constant_training_target_is_refused(frame) -> None:
    frame["y"] = 5.0
    with pytest.raises(DataError, match=r"the target 'y' is 5 in every one of the 70 training rows"):
        build(frame)
