"""Where a search is stored: Optuna's journal file, safe against processes that are killed, or a database by URL."""

from __future__ import annotations

import os
import warnings
import weakref
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages.journal import JournalFileBackend

from lorelab.errors import LorelabError

JOURNAL = "search.log"
VARIABLE = "LORELAB_SEARCH_URL"
_OPEN: weakref.WeakValueDictionary[tuple[str, str | None], Any] = weakref.WeakValueDictionary()
"""While somebody in this process uses one: to open it takes reading all of it."""


def storage(folder: Path, where: str = "journal") -> Any:
    """``where``: "journal" for the file in ``folder``, "env" for the database whose URL (SQLAlchemy's form) is in
    ``LORELAB_SEARCH_URL``, or such a URL.

    Raises:
        LorelabError: the variable is not set, or the database cannot be had.
    """
    key = (str(folder.absolute()) if where == "journal" else where, os.environ.get(VARIABLE))
    if (known := _OPEN.get(key)) is None:
        known = _OPEN[key] = _open(folder, where)
    return known


def _open(folder: Path, where: str) -> Any:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", module="optuna")  # of trials that diverged, of keys too few trials have
    if where == "journal":
        path = folder / JOURNAL
        lock: Any = _Lock(path)
        return optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    url = os.environ.get(VARIABLE, "") if where == "env" else where
    if not url:
        raise LorelabError(f"search.storage=env: found no {VARIABLE}; expected a database's URL in it")
    try:
        return optuna.storages.RDBStorage(url)
    except Exception as error:
        shown = VARIABLE if where == "env" else where
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise LorelabError(f"search.storage: the database at {shown} cannot be used ({reason})") from error


class _Lock:
    """The system's own lock, which ends with the process that holds it: Optuna's waits 30 seconds for a dead one.

    Whoever has the lock also removes a line that was cut short, so that the next one does not run on in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"))

    def acquire(self) -> bool:
        self._lock.acquire()
        if self._path.exists():
            _mend(self._path)
        return True

    def release(self) -> None:
        self._lock.release()


def _mend(path: Path) -> None:
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
