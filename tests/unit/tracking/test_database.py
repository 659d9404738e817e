"""Which store is used, and that a fresh one is made exactly once."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from lorelab.errors import StoreError
from lorelab.paths import ROOT
from lorelab.tracking import database
from lorelab.tracking.database import artifact_root, ensure, experiment_id, is_ready, resolve_uri


def test_the_default_store_is_sqlite_in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert resolve_uri() == f"sqlite:///{ROOT}/mlruns/mlflow.db"
    assert artifact_root(resolve_uri()) == f"file://{ROOT}/mlruns/artifacts"


def test_an_explicit_uri_beats_the_environment_and_that_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    assert resolve_uri() == "http://tracking.example:5000"
    assert resolve_uri("sqlite:////srv/runs.db") == "sqlite:////srv/runs.db"


def test_a_relative_sqlite_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_uri("sqlite:///runs/mlflow.db") == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert resolve_uri("sqlite+pysqlite:///mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize("uri", ["./mlruns", "mlruns", "file:///srv/mlruns"])
def test_a_folder_is_refused_with_the_uri_to_use_instead(uri: str) -> None:
    with pytest.raises(
        StoreError, match=r"a folder: MLflow no longer writes its file store.*sqlite:///.*mlruns/mlflow.db"
    ):
        resolve_uri(uri)


def test_a_folder_in_the_environment_is_refused_by_the_variables_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    with pytest.raises(StoreError, match=r"^MLFLOW_TRACKING_URI is './mlruns'"):
        resolve_uri()


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(StoreError, match="a database in memory, which ends with the process"):
        resolve_uri("sqlite:///:memory:")


def test_artifacts_lie_beside_the_file_or_where_the_server_decides_or_where_asked(tmp_path: Path) -> None:
    assert artifact_root(f"sqlite:///{tmp_path}/mlflow.db") == f"file://{tmp_path}/artifacts"
    assert artifact_root("https://tracking.example") is None
    assert artifact_root("postgresql://db/runs") == f"file://{ROOT}/mlruns/artifacts"
    assert artifact_root("postgresql://db/runs", "s3://bucket/runs") == "s3://bucket/runs"
    assert artifact_root("postgresql://db/runs", str(tmp_path)) == f"file://{tmp_path}"


def make_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT)")
        connection.execute("INSERT INTO experiments VALUES (7, 'lorelab')")
        connection.commit()


def test_eight_threads_at_once_make_one_store(tmp_path: Path) -> None:
    path, calls, start = tmp_path / "new" / "mlflow.db", [], threading.Barrier(8)

    def create() -> None:
        calls.append(1)
        make_tables(path)

    def join() -> None:
        start.wait()
        ensure(path, 3, create)
        assert is_ready(path, 3)

    threads = [threading.Thread(target=join) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_a_store_is_in_write_ahead_mode_and_made_anew_for_another_version(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    ensure(path, 3, lambda: make_tables(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    seen: list[str] = []
    ensure(path, 3, lambda: seen.append("again"))
    assert not seen
    ensure(path, 4, lambda: seen.append("upgrade"))
    assert seen == ["upgrade"]
    assert is_ready(path, 4)


def test_a_failed_creation_leaves_the_store_unready_for_the_next_try(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"

    def fail() -> None:
        raise StoreError("no")

    with pytest.raises(StoreError, match="no"):
        ensure(path, 3, fail)
    assert not is_ready(path, 3)
    ensure(path, 3, lambda: make_tables(path))
    assert is_ready(path, 3)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"file/mlflow.db: the run store cannot be created .*set MLFLOW_TRACKING_URI"):
        ensure(tmp_path / "file" / "mlflow.db", 3, lambda: None)


def test_a_lock_that_is_never_let_go_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(database, "LOCK_SECONDS", 0.1)
    with FileLock(tmp_path / "mlflow.db.lock"), pytest.raises(StoreError, match=r"mlflow.db.lock: held by another"):
        ensure(tmp_path / "mlflow.db", 3, lambda: None)


def test_an_experiments_id_is_read_without_mlflow(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    assert experiment_id(path, "lorelab") is None
    path.write_bytes(b"this is no database, " * 100)
    assert experiment_id(path, "lorelab") is None
    assert not is_ready(path, 3)
    path.unlink()
    make_tables(path)
    assert experiment_id(path, "lorelab") == "7"
    assert experiment_id(path, "other") is None
