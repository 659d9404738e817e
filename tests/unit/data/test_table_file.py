"""Tables as users have them."""

import numpy as np
import pandas as pd
import pytest
import torch

from lorelab.data.cautions import DataWarning
from lorelab.data.examples import write_table
from lorelab.data.table_file import table
from lorelab.errors import DataError

N = 120


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": np.where(rng.random(N) < 0.1, np.nan, rng.normal(0, 1, N)),
            "old": rng.random(N) < 0.5,
            "colour": rng.choice(["red", "blue"], N),
            "price": rng.normal(100, 20, N),
            "kind": rng.choice(["a", "b"], N, p=[0.8, 0.2]),
        }
    )


@pytest.fixture
def path(tmp_path, frame) -> str:
    frame.to_csv(tmp_path / "shop.csv", index=False)
    return str(tmp_path / "shop.csv")


def test_the_targets_kind_is_inferred_and_the_reason_kept(path) -> None:
    price, kind = table(path, "price", target_unit="EUR"), table(path, "kind")
    assert (price.spec.target_kind, price.spec.target_unit, price.spec.class_counts) == ("real", "EUR", ())
    assert price.record.schema["target_kind_because"] == "numbers, 120 different ones"
    assert (kind.spec.target_kind, kind.spec.class_names) == ("class", ("a", "b"))
    assert kind.spec.class_counts == tuple(kind.train.targets.bincount().tolist())
    assert price.spec.name == "shop"


def test_every_kind_of_column_is_read_and_missing_values_are_counted_by_split(path, frame) -> None:
    splits = table(path, "kind")
    columns = {"size": "numeric", "old": "boolean", "colour": "categorical", "price": "numeric"}
    assert splits.record.schema["columns"] == columns
    missing = splits.record.schema["missing"]
    assert missing.keys() == {"size"}
    assert sum(missing["size"].values()) == frame["size"].isna().sum()


def test_parquet_gives_what_csv_gives(path, frame, tmp_path) -> None:
    frame.to_parquet(tmp_path / "shop.parquet", index=False)
    one, two = table(path, "kind"), table(str(tmp_path / "shop.parquet"), "kind")
    assert torch.equal(one.train.inputs, two.train.inputs)
    assert one.record.fingerprint == two.record.fingerprint


def test_the_kind_can_be_chosen(frame, tmp_path) -> None:
    frame["stars"] = np.arange(N) % 5
    frame.to_csv(tmp_path / "t.csv", index=False)
    path = str(tmp_path / "t.csv")
    assert table(path, "stars").spec.class_names == ("0", "1", "2", "3", "4")
    assert table(path, "stars", target_kind="real").spec.target_kind == "real"


def test_classes_that_are_numbers_are_in_their_own_order(frame, tmp_path) -> None:
    frame["grade"] = np.array([2, 10, 1])[np.arange(N) % 3]
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert table(str(tmp_path / "t.csv"), "grade").spec.class_names == ("1", "2", "10")


def test_dropped_columns_are_left_out(path) -> None:
    splits = table(path, "kind", drop=["price", "size"])
    assert list(splits.record.schema["columns"]) == ["old", "colour"]
    assert splits.record.schema["dropped"] == ["price", "size"]


def test_a_leak_is_warned_of_and_kept_in_the_record(frame, tmp_path) -> None:
    frame["price_usd"] = frame["price"] * 1.1
    frame["number"] = np.arange(N)
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(DataWarning) as warned:
        splits = table(str(tmp_path / "t.csv"), "price")
    found = splits.record.schema["cautions"]
    assert [caution.split(" the ")[0] for caution in found] == [
        "column 'price_usd' is a linear function of",
        "column 'number' counts",
    ]
    assert [str(warning.message) for warning in warned] == [f"{tmp_path / 't.csv'}: {caution}" for caution in found]


