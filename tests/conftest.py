"""What all tests share: their own store, the command line as a user types it."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

Command = Callable[..., subprocess.CompletedProcess[str]]

settings.register_profile("noisy", deadline=None)  # a time is never a reason to fail here
settings.load_profile("noisy")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def store_uri(tmp_path: Path) -> str:
    """A store of the test's own."""
    return f"sqlite:///{tmp_path / 'store' / 'mlflow.db'}"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder in which the test's commands run."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def lorelab(work: Path, store_uri: str, command_line: Callable[[Path, str], Command]) -> Command:
    """Runs ``lorelab ARGUMENTS`` in an empty folder, on a store of the test's own.

    In this process, because a fresh one imports for seconds; ``lorelab_process`` is for what needs one of its own.
    """
    return command_line(work, store_uri)


@pytest.fixture(scope="session")
def command_line() -> Callable[[Path, str], Command]:
    """From a folder and a store to ``lorelab``, for what several tests look at."""
    return _command_line


def _command_line(work: Path, store_uri: str) -> Command:
    from hydra.core.global_hydra import GlobalHydra

    from lorelab.__main__ import main

    def run(*arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        modules = set(sys.modules)
        out, err = io.StringIO(), io.StringIO()
        GlobalHydra.instance().clear()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            for name, value in ({"MLFLOW_TRACKING_URI": store_uri, "COLUMNS": "200"} | environment).items():
                patch.setenv(name, value)
            patch.chdir(work)
            patch.setattr(sys, "path", list(sys.path))
            patch.setattr(sys, "argv", ["lorelab", *arguments])
            try:
                status = main(arguments)
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
        for name in set(sys.modules) - modules:  # the user's own modules of this test, not of the next
            if str(getattr(sys.modules[name], "__file__", None)).startswith(str(work)):
                del sys.modules[name]
        done = subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())
        assert not check or status == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def lorelab_process(work: Path, store_uri: str) -> Command:
    """The same as a process of its own."""

    def run(*arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = os.environ | {"MLFLOW_TRACKING_URI": store_uri, "COLUMNS": "200"} | environment
        command = [sys.executable, "-m", "lorelab", *arguments]
        done = subprocess.run(
            command, cwd=work, env=variables, capture_output=True, text=True, timeout=240, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run
