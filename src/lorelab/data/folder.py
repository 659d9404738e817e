"""The user's own images: a folder per class, or a table of paths and labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import torch

from lorelab.data.cautions import with_facts
from lorelab.data.csvfile import read_csv
from lorelab.data.decode import SUFFIXES, Channels, Fit, decode_all
from lorelab.data.images import image_splits
from lorelab.data.official import absent_classes, complete
from lorelab.data.splits import DataSplits, Split, provides
from lorelab.errors import DataError, nearest

_ALIASES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass
class Listing:
    """Image files by split ("train", "val", "test"), each with its class, and what was passed over."""

    files: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)


@provides(inputs="image", targets="class")
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
            or files that cannot be read, all of them at once.
    """
    folder = Path(root).expanduser().resolve()
    _check_options(size, channels, fit)
    if not folder.is_dir():
        raise DataError(f"data.root: found no folder {folder}; expected one with a folder of images per class.")
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
    if folders and "train" in {_ALIASES.get(name.lower()) for name in folders}:
        for name, path in folders.items():
            split = _ALIASES.get(name.lower())
            if split is None or split in listing.files:
                raise DataError(
                    f"{path}: found beside train/; expected only train/, val/ and test/ there, each once. Move it, or "
                    "point data.root at a folder whose folders are all classes."
                )
            listing.files[split] = _classes_below(path, listing.ignored)
    else:
        listing.files["train"] = _classes_below(root, listing.ignored)
    order = [split for split in ("train", "val", "test") if split in listing.files]
    listing.files = {split: listing.files[split] for split in order}
    return listing


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
    frame = read_csv(path)
    for column in ("path", "label"):
        if column not in frame.columns:
            found = ", ".join(map(str, frame.columns))
            raise DataError(f"{path}: found the columns {found}; expected 'path' and 'label', and perhaps 'split'.")
    for column in ("path", "label"):
        for line in frame.index[frame[column].isna()][:1]:
            raise DataError(f"{path}, line {line}: found nothing in column '{column}'; expected a {column}.")
    splits = frame["split"] if "split" in frame.columns else ["train"] * len(frame)
    listing, seen = Listing(), dict[str, int]()
    for line, name, label, split in zip(frame.index, frame["path"], frame["label"], splits, strict=True):
        known = _ALIASES.get(str(split).lower())
        if known is None:
            raise DataError(f"{path}, line {line}: found split {str(split)!r}; expected train, val or test.")
        if str(name) in seen:
            raise DataError(f"{path}, line {line}: found {name} again, as on line {seen[str(name)]}; expected it once.")
        seen[str(name)] = line
        listing.files.setdefault(known, []).append((root / str(name), str(label)))
    listing.files = {split: listing.files[split] for split in ("train", "val", "test") if split in listing.files}
    return listing


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
