from pathlib import Path

import numpy as np
import pytest

from lorelab.data.csvfile import read_csv
from lorelab.errors import DataError


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_each_row_knows_the_line_it_starts_on(written) -> None:
    frame = read_csv(written('a,b\n1,x\n\n2,"two\nlines"\n3,z\n'))
    assert frame.index.tolist() == [2, 4, 6]
    assert frame["b"].tolist() == ["x", "two\nlines", "z"]


def test_types_and_missing_values_are_found(written) -> None:
    frame = read_csv(written("\ufeffn,t,b\n1.5,x,True\n,y,False\n"))
    assert list(frame.columns) == ["n", "t", "b"]
    assert frame["n"].tolist()[0] == 1.5
    assert np.isnan(frame["n"].tolist()[1])
    assert frame["b"].dtype == bool


@pytest.mark.parametrize(("row", "count"), [("4,5", 2), ("4,5,6,7", 4)])
def test_a_row_with_too_few_or_too_many_fields_is_named(written, row, count) -> None:
    path = written(f"a,b,c\n1,2,3\n{row}\n")
    with pytest.raises(DataError, match=f"{path}, line 3: found {count} fields, expected 3 as in the header"):
        read_csv(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; expected a header"),
        ("a,b\n", "found no rows below the header"),
        ("a,b,a\n1,2,3\n", "line 1: found the column 'a' twice"),
        ('a,b\n1,"x"y\n', "line 2: cannot be parsed"),
        (b"a,b\n1,\xff\n", "found bytes that are not UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(written, text, message) -> None:
    path = written(text)
    with pytest.raises(DataError, match=f"{path}.*{message}"):
        read_csv(path)


def test_an_absent_file_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}/no.csv cannot be read"):
        read_csv(tmp_path / "no.csv")


def test_columns_read_as_text_are_what_is_written_and_missing_where_nothing_is(written) -> None:
    frame = read_csv(written("a,b,c\nNA,NA,01\n,1.0,\nnull,2,2\n"), text=["a", "c", "absent"])
    assert frame["a"].tolist()[::2] == ["NA", "null"]
    assert frame["c"].tolist()[::2] == ["01", "2"]
    assert frame.isna().to_numpy().tolist() == [[False, True, False], [True, False, True], [False] * 3]
    assert frame["b"].dtype == float
