import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worked_study import lost, row, rows

from lorelab.errors import LorelabError
from lorelab.studies.table import Row, as_csv, read_rows, scores

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)
ROWS = st.builds(
    row, task=st.sampled_from(["digits", "houses"]), arm=WORDS, seed=st.integers(0, 9), value=FLOATS, score=FLOATS,
    role=st.sampled_from(["tune", "final"]), trial=st.integers(-1, 99), run=WORDS, score_name=WORDS,
    seconds=st.floats(0, 1e6), params=st.dictionaries(WORDS, st.one_of(st.integers(), WORDS, st.floats(-1e3, 1e3))),
)  # fmt: skip


def written(folder: Path, table: list[Row]) -> Path:
    path = folder / "runs.csv"
    path.write_text(as_csv(table), encoding="utf-8", newline="")
    return path


@given(table=st.lists(ROWS, max_size=4))
def test_rows_come_back_bit_for_bit(table: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    back = read_rows(written(tmp_path_factory.mktemp("rows"), table))
    # repr, because nan is not nan
    assert list(map(repr, map(dataclasses.asdict, back))) == list(map(repr, map(dataclasses.asdict, table)))


def test_the_same_rows_are_the_same_text_and_another_number_is_another() -> None:
    assert as_csv(rows()) == as_csv(rows())
    assert as_csv(rows()) != as_csv([*rows()[:-1], dataclasses.replace(rows()[-1], seconds=1.6)])


def test_a_metric_that_a_run_does_not_have_is_an_empty_cell_and_absent_again(tmp_path: Path) -> None:
    table = [row(metrics={"test/x": 1.0}), lost(seed=1), row(seed=2, metrics={"test/y": -0.0})]
    assert [each.metrics for each in read_rows(written(tmp_path, table))] == [{"test/x": 1.0}, {}, {"test/y": -0.0}]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("0.9", "0,9", "runs.csv, line 2"),
        (",finished", "", "line 2"),
        ("seed,", "", "line 2"),
        (",10,", ",ten,", "ten"),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = written(tmp_path, [row(params={}, value=0.9, score=0.9)])
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LorelabError, match=says):
        read_rows(path)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LorelabError, match="lorelab study run writes it"):
        read_rows(tmp_path / "runs.csv")


def test_scores_come_in_the_order_of_the_seeds_and_nan_where_a_run_diverged() -> None:
    table = [row(seed=2, value=0.2), lost(seed=1), row(seed=0, value=0.0), row(seed=7, value=0.7), *rows()[:4]]
    found = scores(table, "digits", "a", "test/accuracy", [0, 1, 2])
    assert found.tolist()[::2] == [0.0, 0.2]
    assert math.isnan(found[1])
    assert np.array_equal(scores(table, "digits", "a", "test/accuracy", [2, 0]), [0.2, 0.0])


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ([row(seed=0), row(seed=2)], r"digits, arm 'a': found no run for seeds \[1\]; expected one run for each"),
        ([row(seed=0), row(seed=1), row(seed=1), row(seed=2)], r"several runs for seeds \[1\]"),
        ([row(seed=0), row(seed=1, fingerprint="other"), row(seed=2)], "its runs saw 2 versions of the data"),
        (
            [row(seed=seed, metrics={"test/loss": 1.0, "test/f1": 0.5}) for seed in range(3)],
            "measured no 'test/accuracy'; expected one of test/f1, test/loss",
        ),
    ],
)
def test_holes_doubles_mixed_data_and_unknown_metrics_are_named(table: list[Row], says: str) -> None:
    with pytest.raises(LorelabError, match=says):
        scores(table, "digits", "a", "test/accuracy", range(3))


def test_runs_of_other_tasks_arms_roles_and_seeds_are_no_doubles() -> None:
    table = [
        *(row(seed=seed) for seed in range(3)),
        row("houses"),
        row(arm="b"),
        row(seed=9),
        row(role="tune", trial=0),
    ]
    assert len(scores(table, "digits", "a", "test/accuracy", range(3))) == 3
