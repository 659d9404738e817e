"""The user's own images: a folder per class, or a table of paths and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import torch

from lorelab.data.cautions import with_facts
from lorelab.data.csvfile import read_csv
from lorelab.data.decode import SUFFIXES, Channels, Fit, decode_all
from lorelab.data.files import example_hint
from lorelab.data.images import image_splits
from lorelab.data.official import absent_classes, complete
from lorelab.data.splits import DataSplits, Split, provides
from lorelab.errors import DataError, nearest

_PARTS = ("train", "val", "test")
_ALIASES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass
class Listing:
    """Image files by split ("train", "val", "test"), each with its class, and what was passed over."""

    files: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)


@provides(inputs="image", targets="class", shape=("channels", "size", "size"))
def image_folder(
    root: str,
    labels: str | None = None,
    size: int = 32,
    channels: Channels = "auto",
    fit: Fit = "crop",
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    limit_train: int | None = None,
) -> DataSplits:
    """Images below ``root``, ``(1 or 3, size, size)``: the first folder below it is the class, or the folder below
    ``train/``, ``val/`` and ``test/`` where there are such (what is missing of ``val`` and ``test`` is drawn from
    ``train``). Or else ``labels`` names a CSV, relative to ``root``, with columns ``path``, ``label`` and perhaps
    ``split``. Hidden files and files that are no images are passed over and counted. See ``decode_all`` for how files
    of different size and mode are brought together.

    Raises:
        DataError: no such folder, fewer than two classes, a class that training lacks, too few examples of a class,
            or rows of the CSV that cannot be used or files that cannot be read, all of them at once.
    """
    folder = Path(root).expanduser().resolve()
    _check_options(size, channels, fit)
    if not folder.is_dir():
        if folder.is_file():
            advice = " For a CSV of path and label: data.root=FOLDER data.labels=FILE.csv, relative to it."
        else:
            advice = example_hint(folder, "image_folder")
        raise DataError(f"data.root: found no folder {folder}; expected one with a folder of images per class.{advice}")
    listing = _from_csv(folder, folder / labels) if labels else _from_folders(folder)
    source = str(folder / labels) if labels else str(folder)
    names = _class_names(listing, source)
    index = {name: number for number, name in enumerate(names)}
    files = [item for part in listing.files.values() for item in part]
    images = torch.from_numpy(decode_all([path for path, _ in files], size, channels, fit))
    targets = torch.tensor([index[label] for _, label in files])
    sizes = [len(part) for part in listing.files.values()]
    halves = zip(listing.files, images.split(sizes), targets.split(sizes), strict=True)
    parts = complete(
        {split: Split(inputs, labels) for split, inputs, labels in halves},
        names,
        source,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        split_seed=split_seed,
        limit_train=limit_train,
    )
    facts = {"ignored": dict(listing.ignored), "official_splits": [name for name in listing.files if name != "train"]}
    return with_facts(image_splits(folder.name, parts, names, source), absent_classes(parts, names), **facts)


def _check_options(size: int, channels: Channels, fit: Fit) -> None:
    if size < 1:
        raise DataError(f"data.size: found {size}, expected at least 1 pixel.")
    if channels not in get_args(Channels):
        raise DataError(f"data.channels: found {channels!r}, expected auto, 1 (grey) or 3 (colour).")
    if fit not in get_args(Fit):
        raise DataError(f"data.fit: found {fit!r}, expected crop, stretch or pad; {nearest(fit, get_args(Fit))}")


def _from_folders(root: Path) -> Listing:
    folders = {path.name: path for path in sorted(root.iterdir()) if path.is_dir() and path.name[0] != "."}
    listing = Listing()
    by_split = {split: [name for name in folders if _ALIASES.get(name.lower()) == split] for split in _PARTS}
    if by_split["train"]:
        _check_parts(root, folders, by_split)
        for split, names in by_split.items():
            for name in names:
                listing.files[split] = _classes_below(folders[name], listing.ignored)
    else:
        listing.files["train"] = _classes_below(root, listing.ignored)
    return listing


def _check_parts(root: Path, folders: Iterable[str], by_split: Mapping[str, Sequence[str]]) -> None:
    """Refuses more than one folder for a part, and folders of another name beside the training part's."""
    for split, names in by_split.items():
        if len(names) > 1:
            raise DataError(
                f"{root}: found the folders {' and '.join(names)} for the {split} part; expected one. Rename or merge "
                "them."
            )
    others = [name for name in folders if name.lower() not in _ALIASES]
    if others:
        shown = ", ".join(str(root / name) for name in others[:10])
        more = f" and {len(others) - 10} more" if len(others) > 10 else ""
        train = by_split["train"][0]
        raise DataError(
            f"{shown}{more}: found beside {root / train}, which is taken for the training part, not for a class; "
            "expected only val/ and test/ beside it. Move the others; or, if "
            f"{train!r} is a class of yours, rename that folder or name every file in a CSV: data.labels=FILE.csv."
        )


