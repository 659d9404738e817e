"""Reads a CSV file into a table that knows the line each row came from."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from lorelab.data.files import example_hint
from lorelab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_csv(path: Path, text: Collection[str] = ()) -> pd.DataFrame:
    """A comma-separated UTF-8 file with a header, types guessed by pandas; blank lines are skipped.

    ``text`` names columns (if there are such) to be read as they are written, "NA" and "01" included; in these only an
    empty field is missing. The index, named ``line``, holds the line of the file that each row starts on (the header is
    line 1), so that a later error can name it.

    Raises:
        DataError: the file cannot be read, has no rows, a name twice, or a row with too many or too few fields (pandas
            would fill those with missing values), or broken quotes.
    """
    import pandas as pd

    lines, written = _rows(path, text)
    try:
        frame = pd.read_csv(path, encoding="utf-8-sig", low_memory=False)
    except (pd.errors.ParserError, ValueError) as error:
        raise DataError(f"{path} cannot be parsed: {error}. Expected comma-separated values with a header.") from error
    if len(frame) != len(lines):
        raise DataError(
            f"{path}: found {len(lines)} rows by their line ends, but {len(frame)} by pandas; expected one row a line. "
            "Look for stray quotes or carriage returns."
        )
    for name, fields in written.items():
        frame[name] = [field or None for field in fields]
    frame.index = pd.Index(lines, name="line")
    return frame


def _rows(path: Path, text: Collection[str]) -> tuple[list[int], dict[str, list[str]]]:
    """First line of each row below the header, after checking that every row has the header's number of fields; and
    the fields of the columns ``text`` that there are."""
    lines: list[int] = []
    end = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            _check_header(path, header)
            written: dict[str, list[str]] = {name: [] for name in header if name in text}
            places = [(header.index(name), fields) for name, fields in written.items()]
            end = reader.line_num
            for row in reader:
                start, end = end + 1, reader.line_num
                if not row:
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"{path}, line {start}: found {len(row)} fields, expected {len(header)} as in the header. "
                        "Mend the row, or remove it."
                    )
                lines.append(start)
                for place, fields in places:
                    fields.append(row[place])
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); expected a CSV file.{example_hint(path, 'table')}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, after line {end}: found bytes that are not UTF-8 ({error.reason}); expected UTF-8 text. "
            "Save the file with that encoding."
        ) from error
    except csv.Error as error:
        raise DataError(f"{path}, line {end + 1}: cannot be parsed ({error}). Mend the quotes of that row.") from error
    if not lines:
        raise DataError(f"{path}: found no rows below the header; expected at least one.")
    return lines, written


def _check_header(path: Path, header: list[str]) -> None:
    if not header:
        raise DataError(f"{path} is empty; expected a header line with the columns' names.")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}, line 1: found the column {twice[0]!r} twice; expected different names. Rename one.")
