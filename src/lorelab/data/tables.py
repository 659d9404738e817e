"""Turns a table with a target column into splits; everything that is fitted is fitted on the training rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NoReturn

import numpy as np
import torch

from lorelab.data.splits import DataSplits, Split, limited, record_of, split_indices
from lorelab.errors import DataError, nearest
from lorelab.records import DataSpec

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.compose import ColumnTransformer

ColumnKind = Literal["numeric", "boolean", "categorical"]


def table_splits(
    frame: pd.DataFrame,
    target: str,
    *,
    name: str,
    target_kind: Literal["class", "real"],
    source: str,
    categorical: Sequence[str] = (),
    class_names: Sequence[str] | None = None,
    target_unit: str = "",
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    limit_train: int | None = None,
) -> DataSplits:
    """Numeric columns: median for missing values, then standardised, and a 0/1 column that says which were missing;
    booleans as 0/1; other columns one-hot (missing is a category of its own, one unseen in training is all zeros).

    ``categorical`` names columns to be one-hot although their values look like numbers. ``class_names`` fixes the
    classes' order (default: sorted). Splits are stratified by class. Errors name the frame's index: see ``read_csv``.

    Raises:
        DataError: a column is missing, a target is missing or not a number, a number is infinite, a column is a mixture
            of numbers and text, or training targets are all the same.
    """
    _check_columns(frame, [target, *categorical], source)
    features = frame.drop(columns=target)
    if features.shape[1] == 0:
        raise DataError(f"{source}: found no column but the target {target!r}; expected at least one feature.")
    kinds = {str(column): _kind(features[column], categorical, source) for column in features}
    features = _typed(features, kinds)
    values, classes = _targets(frame[target], target_kind, class_names, source)
    labels = values if target_kind == "class" else None
    rows = split_indices(len(frame), val_fraction, test_fraction, split_seed, labels)
    rows = rows._replace(train=limited(rows.train, limit_train, split_seed, labels))

    mean, std = (0.0, 1.0) if target_kind == "class" else _target_scale(values[rows.train], target, source)
    finals = values if target_kind == "class" else ((values - mean) / std).astype(np.float32)
    fitted = _preprocessor(features.iloc[rows.train], kinds).fit(features.iloc[rows.train])
    parts = {
        split: Split(
            torch.from_numpy(np.ascontiguousarray(fitted.transform(features.iloc[index]), dtype=np.float32)),
            torch.from_numpy(finals[index]),
        )
        for split, index in rows._asdict().items()
    }
    width = parts["train"].inputs.shape[1]
    counts = tuple(np.bincount(values[rows.train], minlength=len(classes)).tolist()) if classes else ()
    spec = DataSpec(
        name,
        "table",
        (width,),
        target_kind,
        num_classes=len(classes),
        class_names=classes,
        target_name=target,
        target_unit=target_unit,
        target_mean=mean,
        target_std=std,
        class_counts=counts,
    )
    raw = {
        split: {f"inputs.{column}": features[column].to_numpy()[index] for column in kinds} | {"targets": values[index]}
        for split, index in rows._asdict().items()
    }
    holes = {
        column: {split: int(features[column].iloc[index].isna().sum()) for split, index in rows._asdict().items()}
        for column in kinds
        if features[column].isna().any()
    }
    names = list(map(str, fitted.get_feature_names_out()))
    record = record_of(spec, raw, source, columns=dict(kinds), features=names, missing=holes)
    return DataSplits(spec, parts["train"], parts["val"], parts["test"], record)


def _check_columns(frame: pd.DataFrame, wanted: Sequence[str], source: str) -> None:
    columns = [str(name) for name in frame.columns]
    for column in wanted:
        if column not in columns:
            raise DataError(
                f"{source}: found no column {column!r}, expected it among {', '.join(columns)}; "
                f"{nearest(column, columns)}"
            )


def _kind(column: pd.Series, categorical: Sequence[str], source: str) -> ColumnKind:
    import pandas as pd

    if column.name in categorical:
        return "categorical"
    present = column.dropna()
    if len(present) and present.map(lambda value: isinstance(value, bool | np.bool_)).all():
        return "boolean"
    if pd.api.types.is_numeric_dtype(column):
        infinite = np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan))
        if infinite.any():
            _refuse_row(column, infinite, source, "a finite number, or nothing where it is missing")
        return "numeric"
    numbers = pd.to_numeric(column, errors="coerce")
    if 0.5 * len(present) < numbers.notna().sum() < len(present):
        stray = (column.notna() & numbers.isna()).to_numpy()
        meant = f"a number as in most rows (if {column.name!r} is meant as text, name it in `categorical`)"
        _refuse_row(column, stray, source, meant)
    return "categorical"


def _typed(features: pd.DataFrame, kinds: dict[str, ColumnKind]) -> pd.DataFrame:
    """Columns as scikit-learn wants them: floats with NaN, or objects of text with NaN."""
    import pandas as pd

    typed: dict[str, pd.Series] = {}
    for column, kind in kinds.items():
        values = features[column]
        if kind == "categorical":
            text = [np.nan if missing else str(v) for v, missing in zip(values, values.isna(), strict=True)]
            typed[column] = pd.Series(text, index=values.index, dtype=object)
        else:
            typed[column] = pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index)
    return pd.DataFrame(typed)


def _preprocessor(train: pd.DataFrame, kinds: dict[str, ColumnKind]) -> ColumnTransformer:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = {kind: [name for name in kinds if kinds[name] == kind] for kind in ("numeric", "boolean", "categorical")}
    holes = [column for column in columns["numeric"] + columns["boolean"] if train[column].isna().any()]
    scale = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    steps = [
        ("numeric", scale, columns["numeric"]),
        ("boolean", SimpleImputer(strategy="most_frequent", keep_empty_features=True), columns["boolean"]),
        ("missing", MissingIndicator(features="all"), holes),
        ("categorical", OneHotEncoder(handle_unknown="ignore", sparse_output=False), columns["categorical"]),
    ]
    return ColumnTransformer([step for step in steps if step[2]], verbose_feature_names_out=False)


def _targets(
    column: pd.Series, kind: Literal["class", "real"], class_names: Sequence[str] | None, source: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """int64 class indices with the classes' names, or float64 values in their own units with no names."""
    import pandas as pd

    missing = column.isna().to_numpy()
    if missing.any():
        _refuse_row(column, missing, source, "a target in every row: mend or remove the row")
    if kind == "real":
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            _refuse_row(column, ~np.isfinite(values), source, "a finite number as target: mend or remove the row")
        return values, ()
    found = sorted(column.unique())
    if len(found) < 2:
        raise DataError(
            f"{source}: the target {column.name!r} is always {str(found[0])!r}; expected two classes or more."
        )
    names = tuple(class_names or map(str, found))
    codes = column.map(str).map({name: index for index, name in enumerate(names)})
    if codes.isna().any():
        _refuse_row(column, codes.isna().to_numpy(), source, "one of the classes " + ", ".join(names))
    return codes.to_numpy(dtype=np.int64), names


def _target_scale(values: np.ndarray, target: str, source: str) -> tuple[float, float]:
    mean, std = float(values.mean()), float(values.std())
    if std == 0:
        raise DataError(
            f"{source}: the target {target!r} is {mean:g} in every one of the {len(values)} training rows; "
            "expected it to vary. Check the column, or raise data.limit_train."
        )
    return mean, std


def _refuse_row(column: pd.Series, bad: np.ndarray, source: str, expected: str) -> NoReturn:
    """Names the first bad row by the frame's index: the line of the file, or the row's number."""
    first = int(np.flatnonzero(bad)[0])
    where = f"{source}, {column.index.name or 'row'} {column.index[first]}, column {column.name!r}"
    value = column.iloc[first]
    found = "nothing" if column.isna().iloc[first] else repr(value.item() if hasattr(value, "item") else value)
    more = f" (and {int(bad.sum()) - 1} more)" if bad.sum() > 1 else ""
    raise DataError(f"{where}: found {found}{more}, expected {expected}.")
