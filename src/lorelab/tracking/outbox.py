"""What a store could not take, kept on disk in the order it came, until it is delivered. Knows files, not MLflow."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorelab.errors import StoreError
from lorelab.paths import ROOT
from lorelab.tracking.items import End, File, Item, Point, Tags, Text

if TYPE_CHECKING:
    from filelock import FileLock

OUTBOX = ROOT / "outputs" / "outbox"
_KINDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (Point, Tags, File, Text, End)}


class Outbox:
    """The undelivered items of one run, in ``folder``: ``about.json``, ``items.jsonl`` and copies of files.

    Nothing is there until the first ``keep``. A line cut short by a power cut is left out when read. One process at a
    time writes or delivers it: the run from its first ``keep`` to its end, or ``lorelab sync``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: FileLock | None = None

    def __bool__(self) -> bool:
        return (self.folder / "items.jsonl").is_file()

    def lock(self) -> None:
        """Makes the folder, which must be there, this object's until ``unlock`` or the end of the process.

        Raises:
            StoreError: another process has it.
            OSError: it is not there or may not be written.
        """
        if self._lock is not None:
            return
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / "lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                f"{self.folder}: in use by another process: its run is still going on, or another `lorelab sync` "
                "delivers it. Wait for its end."
            ) from error
        self._lock = lock

    def unlock(self) -> None:
        """Lets others have the folder."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def keep(self, items: Sequence[Item], about: Mapping[str, Any]) -> None:
        """Appends ``items`` and waits until they are on the disk. ``about`` says of which run they are.

        Raises:
            OSError: the disk is full or may not be written.
            StoreError: another process has the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock()
        facts = self.folder / "about.json"
        if not facts.is_file():
            _write_whole(facts, json.dumps(dict(about), indent=2, default=str))
        lines = "".join(self._line(item) for item in items).encode()
        with (self.folder / "items.jsonl").open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if (
                size and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
            ):  # cut short: it must not swallow the next
                lines = b"\n" + lines
            try:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise

    def items(self) -> list[Item]:
        """All that is kept, in the order it came."""
        found: list[Item] = []
        for line in (self.folder / "items.jsonl").read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                fields = json.loads(line)
            except json.JSONDecodeError:  # cut short
                continue
            kind = _KINDS[fields.pop("kind")]
            if kind is File:
                fields["path"] = Path(fields["path"])
            found.append(kind(**fields))
        return found

    def replace(self, items: Sequence[Item]) -> None:
        """What is still to be delivered after a try; nothing left removes the folder."""
        if not items:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.unlock()
            return
        _write_whole(self.folder / "items.jsonl", "".join(map(self._line, items)))

    def about(self) -> dict[str, Any]:
        """What ``keep`` was told of the run."""
        return dict(json.loads((self.folder / "about.json").read_text(encoding="utf-8")))

    def _line(self, item: Item) -> str:
        """ "" for a file that is no longer there: waiting would not bring it back."""
        try:
            return json.dumps({"kind": type(item).__name__} | self._encoded(item)) + "\n"
        except FileNotFoundError:
            return ""

    def _encoded(self, item: Item) -> dict[str, Any]:
        if not isinstance(item, File):
            return asdict(item)
        own = self.folder / "files"
        path = item.path
        if not path.is_relative_to(own):  # the run removes its own files when it ends
            path = own / str(len(list(own.iterdir())) if own.is_dir() else 0) / item.path.name
            path.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if item.path.is_dir() else shutil.copy2
            copy(item.path, path)
        return {"path": str(path), "folder": item.folder}


def begun_offline(outbox: Path, run: str) -> bool:
    """Whether ``run`` (name, or the first characters of its id) began offline and waits whole in ``outbox``."""
    for path in outbox.glob("*/about.json"):
        about = json.loads(path.read_text(encoding="utf-8"))
        if "start" in about and (about["run_id"].startswith(run) or about["start"]["name"] == run):
            return True
    return False


def sync_command(outbox: Path) -> str:
    """What delivers the runs in ``outbox``."""
    return "lorelab sync" if outbox == OUTBOX else f"lorelab sync --outbox {outbox}"


def _write_whole(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
