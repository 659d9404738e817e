"""What a table's columns give away."""

import numpy as np
import pandas as pd
import pytest

from lorelab.data.columns import column_cautions, infer_target, refuse_wide
from lorelab.errors import DataError

RNG = np.random.default_rng(0)
N = 200
REAL = pd.Series(RNG.normal(50, 10, N), name="y")
CLASS = pd.Series(RNG.choice(["a", "b", "c"], N), name="y")
BINARY = pd.Series(RNG.random(N) < 0.5, name="y")


def cautions(column: object, target: pd.Series) -> str:
    return "\n".join(column_cautions(pd.DataFrame({"x": column}), target))


@pytest.mark.parametrize(
    ("column", "target", "reason"),
    [
        (REAL, REAL, "equals"),
        (3 - 0.01 * REAL, REAL, "is a linear function of"),
        (np.log(REAL), REAL, "orders the rows exactly as"),
        (-(REAL**3), REAL, "orders the rows exactly as"),
        (REAL.mask(RNG.random(N) < 0.1), REAL, "equals"),
        (CLASS, CLASS, "equals"),
        (CLASS.map({"a": 2, "b": 0, "c": 1}), CLASS, "is a renaming of"),
        (BINARY.map({True: "yes", False: "no"}), BINARY, "is a renaming of"),
        (BINARY.astype(int), BINARY, "is a renaming of"),
        (CLASS + RNG.choice(["1", "2"], N), CLASS, "determines"),
        (REAL > 50, (REAL > 50).astype(int).rename("y"), "is a renaming of"),
    ],
)
def test_a_column_that_gives_the_target_away_is_warned_of(column, target, reason) -> None:
    assert f"column 'x' {reason} the target 'y'" in cautions(column, target)
    assert "data.drop=[x]" in cautions(column, target)


@pytest.mark.parametrize(
    ("column", "target"),
    [
        (REAL + RNG.normal(0, 0.1, N), REAL),  # as good as it gets, and honest
        (CLASS.where(np.arange(N) != 7, "b" if CLASS[7] != "b" else "c"), CLASS),  # one row tells another story
        (RNG.normal(0, 1, N), CLASS),  # every value occurs once, so it "determines" whatever there is
        (REAL.round(), CLASS),
        (REAL**2 * np.sign(RNG.normal(0, 1, N)), REAL),
    ],
)
def test_a_column_that_does_not_is_left_in_peace(column, target) -> None:
    assert cautions(column, target) == ""


def test_a_few_rows_agree_by_chance() -> None:
    assert cautions([0, 1, 0], pd.Series(["a", "b", "a"], name="y")) == ""


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (np.arange(N), "counts the rows"),
        (RNG.permutation(N) + 1000.0, "counts the rows"),
        ([f"id-{number}" for number in range(N)], "has another value in every row"),
        ([7] * N, "is '7' in every row"),
        ([None] * N, "is empty"),
    ],
)
def test_columns_that_say_nothing_are_warned_of(column, reason) -> None:
    assert f"column 'x' {reason}" in cautions(column, CLASS)


def test_a_constant_column_with_holes_may_say_something() -> None:
    assert cautions([7.0 if row % 3 else None for row in range(N)], CLASS) == ""


@pytest.mark.parametrize(
    ("values", "kind", "because"),
    [
        (["a", "b", "a"] * 10, "class", "2 different texts"),
        ([True, False] * 10, "class", "true or false"),
        ([True, None, False] * 10, "class", "true or false"),
        ([0, 1, 2] * 10, "class", "whole numbers, 3 different ones"),
        ([0.0, 1.0, np.nan] * 10, "class", "whole numbers, 2 different ones"),
        (list(range(30)), "real", "numbers, 30 different ones"),
        ([0.5, 1.0] * 10, "real", "numbers, 2 different ones"),
        (list(range(21)) * 5, "real", "numbers, 21 different ones"),
        ([1, 2, 3], "real", "numbers, 3 different ones"),
        (["1.5", "2", "x", "7"], "real", "numbers, 4 different ones"),  # then the row of "x" is named
    ],
)
def test_the_targets_values_tell_its_kind(values, kind, because) -> None:
    assert infer_target(pd.Series(values)) == (kind, because)


def test_columns_that_would_explode_are_refused_at_once_with_what_to_do() -> None:
    frame = pd.DataFrame(
        {
            "name": [f"n{row}" for row in range(N)],
            "day": pd.date_range("2020-01-01", periods=N),
            "zone": np.arange(N),
            "size": REAL,
            "kind": CLASS,
        }
    )
    with pytest.raises(DataError) as raised:
        refuse_wide(frame, ["zone"], 50, "t.csv")
    message = str(raised.value)
    assert "column 'name': 200 different texts, e.g. 'n0'" in message
    assert "column 'day': dates or times" in message
    assert "column 'zone': 200 different texts" in message
    assert "data.drop=[name,day,zone]" in message
    refuse_wide(frame[["size", "kind"]], [], 3, "t.csv")
