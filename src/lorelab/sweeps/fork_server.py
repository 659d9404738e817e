"""``lorelab`` processes that begin with everything imported. A fresh one imports for five seconds, two at once for ten.

One process imports it all, once, and forks one process per command, before any thread, pool or connection exists.
Otherwise those are processes like others: own session, signals, files. Only where processes fork, and not for GPUs,
which a forked process may not be able to use.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

VARIABLE = "LORELAB_FORK_SERVER"
"""Path of the socket, for commands that were themselves forked."""
PRELOAD = (
    *("lorelab.__main__", "lorelab.cli.launch", "lorelab.cli.trial", "lorelab.cli.resume", "lorelab.config.validate"),
    *("lorelab.config.build", "lorelab.training.fit", "lorelab.tracking.mlflow_tracker", "lorelab.sweeps.sweep"),
    *("mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "sklearn.datasets", "matplotlib.figure"),
    *("torchmetrics.classification", "hydra.core.plugins", "optuna.importance", "torch._dynamo"),
)


class Forked:
    """``lorelab ARGUMENTS`` under way, with what ``subprocess.Popen`` offers of it.

    ``stdout``, ``stderr``: open files. The process can read from ``stdin``.

    Raises:
        OSError: nobody serves at ``path`` any more.
    """

    def __init__(
        self, path: str, arguments: Sequence[str], *, stdout: Any, stderr: Any, cwd: str, env: Mapping[str, str]
    ) -> None:
        self._answers = socket.socket(socket.AF_UNIX)
        self._answers.connect(path)
        reader, writer = os.pipe()
        self.stdin: IO[bytes] | None = os.fdopen(writer, "wb", buffering=0)
        request = json.dumps({"arguments": list(arguments), "environment": dict(env), "cwd": cwd}).encode()
        fds = [reader, *(stream if isinstance(stream, int) else stream.fileno() for stream in (stdout, stderr))]
        socket.send_fds(self._answers, [len(request).to_bytes(8, "big")], fds)
        self._answers.sendall(request)
        os.close(reader)
        self.stderr: IO[str] | None = None
        self.returncode: int | None = None
        self.pid = int(self._answers.recv(16))

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self.returncode = int(self._answers.recv(16) or -signal.SIGKILL)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status. Raises ``subprocess.TimeoutExpired``."""
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


class _Started:
    """A server on its way; its standard input stays open as long as this process lives."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lorelab-fork-")) / "socket"
        begin = f"from lorelab.sweeps.fork_server import serve; serve({str(self.path)!r})"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", begin], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    @functools.cached_property
    def ready(self) -> bool:
        """Whether it serves, once it does."""
        assert self.process.stdout is not None
        if self.process.stdout.readline():
            return True
        shutil.rmtree(self.path.parent, ignore_errors=True)
        return False


_started: list[_Started] = []


def prepare_fork_server() -> None:
    """Starts this process's server, if there can be one, and does not wait until it has imported everything."""
    forks = hasattr(os, "fork") and sys.platform != "darwin"  # whose own libraries do not survive a fork
    if forks and VARIABLE not in os.environ and not _started:
        _started.append(_Started())


def fork_server() -> str | None:
    """Path of the socket of this process's server, which ends with the process; None where there can be none."""
    prepare_fork_server()
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    return str(_started[0].path) if _started and _started[0].ready else None


def is_warm() -> bool:
    """Whether processes can be had at once, or soon."""
    return VARIABLE in os.environ or bool(_started)


def serve(path: str, run: Callable[[Sequence[str]], int] | None = None) -> None:
    """Forks a process that calls ``run``, by default ``lorelab.__main__.main``, for each request at the socket
    ``path``, until standard input ends."""
    from lorelab.tracking.mlflow_client import prepare_environment

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    prepare_environment()
    for module in PRELOAD:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    while listener in (ready := select.select([listener, sys.stdin], [], [])[0]) or not ready:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _keep(client, run or _main)
        client.close()
    with contextlib.suppress(OSError):
        Path(path).unlink()
        Path(path).parent.rmdir()


def _keep(client: socket.socket, run: Callable[[Sequence[str]], int]) -> None:
    """Forks the command, says its id and, later, its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, fds, *_ = socket.recv_fds(client, 8, 3)
    request = bytearray()
    while len(request) < int.from_bytes(size, "big"):
        request += client.recv(65536)
    pid = os.fork()
    if pid == 0:
        client.close()
        _become(json.loads(request), fds, run)
    for fd in (*fds, 0, 1, 2):
        os.close(fd)
    with contextlib.suppress(OSError):
        client.sendall(str(pid).encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError):
        client.sendall(str(status).encode())
    os._exit(0)


def _become(request: Mapping[str, Any], fds: Sequence[int], run: Callable[[Sequence[str]], int]) -> None:
    os.setsid()
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    _take_threads()
    sys.argv = ["lorelab", *request["arguments"]]
    status = 1
    try:
        status = run(request["arguments"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _take_threads() -> None:
    """As many as the environment says: PyTorch has read another one."""
    import torch

    with contextlib.suppress(KeyError, ValueError):
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def _main(arguments: Sequence[str]) -> int:
    return int(importlib.import_module("lorelab.__main__").main(arguments))
