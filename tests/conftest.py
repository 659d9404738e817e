"""What all tests share: their own store, the command line as a user types it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def store_uri(tmp_path: Path) -> str:
    """A store of the test's own."""
    return f"sqlite:///{tmp_path / 'store' / 'mlflow.db'}"


@pytest.fixture
def lorelab(tmp_path: Path, store_uri: str) -> Command:
    """Runs ``lorelab ARGUMENTS`` as a process in an empty folder, on a store of the test's own."""

    def run(*arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        variables = os.environ | {"MLFLOW_TRACKING_URI": store_uri, "COLUMNS": "200"} | environment
        done = subprocess.run(
            [sys.executable, "-m", "lorelab", *arguments],
            cwd=work,
            env=variables,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run
