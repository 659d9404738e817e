"""``lorelab data``, in this process."""

import json
from pathlib import Path

import pytest

from lorelab.cli.data import main
from lorelab.errors import ConfigError, DataError, LorelabError


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("examples") / "table"
    assert main(["example", "table", "--to", str(folder)]) == 0
    return folder / "table.csv"


def test_an_example_says_how_to_train_on_it(tmp_path, capsys) -> None:
    assert main(["example", "table", "--to", str(tmp_path / "new")]) == 0
    path = tmp_path / "new" / "table.csv"
    assert path.is_file()
    out = capsys.readouterr().out
    assert "442 examples" in out
    assert f"lorelab train experiment=table_example data.path={path}" in out


def test_an_example_is_not_written_over_what_is_there(tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(LorelabError, match=rf"{tmp_path} is there and not empty; expected a new folder"):
        main(["example", "image_folder", "--to", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_summary_shows_what_was_understood(example, capsys) -> None:
    assert main(["summary", "experiment=table_example", f"data.path={example}"]) == 0
    out = capsys.readouterr().out
    for words in ("train 310, val 66, test 66", "task=regression", "Missing values", "age_band", "fingerprint"):
        assert words in out


def test_a_summary_of_the_users_own_table_needs_no_preset(example, capsys) -> None:
    assert main(["summary", "data=table", f"data.path={example}", "data.target=high_bmi", "data.drop=[bp]"]) == 0
    out = capsys.readouterr().out
    assert "'high_bmi': class, 2 classes (true or false)" in out
    assert "columns left out: bp" in out
    assert "bmi" in out


def test_a_summary_can_be_read_by_programs_and_has_the_warnings(example, tmp_path, capsys, recwarn) -> None:
    lines = example.read_text().splitlines()
    rows = [f"{line},{line.rsplit(',', 1)[1]}" for line in lines[1:]]
    (tmp_path / "leak.csv").write_text("\n".join([f"{lines[0]},copy", *rows]))
    assert main(["summary", "--json", "experiment=table_example", f"data.path={tmp_path / 'leak.csv'}"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["sizes"] == {"train": 310, "val": 66, "test": 66}
    assert "column 'copy' equals the target 'progression'" in summary["cautions"][0]
    assert not [warning for warning in recwarn if "copy" in str(warning.message)]  # said once


def test_thumbnails_are_written_where_asked(tmp_path, capsys) -> None:
    assert main(["summary", "data=digits", "--thumbnails", str(tmp_path / "t.png")]) == 0
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path / "t.png") in capsys.readouterr().out


def test_thumbnails_of_a_table_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="thumbnails need images"):
        main(["summary", "data=diabetes", "--thumbnails", str(tmp_path / "t.png")])


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A folder with a data source of the user's: ``my_clouds.py`` and ``conf/data/clouds.yaml``."""
    (tmp_path / "my_clouds.py").write_text(
        """
import torch
from lorelab.data.splits import DataSplits, Split, provides, record_of
from lorelab.records import DataSpec

@provides(inputs="table", targets="class")
def clouds(count: int = 30) -> DataSplits:
    rows = torch.arange(2.0 * count).view(count, 2)
    split = Split(rows, torch.arange(count) % 2)
    spec = DataSpec("clouds", "table", (2,), "class", num_classes=2, class_names=("left", "right"))
    raw = {name: {"inputs": rows.numpy()} for name in ("train", "val", "test")}
    return DataSplits(spec, split, split, split, record_of(spec, raw, "drawn by my_clouds.py"))
"""
    )
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "clouds.yaml").write_text("_target_: my_clouds.clouds\ncount: 30\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LORELAB_TRUST", "my_clouds")
    return tmp_path / "conf"


@pytest.mark.parametrize("folder", ["conf", None], ids=["relative", "absolute"])
def test_a_data_set_of_the_users_own_is_summarised(own, folder, capsys) -> None:
    assert main(["summary", "data=clouds", "--config-dir", folder or str(own), "data.count=20"]) == 0
    out = capsys.readouterr().out
    for words in ("drawn by my_clouds.py", "train 20, val 20, test 20", "left", "20 in train and test"):
        assert words in out


def test_a_config_folder_that_is_not_there_is_named(own) -> None:
    with pytest.raises(
        LorelabError, match=rf"--config-dir: found no folder {own.parent}/cnof; expected one with data/"
    ):
        main(["summary", "--config-dir", "cnof", "data=clouds"])


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["data=table"], ConfigError, r"(?s)data.path.*set it: data.path=VALUE.*set it: data.target=VALUE"),
        (["data=tabel"], ConfigError, r"data=tabel.*(?s:.)*did you mean 'table'"),
        (["data=digits,diabetes"], LorelabError, r"found overrides for 2 configs; expected one"),
        (["experiment=table_example", "data.path=/no/t.csv"], DataError, r"/no/t.csv cannot be read"),
    ],
)
def test_what_cannot_be_summarised_is_refused(words, error, message) -> None:
    with pytest.raises(error, match=message):
        main(["summary", *words])


def test_help_names_the_commands_and_a_wrong_one_is_refused(capsys) -> None:
    assert main([]) == 0
    assert "summary" in capsys.readouterr().out
    assert main(["sumary"]) == 2
    assert "Commands: summary, example" in capsys.readouterr().err
