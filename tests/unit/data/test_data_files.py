import hashlib
from pathlib import Path

import pytest

import lorelab
from lorelab.data.files import data_root, fetch, verify
from lorelab.errors import DataError


def test_the_root_is_the_argument_then_the_environment_then_the_checkout(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LORELAB_DATA_DIR", str(tmp_path / "env"))
    assert data_root(tmp_path / "arg") == tmp_path / "arg"
    assert data_root() == tmp_path / "env"
    monkeypatch.delenv("LORELAB_DATA_DIR")
    assert data_root() == Path(lorelab.__file__).resolve().parents[2] / "data"


def test_a_relative_root_is_relative_to_the_working_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LORELAB_DATA_DIR", "../elsewhere")
    assert data_root() == tmp_path.parent / "elsewhere"


def test_files_that_are_there_are_neither_downloaded_nor_is_anything_written_beside_them(tmp_path) -> None:
    (tmp_path / "a").write_text("here")

    def download() -> None:
        raise AssertionError("downloaded")

    fetch("A", [tmp_path / "a"], download)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_absent_file_is_downloaded_once_even_if_two_ask_for_it(tmp_path) -> None:
    import threading
    import time

    calls = []

    def download() -> None:
        calls.append(1)
        time.sleep(0.1)
        (tmp_path / "sub" / "a").write_text("now here")

    threads = [threading.Thread(target=fetch, args=("A", [tmp_path / "sub" / "a"], download)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert (tmp_path / "sub" / "a").read_text() == "now here"


def test_absent_and_no_network_says_where_it_looked_and_what_to_set(tmp_path) -> None:
    def download() -> None:
        raise OSError("Network is unreachable")

    pattern = rf"(?s)Set A is not there: looked for {tmp_path}/a .*Network is unreachable.*LORELAB_DATA_DIR"
    with pytest.raises(DataError, match=pattern):
        fetch("Set A", [tmp_path / "a"], download)


def test_a_root_that_cannot_be_written_to_says_the_same(tmp_path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"(?s)Set A is not there: .*folder that can be written to"):
        fetch("Set A", [tmp_path / "file" / "a"], lambda: None)


def test_a_file_is_checked_against_its_md5(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    good = hashlib.md5(b"content").hexdigest()
    verify(tmp_path, {"a": good})
    (tmp_path / "a").write_bytes(b"conten")
    found = hashlib.md5(b"conten").hexdigest()
    pattern = rf"(?s){tmp_path}/a is damaged: found md5 {found} \(6 bytes\), expected md5 {good}.*Delete the file"
    with pytest.raises(DataError, match=pattern):
        verify(tmp_path, {"a": good})


def test_an_unreadable_file_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=rf"{tmp_path}/a cannot be read \(No such file.*expected a file with md5 00"):
        verify(tmp_path, {"a": "00"})


def test_a_download_that_fails_leaves_nothing_behind(tmp_path):
    def download() -> None:
        raise OSError("no\nnetwork")

    with pytest.raises(DataError, match="no network"):
        fetch("Thing", [tmp_path / "a" / "b" / "file"], download)
    assert list(tmp_path.iterdir()) == []
