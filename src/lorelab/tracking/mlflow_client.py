"""Opening a store through MLflow: the one place that imports it, and only when called (it takes about two seconds).

Everything goes through ``MlflowClient`` with explicit ids. The fluent functions (``mlflow.start_run``) would obey
``MLFLOW_RUN_ID`` and ``MLFLOW_EXPERIMENT_ID`` in the environment and write into somebody else's run.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lorelab.errors import StoreError
from lorelab.tracking.database import artifact_root, ensure, sqlite_path

if TYPE_CHECKING:
    from mlflow import MlflowClient

RETRIES = 6
LARGEST_FLOAT = 1.7976931348623157e308
"""What MLflow's SQL stores write for infinity."""


def prepare_environment() -> None:
    """No telemetry and no log lines of MLflow's own (errors reach the user as ours). Set values are respected."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # Its own defaults wait minutes for a server that is not there.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")


_clients: dict[str, MlflowClient] = {}
"""Of this process, by their store's URI."""


def connect(uri: str) -> MlflowClient:
    """A client of the store at ``uri`` (from ``resolve_uri``); creates a SQLite store that is not there yet.

    Raises ``StoreError`` if it cannot be reached or is of another MLflow version.
    """
    prepare_environment()
    from mlflow import MlflowClient

    path = sqlite_path(uri)
    if uri in _clients and (path is None or path.is_file()):  # to make one takes as long as to write a run's facts
        return _clients[uri]

    def open_client() -> MlflowClient:
        return MlflowClient(tracking_uri=uri)  # makes the tables where there are none, and verifies their version

    with store_errors(uri):
        if path is not None:
            ensure(path, _layout_version(), open_client)
        client = open_client()
        if path is not None:
            _write_without_waiting_for_the_disk(client)
        _clients[uri] = client
    return _clients[uri]


def _write_without_waiting_for_the_disk(client: MlflowClient) -> None:
    """SQLite's advice for write-ahead mode: what is written survives the process that wrote it, however that ends, and
    a power failure leaves the store whole, without its last moments. Waiting for the disk after each of the dozen
    writes of a run took half of what MLflow costs a small one."""
    from sqlalchemy import event

    engine = client._tracking_client.store.engine
    if not event.contains(engine, "connect", _connected):
        event.listen(engine, "connect", _connected)
        engine.dispose()  # those that are open already: of a fresh store, they began before it was in that mode


def _connected(connection: sqlite3.Connection, _record: Any) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal":
        connection.execute("PRAGMA synchronous = NORMAL")


def _layout_version() -> int:
    """MLflow's version as one number, 3.17.2 as 3017002: it stands for the layout of its tables."""
    parts = [int("".join(filter(str.isdigit, part)) or 0) for part in version("mlflow").split(".")[:3]]
    return sum(part * 1000**power for part, power in zip(parts, (2, 1, 0), strict=False))


def experiment_id(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Id of the experiment ``name``, made if absent, also when several processes make it at the same moment."""
    from mlflow.exceptions import MlflowException

    uri = client.tracking_uri
    if (found := client.get_experiment_by_name(name)) is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifact_root(uri, artifacts)))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage != "active":
        raise StoreError(
            f"{uri}: the experiment '{name}' was deleted in MLflow. Expected an active one; restore it with "
            f"'mlflow experiments restore', or choose another with tracker.experiment=NAME."
        )
    return str(found.experiment_id)


def patiently(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """``call(...)``, repeated for a few seconds while the database is busy, or when another process was the first to
    write what both need (the row of a data set); only for calls that may be repeated."""
    for attempt in range(RETRIES):
        try:
            return call(*args, **kwargs)
        except Exception as error:
            busy = getattr(error, "error_code", "") == "TEMPORARILY_UNAVAILABLE"
            second = any(words in str(error) for words in ("UNIQUE constraint failed", "duplicate key value"))
            if not (busy or second) or attempt == RETRIES - 1:
                raise
            time.sleep(0.1 * 2**attempt * (1 + random.SystemRandom().random()))  # leaves the seeded generator alone
    raise AssertionError("not reached")


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turns what MLflow and its database raise into a ``StoreError`` that names the store and says what to do."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise StoreError(_explain(uri, str(error))) from error
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{uri}: this kind of store needs the package '{error.name}', which is not installed. Install it (for "
            "PostgreSQL: psycopg2-binary), or choose another store (MLFLOW_TRACKING_URI)."
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"sqlalchemy", "sqlite3", "requests", "urllib3", "alembic"}:
            raise
        raise StoreError(_explain(uri, str(error))) from error


def _explain(uri: str, message: str) -> str:
    first = next(iter(message.strip().splitlines()), "no reason given")
    if "out-of-date database schema" in message or "Can't locate revision" in message:
        return (
            f"{uri}: the run store was written by another MLflow than {version('mlflow')}, which is installed. "
            f"Copy the file, then run: mlflow db upgrade {uri}"
        )
    return f"{uri}: the run store answered: {first}. Check that it can be reached and written (MLFLOW_TRACKING_URI)."
