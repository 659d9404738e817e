"""What a table's columns look like beside its target: which task that asks for, what leaks, what says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lorelab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TargetChoice = Literal["auto", "class", "real"]
_MOST_CLASSES = 20
_FEW_ROWS = 10
"""With fewer rows, columns agree by chance."""
_SAME = 1e-9
"""Largest residual, in standard deviations of the target, of what counts as a linear function."""


class TargetFinding(NamedTuple):
    """The kind of a target, and what in its values says so."""

    kind: Literal["class", "real"]
    because: str


def infer_target(column: pd.Series) -> TargetFinding:
    """Text, booleans and categories are classes; so are whole numbers of at most 20 different values that occur
    twice on average; all other numbers are real values. Missing values do not count."""
    import pandas as pd

    present = column.dropna()
    different = len(_codes(present)[1])
    if pd.api.types.is_bool_dtype(present) or _booleans(present):
        return TargetFinding("class", "true or false")
    values = pd.to_numeric(present, errors="coerce").to_numpy(dtype=np.float64)
    if 2 * int(np.isfinite(values).sum()) <= len(values):
        return TargetFinding("class", f"{different} different texts")
    if (values == np.round(values)).all() and different <= _MOST_CLASSES and 2 * different <= len(values):
        return TargetFinding("class", f"whole numbers, {different} different ones")
    return TargetFinding("real", f"numbers, {different} different ones")


def _booleans(column: pd.Series) -> bool:
    return bool(column.map(lambda value: isinstance(value, bool | np.bool_)).all())


def column_cautions(features: pd.DataFrame, target: pd.Series) -> list[str]:
    """Columns that equal the target (exactly, or up to renaming or a linear map), name rows, or never vary."""
    cautions = []
    for column in features:
        if reason := _leak(features[column], target):
            cautions.append(
                f"column {str(column)!r} {reason} the target {target.name!r}: a model that reads it learns nothing "
                f"else. If it would not be known when predicting, leave it out: data.drop=[{column}]"
            )
        elif reason := _idle(features[column]):
            cautions.append(f"column {str(column)!r} {reason}; leave it out: data.drop=[{column}]")
    return cautions


def _leak(column: pd.Series, target: pd.Series) -> str:
    """How ``column`` gives the target away in the rows where both are present; "" if it does not."""
    import pandas as pd

    both = column.notna() & target.notna()
    one, two = column[both], target[both]
    if len(one) < _FEW_ROWS or len(_codes(two)[1]) < 2:
        return ""
    if all(pd.api.types.is_numeric_dtype(each) and not pd.api.types.is_bool_dtype(each) for each in (one, two)):
        found = _same_numbers(one.to_numpy(dtype=np.float64), two.to_numpy(dtype=np.float64))
        if found:
            return found
    return _same_groups(one, two)


def _same_numbers(x: np.ndarray, y: np.ndarray) -> str:
    if np.array_equal(x, y):
        return "equals"
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or x.std() == 0:
        return ""
    u, v = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    if np.abs(v - (u @ v / len(u)) * u).max() < _SAME:
        return "is a linear function of"
    (_, rank), (different, other) = (np.unique(each, return_inverse=True) for each in (x, y))
    many = len(different) > _MOST_CLASSES  # of two or three values, one order or its reverse is no surprise
    if many and (np.array_equal(rank, other) or np.array_equal(rank.max() - rank, other)):
        return "orders the rows exactly as"
    return ""


def _same_groups(one: pd.Series, two: pd.Series) -> str:
    """Of columns whose values mostly occur once, agreement means nothing: a row's number "determines" everything."""
    (codes, values), (classes, names) = _codes(one), _codes(two)
    if np.array_equal(codes, classes) and 2 * len(names) <= len(codes):  # numbered by first appearance
        return "equals" if list(map(str, values)) == list(map(str, names)) else "is a renaming of"
    pairs = len(np.unique(codes.astype(np.int64) * len(names) + classes))
    return "determines" if len(values) == pairs and _FEW_ROWS * len(values) <= len(codes) else ""


def _codes(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Each value's number, by first appearance, and the different values."""
    import pandas as pd

    try:
        codes, values = pd.factorize(column)
    except TypeError:  # lists, as Parquet has them
        codes, values = pd.factorize(column.map(str))
    return codes, pd.Index(values)


def _idle(column: pd.Series) -> str:
    """Why ``column`` cannot help on rows not seen; "" if it may."""
    import pandas as pd

    present = column.dropna()
    if not len(present):
        return "is empty"
    different = len(_codes(present)[1])
    if different == 1:
        return "" if len(present) < len(column) else f"is '{present.iloc[0]}' in every row"
    if len(present) >= _FEW_ROWS and different == len(present):
        if not pd.api.types.is_numeric_dtype(present):
            return "has another value in every row, like a name or a number of the row"
        values = present.to_numpy(dtype=np.float64)
        if (values == np.round(values)).all() and values.max() - values.min() == len(values) - 1:
            return "counts the rows, like a number of the row"
    return ""


def refuse_wide(features: pd.DataFrame, categorical: Sequence[str], most: int, source: str) -> None:
    """Refuses columns that would become more than ``most`` one-hot columns each, and dates, all at once.

    Raises:
        DataError: naming each with what it holds.
    """
    import pandas as pd

    bad = {}
    for column in features:
        values = features[column]
        if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
            bad[str(column)] = "dates or times"
        elif str(column) in categorical or not pd.api.types.is_numeric_dtype(values):
            present = values.dropna()
            numbers = pd.to_numeric(present.map(str), errors="coerce").notna().mean() if len(present) else 1.0
            different = len(_codes(present)[1])
            if different > most and (str(column) in categorical or numbers <= 0.5):
                bad[str(column)] = f"{different:,} different texts, e.g. {str(present.iloc[0])[:40]!r}"
    if bad:
        lines = [f"  column {column!r}: {what}" for column, what in bad.items()]
        raise DataError(
            "\n".join(
                [
                    f"{source}: found columns that cannot be inputs as they are:",
                    *lines,
                    f"Expected numbers, booleans, or at most {most} different texts (data.max_categories).",
                    f"Leave them out with data.drop=[{','.join(bad)}], or turn them into numbers or fewer categories.",
                ]
            )
        )