def _classes_below(folder: Path, ignored: Counter[str]) -> list[tuple[Path, str]]:
    """Files in the order of their paths, which is the same on every machine."""
    found = []
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        if not path.is_file():
            continue
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts):
            ignored["hidden"] += 1
        elif path.suffix.lower() not in SUFFIXES:
            ignored["not images"] += 1
        elif len(parts) == 1:
            ignored["images outside a class folder"] += 1
        else:
            found.append((path, parts[0]))
    return found


def _from_csv(root: Path, path: Path) -> Listing:
    """What ``path`` lists, labels as they are written.

    Raises:
        DataError: columns are missing, or naming every row that cannot be used.
    """
    columns = ("path", "label", "split")
    frame = read_csv(path, text=columns)
    for column in columns[:2]:
        if column not in frame.columns:
            found = ", ".join(map(str, frame.columns))
            raise DataError(f"{path}: found the columns {found}; expected 'path' and 'label', and perhaps 'split'.")
    names, labels, splits = (
        frame[column].fillna("") if column in frame else ["train"] * len(frame) for column in columns
    )
    listing, seen, bad = Listing(files={split: [] for split in _PARTS}), dict[str, int](), list[str]()
    for line, name, label, split in zip(frame.index, names, labels, splits, strict=True):
        problems = list(_row_problems(root, name, label, split, seen))
        if problems:
            bad.append(f"  line {line}: {'; '.join(problems)}")
        else:
            listing.files[_ALIASES[split.lower()]].append((root / name, label))
        seen.setdefault(name, line)
    if bad:
        rows = "1 row" if len(bad) == 1 else f"{len(bad)} rows"
        raise DataError("\n".join([f"{path}: found {rows} that cannot be used:", *bad, "Mend or remove each."]))
    listing.files = {split: files for split, files in listing.files.items() if files}
    return listing


def _row_problems(root: Path, name: str, label: str, split: str, seen: Mapping[str, int]) -> Iterator[str]:
    if not name:
        yield "found nothing in column 'path'; expected a path"
    elif name in seen:
        yield f"found {name} again, as on line {seen[name]}; expected it once"
    elif not (root / name).is_file():
        yield f"found no file {root / name}; expected an image there"
    if not label:
        yield "found nothing in column 'label'; expected a label"
    if split.lower() not in _ALIASES:
        found = f"split {split!r}" if split else "nothing in column 'split'"
        yield f"found {found}; expected train, val or test"


def _class_names(listing: Listing, source: str) -> tuple[str, ...]:
    """Sorted classes of the training part.

    Raises:
        DataError: fewer than two, or a class that only another part has.
    """
    names = tuple(sorted({label for _, label in listing.files.get("train", [])}))
    if len(names) < 2:
        about = ", ".join(f"{count} {what}" for what, count in listing.ignored.items())
        found = f"the class {names[0]!r} alone" if names else "no images for training"
        raise DataError(
            f"{source}: found {found}{f' (passed over: {about})' if about else ''}; expected images in two class "
            f"folders or more, e.g. {source}/cats/1.jpg and {source}/dogs/1.jpg, or data.labels=FILE.csv."
        )
    for split, files in listing.files.items():
        if not files:
            raise DataError(f"{source}: the {split} part has no image in a class folder; add some, or remove it.")
        strangers = sorted({label for _, label in files} - set(names))
        if strangers:
            raise DataError(
                f"{source}: the {split} part has the class {strangers[0]!r}, which training has not; expected "
                f"{', '.join(names[:20])}. Rename or remove it."
            )
    return names
