import math
from xml.etree.ElementTree import Element

import numpy as np
import pytest

from lorelab.pages.table import Cell, Table


def cells(table: Table) -> list[list[Element]]:
    return [list(row) for row in table.draw().iter("tr")][1:]


def text(element: Element) -> str:
    return "".join(element.itertext())


def test_numbers_stand_to_the_right_and_words_do_not() -> None:
    table = Table(["run", "score", "lr"], [["a", 0.91, None], ["b", math.nan, 1e-3], ["c", 1, Cell(0.01, "default")]])
    names = [header.get("class") for header in table.draw().iter("th")]
    assert names == [None, "number", "number"]
    assert [[text(cell) for cell in row] for row in cells(table)] == [
        ["a", "0.91", "–"],
        ["b", "NaN", "0.001"],
        ["c", "1", "default"],
    ]


def test_columns_are_sorted_by_the_number_and_not_by_its_writing() -> None:
    table = Table(["x"], [[1234.5678], [math.inf], [-math.inf], [math.nan], [None], [1e-7]])
    values = [row[0].get("data-value") for row in cells(table)]
    assert values == ["1234.5678", "Infinity", "-Infinity", "NaN", None, "1e-07"]


def test_a_column_with_one_word_is_a_column_of_words() -> None:
    assert [header.get("class") for header in Table(["x"], [[1], ["one"]]).draw().iter("th")] == [None]


def test_numbers_of_numpy_are_numbers() -> None:
    table = Table(["x", "y"], [[np.int64(1234), np.float64(0.5)]])
    assert [(text(cell), cell.get("class"), cell.get("data-value")) for cell in cells(table)[0]] == [
        ("1,234", "number", "1234.0"),
        ("0.5", "number", "0.5"),
    ]


def test_truth_is_written_as_yes_and_no() -> None:
    assert [text(row[0]) for row in cells(Table(["x"], [[True], [False]]))] == ["yes", "no"]


def test_a_cell_may_be_a_link_with_a_sign() -> None:
    ((cell,),) = cells(Table(["x"], [[Cell("finished", href="runs/1", tone="good", title="seed 1")]]))
    assert text(cell) == "✓ finished"
    assert (cell.get("class"), cell.get("title"), cell[0].get("href")) == ("good", "seed 1", "runs/1")


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"row 1 of table 'trials': 1 values, 2 columns"):
        Table(["a", "b"], [[1, 2], [3]], "trials")


def test_no_rows_are_a_table_all_the_same() -> None:
    assert cells(Table(["a"], [])) == []
