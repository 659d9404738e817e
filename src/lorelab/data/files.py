"""Where data files lie, how they are fetched when absent, and how they are verified."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lorelab.errors import DataError
from lorelab.paths import ROOT


def data_root(root: str | Path | None = None) -> Path:
    """``root``, else the environment variable ``LORELAB_DATA_DIR``, else ``data/`` of the checkout; absolute."""
    chosen = root or os.environ.get("LORELAB_DATA_DIR") or ROOT / "data"
    return Path(chosen).expanduser().resolve()


def fetch(what: str, files: Iterable[Path], download: Callable[[], object]) -> None:
    """Calls ``download`` if any of ``files`` is absent; does not touch the folder, nor write into it, otherwise.

    Several processes may ask at once: one downloads, the others wait for it.

    Raises:
        DataError: absent and not to be had (no network, a read-only folder, a download that came out damaged).
    """
    wanted = list(files)
    if all(path.is_file() for path in wanted):
        return
    missing = next(path for path in wanted if not path.is_file())
    created = [folder for folder in (missing.parent, *missing.parent.parents) if not folder.exists()]
    try:
        from filelock import FileLock

        # Not in the data root, where a failed download must leave nothing.
        name = hashlib.sha256(str(missing.parent).encode()).hexdigest()[:16]
        with FileLock(Path(tempfile.gettempdir()) / f"lorelab-download-{name}.lock"):
            if not all(path.is_file() for path in wanted):
                missing.parent.mkdir(parents=True, exist_ok=True)
                download()
    except (OSError, RuntimeError) as error:  # torchvision reports failed downloads as RuntimeError
        for folder in created:
            with contextlib.suppress(OSError):  # not empty: something did come
                folder.rmdir()
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{what} is not there: looked for {missing} and could not download it ({reason}).\n"
            "Expected the file, or a network connection and a folder that can be written to.\n"
            "Set LORELAB_DATA_DIR (or data.root) to a folder that has it, or run once where there is a network."
        ) from error


def verify(folder: Path, checksums: Mapping[str, str]) -> None:
    """Checks each file of ``folder`` against its md5 (hex).

    Raises:
        DataError: a file is absent, truncated or changed.
    """
    for name, expected in checksums.items():
        path = folder / name
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({error.strerror}); expected a file with md5 {expected}."
            ) from error
        if found != expected:
            raise DataError(
                f"{path} is damaged: found md5 {found} ({path.stat().st_size:,} bytes), expected md5 {expected}.\n"
                "Delete the file and run again with a network connection: it is then downloaded anew."
            )


def example_hint(path: Path, kind: str) -> str:
    """The command that writes the example at ``path``, if it is one of those that presets use; else nothing."""
    return f" Write the example first: lorelab data example {kind}" if path.parent.name in ("examples", kind) else ""
