"""Text cut into windows, from files and from the interpreter."""

import hashlib
import re

import pytest
import torch

from lorelab.data.files import data_root
from lorelab.data.text import MD5, UNKNOWN, help_topics, read_text, text_file, text_splits, tinyshakespeare
from lorelab.errors import DataError


def splits(text, context=4, val=0.2, test=0.2, limit=None):
    return text_splits(text, "a text", "somewhere.txt", context, val, test, limit)


def readable(split, spec):
    """Each window's inputs and targets as text."""
    return [
        ("".join(spec.vocabulary[t] for t in x), "".join(spec.vocabulary[t] for t in y))
        for x, y in zip(split.inputs.tolist(), split.targets.tolist(), strict=True)
    ]


def test_a_text_is_cut_in_order_into_parts_and_windows() -> None:
    # 30 characters: 18 train, 6 val, 6 test; (18 - 1) // 4 = 4 windows, the last character of the part is left out.
    data = splits("abcdefghijklmnopqrSTUVWXabcdef")
    assert readable(data.train, data.spec) == [
        ("abcd", "bcde"),
        ("efgh", "fghi"),
        ("ijkl", "jklm"),
        ("mnop", "nopq"),
    ]
    assert readable(data.val, data.spec) == [(UNKNOWN * 4, UNKNOWN * 4)]
    assert readable(data.test, data.spec) == [("abcd", "bcde")]
    assert data.record.sizes == {"train": 4, "val": 1, "test": 1}


def test_a_part_that_ends_with_a_window_is_used_to_its_last_character() -> None:
    data = splits("abcdefghi" * 5, context=8, val=0.4, test=0.4)  # 9 train, 18 val, 18 test
    assert readable(data.train, data.spec) == [("abcdefgh", "bcdefghi")]
    assert [inputs for inputs, _ in readable(data.val, data.spec)] == ["abcdefgh", "iabcdefg"]