def test_a_rare_class_that_a_split_lacks_is_warned_of(frame, tmp_path) -> None:
    frame.loc[:2, "kind"] = "c"
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(DataWarning, match=r"the (val|test) split has no example of 'c'"):
        splits = table(str(tmp_path / "t.csv"), "kind", val_fraction=0.1, test_fraction=0.1)
    assert splits.spec.class_counts[2] >= 1


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("prize", {}, r"data.target: .*shop.csv has no column 'prize', .*did you mean 'price'"),
        ("kind", {"drop": ["sise"]}, r"data.drop: .* has no column 'sise', .*did you mean 'size'"),
        ("kind", {"categorical": ["x"]}, r"data.categorical: .* has no column 'x'"),
        ("kind", {"drop": ["kind"]}, r"data.drop: found the target 'kind' in it"),
        ("kind", {"drop": ["old"], "categorical": ["old"]}, r"data.drop: found 'old' in data.categorical too"),
        ("kind", {"target_kind": "number"}, r"data.target_kind: found 'number', expected auto, class or real"),
        (
            "kind",
            {"target_kind": "real"},
            r"line 2, column 'kind': found '.' .and 119 more., expected a finite number as target",
        ),
        (
            "price",
            {"target_kind": "class"},
            r"'price' has 120 different values in 120 rows, too many for classes.*real",
        ),
        ("size", {}, r"column 'size': found nothing.*expected a target in every row"),
        ("kind", {"max_categories": 1}, r"(?s)column 'colour': 2 different texts.*data.drop=\[colour\]"),
        ("colour", {"test_fraction": 0.9, "val_fraction": 0.1}, r"expected both at least 0 and their sum below 1"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_key_to_change(path, target, options, message) -> None:
    with pytest.raises(DataError, match=message):
        table(path, target, **options)


def test_a_class_too_rare_to_be_split_is_refused(frame, tmp_path) -> None:
    frame.loc[0, "kind"] = "c"
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"too few examples of 'c' \(1\); expected at least 3 of each class"):
        table(str(tmp_path / "t.csv"), "kind")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xlsx", "", r"found .*t.xlsx, expected a .csv or .parquet file"),
        ("t.parquet", "not parquet", r"t.parquet cannot be read as Parquet"),
        ("t.csv", "", r"t.csv is empty; expected a header line"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        table(str(tmp_path / name), "y")


@pytest.mark.parametrize("name", ["no.csv", "no.parquet"])
def test_a_file_that_is_not_there_is_named(tmp_path, name) -> None:
    with pytest.raises(DataError, match=rf"{tmp_path / name} cannot be read"):
        table(str(tmp_path / name), "y")


def test_the_example_table_has_what_tables_have(tmp_path) -> None:
    assert write_table(tmp_path / "new") == 442
    splits = table(str(tmp_path / "new" / "table.csv"), "progression")
    kinds = splits.record.schema["columns"]
    assert (kinds["age_band"], kinds["high_bmi"], kinds["bmi"]) == ("categorical", "boolean", "numeric")
    assert splits.record.schema["missing"].keys() == {"age_band", "bp"}
    assert "cautions" not in splits.record.schema


@pytest.mark.parametrize("word", ["None", "NA", "null", "nan"])
def test_a_class_may_have_a_name_that_means_missing_elsewhere(frame, tmp_path, word) -> None:
    frame["kind"] = np.where(frame["kind"] == "a", word, "b")
    frame["colour"] = np.where(np.arange(N) % 4, "red", word)
    frame.to_csv(tmp_path / "t.csv", index=False)
    splits = table(str(tmp_path / "t.csv"), "kind")
    assert splits.spec.class_names == tuple(sorted([word, "b"]))
    assert "colour" in splits.record.schema["missing"]  # an input: as pandas reads it
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text().replace(f",{word}\n", ",\n", 1))
    with pytest.raises(DataError, match=r"line \d+, column 'kind': found nothing, expected a target in every row"):
        table(str(tmp_path / "t.csv"), "kind")


@pytest.mark.parametrize("word", ["NaN", "nan", "NA", ""])
@pytest.mark.parametrize("kind", ["auto", "class", "real"])
def test_a_number_that_is_missing_is_no_class(frame, tmp_path, word, kind) -> None:
    frame["stars"] = [word if row == 7 else row % 5 for row in range(N)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"line 9, column 'stars': found nothing, expected a target in every row"):
        table(str(tmp_path / "t.csv"), "stars", target_kind=kind)


def test_a_class_that_training_lacks_is_warned_of(frame, tmp_path) -> None:
    frame.iloc[:15].assign(kind=[*"aaabbbccccccccc"]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(DataWarning, match=r"the train split has no example of 'a': it cannot be learnt"):
        splits = table(str(tmp_path / "t.csv"), "kind", val_fraction=0.4, test_fraction=0.4)
    assert splits.spec.class_counts[0] == 0
