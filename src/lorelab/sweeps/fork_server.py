"""``lorelab`` processes that begin with everything imported. A fresh one imports for eight seconds, two at once twelve.

One process imports it all, once, and forks one process per command, before it has used any of it: nothing is open.
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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lorelab.sweeps.forked import NUMBER, as_bytes, number_of

VARIABLE = "LORELAB_FORK_SERVER"
"""Path of the socket, for commands that were themselves forked."""
PRELOAD = (
    *("lorelab.__main__", "lorelab.cli.launch", "lorelab.cli.trial", "lorelab.cli.resume", "lorelab.config.validate"),
    *("lorelab.config.build", "lorelab.training.fit", "lorelab.tracking.mlflow_tracker", "lorelab.sweeps.sweep"),
    *("mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "sklearn.datasets", "matplotlib.figure"),
    *("torchmetrics.classification", "hydra.core.plugins", "optuna.importance", "torch._dynamo"),
)


class _Started:
    """A server on its way; its standard input stays open as long as this process lives."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lorelab-fork-")) / "socket"
        begin = f"from lorelab.sweeps.fork_server import serve; serve({str(self.path)!r})"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", begin], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # it makes its threads when it is loaded
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


def forks() -> bool:
    """Whether processes can be forked here; not on a Mac, whose own libraries do not survive it."""
    return hasattr(os, "fork") and sys.platform != "darwin"


def prepare_fork_server() -> None:
    """Starts this process's server, if there can be one, and does not wait until it has imported everything."""
    if forks() and VARIABLE not in os.environ and not _started:
        with contextlib.suppress(OSError):  # it costs the warmth
            _started.append(_Started())


def fork_server() -> str | None:
    """Path of the socket of this process's server, which ends with the process; None where there can be none."""
    prepare_fork_server()
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    return str(_started[0].path) if _started and _started[0].ready else None


def is_warm() -> bool:
    """Whether processes can be had at once, or soon."""
    return VARIABLE in os.environ or (bool(_started) and _started[0].process.poll() is None)


def serve(path: str, run: Callable[[Sequence[str]], int] | None = None) -> None:
    """Forks a process that calls ``run``, by default ``lorelab.__main__.main``, for each request at the socket
    ``path``, until standard input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    try:
        if _imported():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            print("ready", flush=True)
            _until_input_ends(listener, run or _main)
    finally:
        with contextlib.suppress(OSError):
            Path(path).unlink()
            Path(path).parent.rmdir()


def _imported() -> bool:
    """False if whoever asked for it was gone before the end."""
    from lorelab.paths import ROOT
    from lorelab.tracking.mlflow_client import prepare_environment
    from lorelab.training import provenance

    prepare_environment()
    for module in PRELOAD:
        importlib.import_module(module)
        if select.select([sys.stdin], [], [], 0)[0]:
            return False
    provenance.capture(ROOT)  # which code runs is read now, when it is loaded, and known to all that are forked
    provenance.code_version()
    return True


def _until_input_ends(listener: socket.socket, run: Callable[[Sequence[str]], int]) -> None:
    while listener in (ready := select.select([listener, sys.stdin], [], [])[0]) or not ready:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _keep(client, run)
        client.close()


def _keep(client: socket.socket, run: Callable[[Sequence[str]], int]) -> None:
    """Forks the command, says its id and, later, its exit status. It goes on where everything is told to end: the
    command has things to put in order, and somebody waits for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, fds, *_ = socket.recv_fds(client, NUMBER, 3)
    request, wanted = bytearray(), number_of(size)
    while len(request) < wanted and (more := client.recv(65536)):
        request += more
    if len(request) < wanted or not wanted:
        os._exit(1)  # whoever asked is gone
    pid = os.fork()
    if pid == 0:
        client.close()
        _become(json.loads(request), fds, run)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for fd in (*fds, 0, 1, 2):
        os.close(fd)
    with contextlib.suppress(OSError):
        client.sendall(as_bytes(pid))
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        client.sendall(as_bytes(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(request: Mapping[str, Any], fds: Sequence[int], run: Callable[[Sequence[str]], int]) -> None:
    os.setsid()
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    sys.argv = ["lorelab", *request["arguments"]]
    status = 1
    try:
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["cwd"])
        _take_threads()
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

    with contextlib.suppress(KeyError, ValueError, RuntimeError):  # as if it said nothing
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def _main(arguments: Sequence[str]) -> int:
    return int(importlib.import_module("lorelab.__main__").main(arguments))
