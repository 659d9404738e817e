"""The user's own table: a CSV or Parquet file with a target column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from lorelab.data.cautions import with_facts
from lorelab.data.columns import TargetChoice, column_cautions, infer_target, refuse_wide
from lorelab.data.csvfile import read_csv
from lorelab.data.official import absent_classes, require_examples
from lorelab.data.splits import DataSplits, provides
from lorelab.data.tables import table_splits
from lorelab.errors import DataError, nearest

if TYPE_CHECKING:
    import pandas as pd

_MOST_TARGET_CLASSES = 1_000


@provides(inputs="table", targets=None)
def table(
    path: str,
    target: str,
    target_kind: TargetChoice = "auto",
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    max_categories: int = 100,
    target_unit: str = "",
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    limit_train: int | None = None,
) -> DataSplits:
    """Rows of ``path`` (.csv or .parquet) as ``table_splits`` makes inputs of them; ``target`` is the column to
    predict, ``drop`` names columns to leave out, ``categorical`` columns of numbers that are names.

    Of a target of text in a CSV only an empty field is missing: "None" and "NA" are classes like others.
    With ``target_kind="auto"`` the target's values tell classes from real values (``infer_target``). Columns that give
    the target away, count rows or never vary are warned of (``DataWarning``).

    Raises:
        DataError: the file cannot be read, a column is missing or cannot be an input, the target is unusable.
    """
    file = Path(path).expanduser().resolve()
    source = str(file)
    frame = _read(file, target)
    if target_kind not in get_args(TargetChoice):
        raise DataError(f"data.target_kind: found {target_kind!r}, expected auto, class or real.")
    _require(frame, target, categorical, drop, source)
    frame = frame.drop(columns=list(drop))
    features = frame.drop(columns=target)
    refuse_wide(features, categorical, max_categories, source)
    cautions = column_cautions(features, frame[target])
    kind, because = infer_target(frame[target])
    if target_kind != "auto":
        kind, because = target_kind, "data.target_kind"
    names = _class_names(frame[target], source, val_fraction, test_fraction) if kind == "class" else None
    splits = table_splits(
        frame,
        target,
        name=file.stem,
        target_kind=kind,
        source=source,
        categorical=tuple(categorical),
        class_names=names,
        target_unit=target_unit,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        split_seed=split_seed,
        limit_train=limit_train,
    )
    cautions += absent_classes(splits.by_name(), splits.spec.class_names) if kind == "class" else []
    return with_facts(splits, cautions, target_kind_because=because, dropped=list(drop))


def _read(path: Path, target: str) -> pd.DataFrame:
    """The file's rows; the index, named ``line`` or ``row``, says where each is."""
    import pandas as pd

    if path.suffix.lower() == ".csv":
        frame = read_csv(path)
        if target in frame and frame[target].isna().any() and not pd.api.types.is_numeric_dtype(frame[target]):
            return read_csv(path, text=[target])  # "None" may be a class; among numbers, "NaN" is a hole
        return frame
    if path.suffix.lower() not in (".parquet", ".pq"):
        raise DataError(f"data.path: found {path}, expected a .csv or .parquet file. Save the table as one of these.")
    try:
        frame = pd.read_parquet(path).reset_index(drop=True)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); expected a Parquet file.") from error
    except (ValueError, ImportError) as error:  # pyarrow's errors are ValueErrors
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path} cannot be read as Parquet ({reason}); expected a table saved in that format."
        ) from error
    if frame.empty:
        raise DataError(f"{path}: found no rows; expected at least one.")
    frame.columns = frame.columns.map(str)
    frame.index.name = "row"
    return frame


def _require(frame: pd.DataFrame, target: str, categorical: Sequence[str], drop: Sequence[str], source: str) -> None:
    columns = list(map(str, frame.columns))
    wanted = {"data.target": [target], "data.categorical": categorical, "data.drop": drop}
    for key, names in wanted.items():
        for name in names:
            if name not in columns:
                raise DataError(
                    f"{key}: {source} has no column {name!r}, expected one of {', '.join(columns)}; "
                    f"{nearest(name, columns)}"
                )
    if target in drop:
        raise DataError(f"data.drop: found the target {target!r} in it; expected other columns.")
    if lost := sorted(set(categorical) & set(drop)):
        raise DataError(f"data.drop: found {lost[0]!r} in data.categorical too; expected it in one of them.")


def _class_names(column: pd.Series, source: str, val_fraction: float, test_fraction: float) -> tuple[str, ...] | None:
    """Numbers in their own order, text sorted; None where ``table_splits`` has an error of its own to raise.

    Raises:
        DataError: so many classes that the target is rather a text or a number, or too few examples of one.
    """
    import pandas as pd

    if column.isna().any() or column.map(str).nunique() < 2:
        return None
    number = pd.api.types.is_numeric_dtype(column)
    names = tuple(map(str, sorted(column.unique()))) if number else tuple(sorted(column.map(str).unique()))
    if len(names) > min(_MOST_TARGET_CLASSES, len(column) // 2):
        raise DataError(
            f"{source}: the target {column.name!r} has {len(names):,} different values in {len(column):,} rows, too "
            "many for classes. Expected a column of few classes, or of numbers with data.target_kind=real and "
            "task=regression."
        )
    index = {name: number for number, name in enumerate(names)}
    codes = column.map(str).map(index).to_numpy(dtype=np.int64)
    require_examples(codes, names, source, splits=1 + (val_fraction > 0) + (test_fraction > 0))
    return names