@pytest.mark.parametrize("context", [1, 3, 7, 64])
def test_no_character_is_a_target_twice_and_windows_join(context) -> None:
    text = "".join(chr(0x4E00 + i) for i in range(2000))  # every character once
    data = splits(text, context, val=0.1, test=0.2)
    everything = []
    for (name, split), size in zip(data.by_name().items(), (1400, 200, 400), strict=True):
        assert split.inputs.shape == split.targets.shape == ((size - 1) // context, context)
        assert split.inputs.dtype == split.targets.dtype == torch.int64
        assert torch.equal(split.inputs[:, 1:], split.targets[:, :-1])
        assert torch.equal(split.inputs[1:, 0], split.targets[:-1, -1])
        if name == "train":
            everything += split.targets.flatten().tolist()
    assert len(set(everything)) == len(everything) == (1399 // context) * context


def test_the_vocabulary_is_the_training_parts_alone_and_what_is_new_later_is_counted() -> None:
    data = splits("hello world hello " + "hexxxo" + "Hello!", val=0.2, test=0.2)
    assert data.spec.vocabulary == (UNKNOWN, *sorted(set("hello world hello")))
    assert data.spec.num_classes == len(data.spec.vocabulary)
    assert readable(data.val, data.spec) == [(f"he{UNKNOWN * 2}", f"e{UNKNOWN * 3}")]
    assert data.record.schema["unknown"] == {"train": 0, "val": 3, "test": 0}
    assert 0 not in data.train.inputs


def test_a_replacement_character_in_the_text_is_the_unknown_one() -> None:
    data = splits(f"ab{UNKNOWN}ab" * 6)
    assert data.spec.vocabulary == (UNKNOWN, "a", "b")
    assert data.train.inputs[0].tolist() == [1, 2, 0, 1]
    assert splits(UNKNOWN * 30).spec.vocabulary == (UNKNOWN,)


def test_characters_beyond_the_basic_plane_are_one_each() -> None:
    data = splits("a😀é\N{COMBINING ACUTE ACCENT}" * 10)
    assert data.spec.vocabulary[1:] == ("a", "é", "\N{COMBINING ACUTE ACCENT}", "😀")
    assert readable(data.train, data.spec)[0][0] == "a😀é\N{COMBINING ACUTE ACCENT}"


def test_a_limit_keeps_the_first_training_windows_and_their_vocabulary() -> None:
    text = "aabbccddeeffgghhiijjkkllmmnnoo"
    data = splits(text, limit=2)
    assert data.record.sizes == {**splits(text).record.sizes, "train": 2}
    assert data.spec.vocabulary == (UNKNOWN, *"abcde")
    with pytest.raises(DataError, match="Limiting a split to 0 examples: expected at least 1"):
        splits(text, limit=0)


def test_the_spec_and_the_record_agree_with_the_tensors() -> None:
    data = splits("to be or not to be " * 20)
    spec = data.spec
    assert (spec.name, spec.input_kind, spec.target_kind, spec.input_shape) == ("a text", "text", "token", (4,))
    assert data.record.sizes == {name: len(split) for name, split in data.by_name().items()}
    assert (data.record.source, data.record.schema["characters"]) == ("somewhere.txt", 380)


def test_the_fingerprint_is_of_the_characters_in_use() -> None:
    text = "to be or not to be " * 20
    same = splits(text).record.fingerprint
    assert splits(text).record.fingerprint == same
    # Other letters in the same pattern give the same tokens, and yet other data.
    assert splits(text.translate(str.maketrans("torn", "uosp"))).record.fingerprint != same
    assert splits(text, context=5).record.fingerprint != same


def test_parts_that_are_not_asked_for_are_empty() -> None:
    data = splits("to be or not to be " * 20, val=0.1, test=0)
    assert data.test.inputs.shape == (0, 4)
    assert data.record.sizes["test"] == 0


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("x" * 40, {"val": 0.1}, r"somewhere.txt is too short: of its 40 characters, 4 are the val part; expected at "
         r"least 5 there, one window of context=4. Use more text, a smaller data.context"),
        ("", {}, r"somewhere.txt is too short: of its 0 characters, 0 are the train part"),
        ("x" * 40, {"context": 0}, r"somewhere.txt: found context=0, .*expected a context of at least 1"),
        ("x" * 40, {"val": -0.1}, r"found .*val_fraction=-0.1, .*fractions of at least 0"),
        ("x" * 40, {"val": 0.5, "test": 0.5}, r"found .*val_fraction=0.5, test_fraction=0.5; .*sum below 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_refused(text, values, message) -> None:
    with pytest.raises(DataError, match=message):
        splits(text, **values)


def test_a_file_is_read_as_utf8_without_mark_and_with_one_kind_of_line_end(tmp_path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes("\ufeffä\r\nb\rc\n".encode())
    assert read_text(path) == "ä\nb\nc\n"


def test_a_file_that_is_not_utf8_is_named_with_line_and_byte(tmp_path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"first\nsecond\ncaf\xe9 au lait\n")
    expected = f"{path}, line 3: found byte 0xe9 at offset 16, which is not UTF-8"
    with pytest.raises(DataError, match=re.escape(expected) + r".*iconv"):
        read_text(path)


def test_a_file_that_is_absent_or_a_folder_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}/none.txt cannot be read .*No such file"):
        text_file(str(tmp_path / "none.txt"))
    with pytest.raises(DataError, match=f"{tmp_path} cannot be read"):
        text_file(str(tmp_path))


def test_a_file_of_the_users_is_named_after_itself_and_relative_to_where_they_work(tmp_path, monkeypatch) -> None:
    (tmp_path / "notes.txt").write_text("to be or not to be\n" * 100)
    monkeypatch.chdir(tmp_path)
    data = text_file("notes.txt", context=8)
    assert (data.spec.name, data.record.source) == ("notes", str(tmp_path / "notes.txt"))
    assert data.record.sizes == {"train": 1709 // 8, "val": 94 // 8, "test": 94 // 8}
    (tmp_path / "notes.txt").write_text("short")
    with pytest.raises(DataError, match=f"{tmp_path}/notes.txt is too short: of its 5 characters"):
        text_file("notes.txt")


def test_help_topics_are_the_same_at_every_load_and_known_by_their_python() -> None:
    import platform

    data = help_topics()
    assert data.record == help_topics().record
    assert data.record.source == f"pydoc_data.topics of Python {platform.python_version()}"
    assert data.record.sizes["train"] > 2000


def test_no_paragraph_of_the_help_topics_is_in_two_parts() -> None:
    data = help_topics()
    parts = [
        "".join(data.spec.vocabulary[t] for t in torch.cat([split.inputs.flatten(), split.targets[-1, -1:]]).tolist())
        for split in data.by_name().values()
    ]
    shared = set(parts[0].split("\n\n")) & {*parts[1].split("\n\n")[1:-1], *parts[2].split("\n\n")[1:-1]}
    assert shared == set()


def test_shakespeare_is_downloaded_when_absent_and_checked(tmp_path, monkeypatch, serve) -> None:
    text = ("First Citizen:\nBefore we proceed any further, hear me speak.\n" * 40).encode()
    monkeypatch.setattr("lorelab.data.text.URL", serve({"input.txt": text}) + "input.txt")
    monkeypatch.setattr("lorelab.data.text.MD5", hashlib.md5(text).hexdigest())
    assert tinyshakespeare(str(tmp_path)).record.schema["characters"] == len(text)
    path = tmp_path / "tinyshakespeare" / "input.txt"
    assert path.read_bytes() == text
    path.write_bytes(text[:-1])
    with pytest.raises(DataError, match=f"{path} is damaged: found md5"):
        tinyshakespeare(str(tmp_path))


def test_shakespeares_training_part_is_nanogpts() -> None:
    path = data_root() / "tinyshakespeare" / "input.txt"
    if not path.is_file():
        pytest.skip(f"no tinyshakespeare/input.txt below the data root {data_root()}")
    data, text = tinyshakespeare(), path.read_text(encoding="utf-8")
    assert MD5 == "6fb458f1232090904fb40fe944165e91"
    assert data.spec.vocabulary == (UNKNOWN, *sorted(set(text)))
    assert data.spec.num_classes == 66
    train = "".join(data.spec.vocabulary[t] for t in data.train.inputs.flatten().tolist())
    assert train == text[: int(0.9 * len(text))][: len(train)]
    assert 0.9 * len(text) - len(train) <= 65
