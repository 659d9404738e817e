"""Where runs are stored, and how a fresh SQLite store comes to be; knows files and URIs, not MLflow.

MLflow lets every process that opens an empty database run all migrations, so that of eight processes starting at once
seven fail. Here one process does so under a file lock and the others wait. A store that is ready is recognised from
SQLite's free-use ``user_version`` in about a millisecond, without the lock.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from lorelab.errors import StoreError
from lorelab.paths import ROOT

STORE = ROOT / "mlruns"
"""The database of the checkout and, beside it, the artifacts."""
LOCK_SECONDS = 180.0
"""How long to wait for another process to create the store; it takes about five seconds on an idle machine."""


def resolve_uri(uri: str | None = None) -> str:
    """The store to use: ``uri``, else ``MLFLOW_TRACKING_URI``, else SQLite in the checkout; SQLite paths made absolute.

    Raises ``StoreError`` for a folder or a ``file:`` URI: MLflow 3.13 and later refuse its old file store.
    """
    origin = "the store's URI" if uri else "MLFLOW_TRACKING_URI"
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{STORE / 'mlflow.db'}"
    scheme = chosen.partition(":")[0]
    if scheme == "file" or (":" not in chosen and chosen != "databricks"):
        raise StoreError(
            f"{origin} is '{chosen}', a folder: MLflow no longer writes its file store. Expected a database or a "
            f"server; try 'sqlite:///{Path(chosen.removeprefix('file:')).absolute() / 'mlflow.db'}', or unset it to "
            "use mlruns/mlflow.db in the checkout."
        )
    if (path := sqlite_path(chosen)) is not None:
        return f"sqlite:///{path}"
    return chosen


def sqlite_path(uri: str) -> Path | None:
    """Absolute path of a SQLite store's file; None for any other store. Relative paths start at the current folder."""
    if not re.match(r"sqlite(\+\w+)?:", uri):
        return None
    name = uri.partition(":///")[2]
    if not name or name == ":memory:":
        raise StoreError(
            f"The store's URI is '{uri}', a database in memory, which ends with the process. "
            "Expected a file, e.g. 'sqlite:////absolute/path/mlflow.db'."
        )
    return Path(name).absolute()


def artifact_root(uri: str, chosen: str | None = None) -> str | None:
    """URI below which artifacts lie: ``chosen``; beside a SQLite file; None (a server decides by itself);
    ``mlruns/artifacts`` in the checkout for other databases."""
    if chosen:
        return chosen if "://" in chosen else Path(chosen).absolute().as_uri()
    if (path := sqlite_path(uri)) is not None:
        return (path.parent / "artifacts").as_uri()
    if uri.startswith(("http:", "https:", "databricks")):
        return None
    return (STORE / "artifacts").as_uri()


def ensure(path: Path, version: int, create: Callable[[], object]) -> None:
    """Has ``create`` make the tables of the SQLite file ``path``, in one process at a time and once per ``version``.

    ``version`` (positive, 31 bits) stands for the layout that ``create`` makes: a file that bears it is left alone.
    The file is put into write-ahead mode, in which readers and one writer do not block each other (not for network
    file systems: use a PostgreSQL URI there). Raises ``StoreError`` if the folder cannot be written or the lock is
    not had within ``LOCK_SECONDS``.
    """
    if is_ready(path, version):
        return
    from filelock import FileLock, Timeout

    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=LOCK_SECONDS):
            if is_ready(path, version):
                return
            create()
            with closing(sqlite3.connect(path, timeout=60.0)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA user_version = {int(version)}")
    except Timeout as error:
        raise StoreError(
            f"{lock}: held by another process for {LOCK_SECONDS:.0f} s, which should take a few seconds to create "
            "the store. If no other run is starting, delete that file and try again."
        ) from error
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"{path}: the run store cannot be created ({error}). Expected a folder that can be written; "
            "set MLFLOW_TRACKING_URI to 'sqlite:////another/folder/mlflow.db' or free this one."
        ) from error


def is_ready(path: Path, version: int) -> bool:
    """Whether ``ensure`` made the SQLite file ``path`` at this ``version``; false also if it is no database."""
    found = _query(path, "PRAGMA user_version")
    return found is not None and int(found) == version


def experiment_id(path: Path, name: str) -> str | None:
    """Id of an MLflow experiment, read without the seconds that importing MLflow takes; None if it is not there."""
    return _query(path, "SELECT experiment_id FROM experiments WHERE name = ?", name)


def _query(path: Path, statement: str, *values: str) -> str | None:
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(path.as_uri() + "?mode=ro", uri=True, timeout=20.0)) as connection:
            row = connection.execute(statement, values).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else str(row[0])
