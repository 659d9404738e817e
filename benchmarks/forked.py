"""``lorelab`` commands as processes that begin with everything imported: a fresh one imports for ten seconds.

A server imports it all and forks one process per command, before any thread, pool or connection exists. Otherwise
they are processes like others: own session, signals, pipes, files; the workers of a sweep, too.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from lorelab.paths import ROOT
from lorelab.tracking.mlflow_client import prepare_environment

VARIABLE = "LORELAB_FORKED"
"""Path of the server's socket."""
_PRELOAD = (
    *("lorelab.__main__", "lorelab.cli.launch", "lorelab.cli.trial", "lorelab.cli.resume", "lorelab.config.validate"),
    *("lorelab.config.build", "lorelab.training.fit", "lorelab.tracking.mlflow_tracker", "lorelab.sweeps.sweep"),
    *("mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "sklearn.datasets", "matplotlib.figure"),
    *("torchmetrics.classification", "hydra.core.plugins", "optuna.importance", "torch._dynamo"),
)


class Forked:
    """A command under way, with what ``subprocess.Popen`` offers of it."""

    def __init__(
        self, command: Sequence[str], *, stdin: Any = None, stdout: Any = None, stderr: Any = None,
        cwd: str | Path = ".", env: Mapping[str, str] | None = None, start_new_session: bool = True,
    ) -> None:  # fmt: skip
        assert command[1:3] == ["-m", "lorelab"]
        assert start_new_session
        environment = dict(env or os.environ)
        self._answers = socket.socket(socket.AF_UNIX)
        self._answers.connect(environment[VARIABLE])
        reader, writer = os.pipe()
        self.stdin: IO[bytes] | None = os.fdopen(writer, "wb", buffering=0)
        self.stderr: IO[str] | None = None
        if piped := stderr == subprocess.PIPE:
            said, stderr = os.pipe()
            self.stderr = os.fdopen(said, encoding="utf-8")
        request = json.dumps({"arguments": command[3:], "environment": environment, "cwd": str(cwd)}).encode()
        fds = [reader, *(stream if isinstance(stream, int) else stream.fileno() for stream in (stdout, stderr))]
        socket.send_fds(self._answers, [len(request).to_bytes(8, "big")], fds)
        self._answers.sendall(request)
        os.close(reader)
        if piped:
            os.close(stderr)
        self.returncode: int | None = None
        self.pid = int(self._answers.recv(16))

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self.returncode = int(self._answers.recv(16) or -signal.SIGKILL)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status."""
        limit = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if limit is not None and time.monotonic() > limit:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.02)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Nothing if it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


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
        with Path(os.devnull).open("wb") as nowhere:
            return self._fork(arguments, cwd, environment, nowhere, subprocess.PIPE)

    def _fork(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], stdout: Any, stderr: Any
    ) -> Forked:
        env = _environment() | {VARIABLE: str(self.socket)} | environment
        return Forked([sys.executable, "-m", "lorelab", *arguments], stdout=stdout, stderr=stderr, cwd=cwd, env=env)

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


def serve(path: str) -> None:
    """Forks a process for each request, until standard input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    prepare_environment()
    for module in _PRELOAD:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    while listener in (ready := select.select([listener, sys.stdin], [], [])[0]) or not ready:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _keep(client)
        client.close()
    _end_all()
    os._exit(0)  # a second less than taking everything down again


def _end_all() -> None:
    """Also where whoever had the server was killed: nothing goes on that nobody waits for."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _keep(client: socket.socket) -> None:
    """Forks the command, says its id and, later, its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, fds, *_ = socket.recv_fds(client, 8, 3)
    request = bytearray()
    while len(request) < int.from_bytes(size, "big"):
        request += client.recv(65536)
    pid = os.fork()
    if pid == 0:
        client.close()
        _become(json.loads(request), fds)
    for fd in (*fds, 0, 1, 2):
        os.close(fd)
    with contextlib.suppress(OSError):
        client.sendall(str(pid).encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError):
        client.sendall(str(status).encode())
    os._exit(0)


def _become(request: Mapping[str, Any], fds: Sequence[int]) -> None:
    os.setsid()
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    status = 1
    try:
        status = _run(request["arguments"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run(arguments: Sequence[str]) -> int:
    import torch

    from benchmarks.moments import die_at
    from lorelab.__main__ import main
    from lorelab.sweeps import workers

    torch.set_num_threads(1)
    sys.argv = ["lorelab", *arguments]
    workers.subprocess = SimpleNamespace(  # type: ignore[assignment]
        Popen=Forked, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired
    )
    die_at(os.environ.pop("LORELAB_MOMENT", ""))
    return main(arguments)


if __name__ == "__main__":
    serve(sys.argv[1])
