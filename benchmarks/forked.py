"""``lorelab`` commands forked from one process that has imported everything (``lorelab.sweeps.fork_server``), and the
workers of their sweeps with them; each may die at a chosen moment (``benchmarks.moments``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorelab.paths import ROOT
from lorelab.sweeps.fork_server import VARIABLE, serve
from lorelab.sweeps.forked import Forked


class Server:
    """Forks commands until closed; use as a context."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "forked.socket"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.forked", str(self.socket)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=_environment(),
        )  # fmt: skip
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def start(self, *arguments: str, output: Path, cwd: Path, **environment: str) -> Forked:
        """``lorelab ARGUMENTS``; what it prints is appended to ``output``."""
        with output.open("ab") as file:
            return self._fork(arguments, cwd, environment, file, file)

    def pipe(self, *arguments: str, cwd: Path, **environment: str) -> Forked:
        """``lorelab ARGUMENTS``; what it says on stderr can be read from there, the rest is dropped."""
        said, stderr = os.pipe()
        try:
            with Path(os.devnull).open("wb") as nowhere:
                process = self._fork(arguments, cwd, environment, nowhere, stderr)
        finally:
            os.close(stderr)
        process.stderr = os.fdopen(said, encoding="utf-8")
        return process

    def _fork(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], stdout: Any, stderr: Any
    ) -> Forked:
        env = _environment() | {VARIABLE: str(self.socket)} | environment
        return Forked(str(self.socket), arguments, stdout=stdout, stderr=stderr, cwd=str(cwd), env=env)

    def pids(self) -> set[int]:
        """Of all commands under way, workers of sweeps too."""
        import psutil

        found = set()
        with contextlib.suppress(psutil.NoSuchProcess):
            for keeper in psutil.Process(self._process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    found |= {run.pid for run in keeper.children() if run.status() != psutil.STATUS_ZOMBIE}
        return found

    def end(self) -> None:
        """Kills what is under way: a test that failed may have left commands that would run for ever."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def _end_all() -> None:
    """Also where whoever had the server was killed: nothing goes on that nobody waits for."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _run(arguments: Sequence[str]) -> int:
    from benchmarks.moments import die_at
    from lorelab.__main__ import main

    die_at(os.environ.pop("LORELAB_MOMENT", ""))
    return main(arguments)


if __name__ == "__main__":
    serve(sys.argv[1], _run)
    _end_all()
    os._exit(0)  # a second less than taking everything down again
