"""Text as rows of characters: tiny Shakespeare, the interpreter's help topics, any file of the user's."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import numpy as np
import torch

from lorelab.data.files import data_root, fetch, verify
from lorelab.data.splits import DataSplits, Split, provides, record_of
from lorelab.errors import DataError
from lorelab.records import DataSpec

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
MD5 = "6fb458f1232090904fb40fe944165e91"
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Token 0 of every vocabulary: stands for each character that the training part does not have."""


@provides(inputs="text", targets="token", shape=("context",))
def tinyshakespeare(
    root: str | None = None,
    context: int = 64,
    val_fraction: float = 0.05,
    test_fraction: float = 0.05,
    limit_train: int | None = None,
) -> DataSplits:
    """Tiny Shakespeare (Karpathy 2015): 1,115,394 characters of plays. The training part is that of nanoGPT (the first
    90 %); its validation part is cut into validation and test.

    Raises:
        DataError: the file is absent and not to be downloaded, or damaged.
    """
    path = data_root(root) / "tinyshakespeare" / "input.txt"
    fetch("tiny Shakespeare", [path], lambda: _download(path))
    verify(path.parent, {path.name: MD5})
    return text_splits(read_text(path), "tinyshakespeare", str(path), context, val_fraction, test_fraction, limit_train)


@provides(inputs="text", targets="token", shape=("context",))
def help_topics(
    context: int = 64, val_fraction: float = 0.05, test_fraction: float = 0.05, limit_train: int | None = None
) -> DataSplits:
    """What ``help("NAME")`` prints of Python's syntax, in alphabetical order; other text in other Python versions.

    Topics quote each other (a fifth of the text), so a paragraph that came before is left out: what is tested was not
    trained on.
    """
    from pydoc_data.topics import topics

    seen: dict[str, None] = {}
    for name in sorted(topics):
        for paragraph in [name, *re.split(r"\n\s*\n", topics[name])]:
            seen.setdefault(paragraph.strip("\n").rstrip())
    text = "\n\n".join(filter(None, seen)) + "\n"
    source = f"pydoc_data.topics of Python {platform.python_version()}"
    return text_splits(text, "help_topics", source, context, val_fraction, test_fraction, limit_train)


@provides(inputs="text", targets="token", shape=("context",))
def text_file(
    path: str,
    context: int = 64,
    val_fraction: float = 0.05,
    test_fraction: float = 0.05,
    limit_train: int | None = None,
) -> DataSplits:
    """Any UTF-8 file, relative to the working directory.

    Raises:
        DataError: it cannot be read, is not UTF-8 or is too short.
    """
    file = Path(path).expanduser().resolve()
    return text_splits(read_text(file), file.stem, str(file), context, val_fraction, test_fraction, limit_train)


def read_text(path: Path) -> str:
    """The characters of a UTF-8 file, without byte-order mark, lines ended by ``\\n`` alone.

    Raises:
        DataError: it cannot be read or is not UTF-8; names the line and the byte (from 0).
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected a text file. Check the path.") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: found byte 0x{content[error.start]:02x} at offset {error.start}, which is not UTF-8 "
            f"({error.reason}); expected UTF-8 text. Convert it, e.g. iconv -f latin1 -t utf-8."
        ) from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def text_splits(
    text: str,
    name: str,
    source: str,
    context: int = 64,
    val_fraction: float = 0.05,
    test_fraction: float = 0.05,
    limit_train: int | None = None,
) -> DataSplits:
    """Three contiguous parts, training first and test last, each cut into windows.

    A window is ``context`` input characters and, one further, as many targets; the next begins where its inputs end, so
    no character is a target twice, no window reaches into another part, and what does not fill a window is left out.
    ``limit_train`` keeps the first so many training windows. The vocabulary is ``UNKNOWN`` and the sorted characters of
    the training windows; the record counts the unknown characters of the other parts.

    Raises:
        DataError: values out of range, or a part that was asked for would have no window.
    """
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    raw = _windows(codes, _part_sizes(len(codes), context, val_fraction, test_fraction, source), context)
    if limit_train is not None:
        if limit_train < 1:
            raise DataError(
                f"Limiting a split to {limit_train} examples: expected at least 1, or null for all of them."
            )
        raw["train"] = raw["train"][:limit_train]
    characters = np.setdiff1d(raw["train"], ord(UNKNOWN))
    vocabulary = (UNKNOWN, *map(chr, characters))
    tokens = {part: _tokens(windows, characters) for part, windows in raw.items()}
    spec = DataSpec(
        name,
        "text",
        (context,),
        "token",
        num_classes=len(vocabulary),
        target_name="next character",
        vocabulary=vocabulary,
    )
    unknown = {part: int((rows[:, 1:] == 0).sum()) for part, rows in tokens.items()}
    record = record_of(
        spec, {part: {"characters": rows} for part, rows in raw.items()}, source, characters=len(codes), unknown=unknown
    )
    parts = {part: Split(rows[:, :-1].contiguous(), rows[:, 1:].contiguous()) for part, rows in tokens.items()}
    return DataSplits(spec, parts["train"], parts["val"], parts["test"], record)


def _part_sizes(length: int, context: int, val_fraction: float, test_fraction: float, source: str) -> dict[str, int]:
    """Characters of each part, in the order of the text."""
    fractions = {"train": 1 - val_fraction - test_fraction, "val": val_fraction, "test": test_fraction}
    if context < 1 or not (val_fraction >= 0 and test_fraction >= 0 and fractions["train"] > 0):
        raise DataError(
            f"{source}: found context={context}, val_fraction={val_fraction}, test_fraction={test_fraction}; expected "
            "a context of at least 1, fractions of at least 0 and their sum below 1."
        )
    val, test = round(length * val_fraction), round(length * test_fraction)
    sizes = {"train": length - val - test, "val": val, "test": test}
    for part, size in sizes.items():
        if fractions[part] > 0 and size <= context:
            raise DataError(
                f"{source} is too short: of its {length:,} characters, {size:,} are the {part} part; expected at least "
                f"{context + 1} there, one window of context={context}. Use more text, a smaller data.context or other "
                "fractions."
            )
    return sizes


def _windows(codes: np.ndarray, sizes: dict[str, int], context: int) -> dict[str, np.ndarray]:
    """Rows of ``context + 1`` code points by part, ``(N, context + 1)``."""
    raw, start = {}, 0
    for part, size in sizes.items():
        piece = codes[start : start + size]
        starts = np.arange(max(0, (size - 1) // context)) * context
        raw[part] = piece[starts[:, None] + np.arange(context + 1)]
        start += size
    return raw


def _tokens(codes: np.ndarray, characters: np.ndarray) -> torch.Tensor:
    """Position in the sorted ``characters`` plus 1, and 0 for what is not among them."""
    known = np.isin(codes, characters)
    return torch.from_numpy(np.where(known, np.searchsorted(characters, codes) + 1, 0).astype(np.int64))


def _download(path: Path) -> None:
    from torchvision.datasets.utils import download_url

    download_url(URL, path.parent, path.name, MD5)
