"""``lorelab`` processes that begin with everything imported. A fresh one imports for eight seconds, two at once twelve.

A process that will want workers imports what they need, most of which it needs itself, and forks a server before it has
used any of it: nothing is open, there is one thread. The server forks one process per command. Otherwise those are
processes like others: own session, signals, files. Only where processes fork, and not for GPUs, which a forked process
may not be able to use.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from lorelab.sweeps.fork_command import keep

VARIABLE = "LORELAB_FORK_SERVER"
"""Path of the socket, for commands that were themselves forked."""
PRELOAD = (
    *("lorelab.__main__", "lorelab.cli.launch", "lorelab.cli.trial", "lorelab.cli.resume", "lorelab.config.validate"),
    *("lorelab.config.build", "lorelab.training.fit", "lorelab.tracking.mlflow_tracker", "lorelab.sweeps.sweep"),
    *("mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "sklearn.datasets", "matplotlib.figure"),
    *("torchmetrics.classification", "hydra.core.plugins", "optuna.importance", "torch._dynamo"),
)
_MAKE_NO_THREADS = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""NumPy's and SciPy's linear algebra and Arrow's allocator otherwise do, as soon as they are loaded."""
_GPUS = Path("/dev/nvidiactl")


@dataclass(frozen=True)
class _Server:
    """Forked from this process."""

    path: str
    pid: int
    lifeline: int
    """Never written to: the server ends when it is closed, at the latest with this process, however that ends."""

    def serves(self) -> bool:
        """Whether it is still there."""
        with contextlib.suppress(ChildProcessError):  # known before to have ended, or not this process's
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        return False


_forked: list[_Server] = []


def without_threads() -> None:
    """Keeps libraries that are not loaded yet from making threads, without which nothing can be forked later. Set
    values are respected."""
    for name, value in _MAKE_NO_THREADS.items():
        os.environ.setdefault(name, value)


def prepare_fork_server(accelerator: object = "cpu") -> None:
    """Forks this process's server, once, if runs on ``accelerator`` are trained by CPUs and this process is still fit
    for it: no thread was started, by Python or by a library that computed something. Imports for seconds."""
    if VARIABLE in os.environ or _forked or not _is_plain() or (accelerator != "cpu" and _GPUS.exists()):
        return
    _import_all()
    if _is_plain():
        with contextlib.suppress(OSError):  # it costs the warmth
            _forked.append(_fork())


def fork_server() -> str | None:
    """Path of the socket of the server that workers can be had from at once; it ends with this process. None if there
    is none."""
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    return _forked[0].path if _forked and _forked[0].serves() else None


def serve(path: str, run: Callable[[Sequence[str]], int] | None = None) -> None:
    """Has this process, a fresh one, fork another that calls ``run``, by default ``lorelab.__main__.main``, for each
    request at the socket ``path``, until standard input ends. Prints a line when it is ready."""
    without_threads()
    listener = _listen(path)
    try:
        _import_all()
        print("ready", flush=True)
        _until_input_ends(listener, run or _main)
    finally:
        _remove(path)


def _is_plain() -> bool:
    """Whether all of this process survives a fork: one thread, standard streams that are files. Not on a Mac, whose own
    libraries do not; nor where nobody says how many threads there are."""
    tasks = Path("/proc/self/task")
    if sys.platform == "darwin" or not hasattr(os, "fork") or not tasks.is_dir():
        return False
    streams = sys.stdin, sys.stdout, sys.stderr
    own = streams == (sys.__stdin__, sys.__stdout__, sys.__stderr__) and None not in streams
    return own and threading.active_count() == 1 and len(list(tasks.iterdir())) == 1


def _import_all() -> None:
    from lorelab.paths import ROOT
    from lorelab.tracking.mlflow_client import prepare_environment
    from lorelab.training import provenance

    prepare_environment()
    for module in PRELOAD:
        importlib.import_module(module)
    # Which code runs is read now, when it is loaded, and known to all that are forked.
    provenance.code_version()
    if _GPUS.exists():
        provenance.git_state(ROOT)  # to ask for their names would open them, and what is forked could not any more
    else:
        provenance.capture(ROOT)


def _fork() -> _Server:
    folder = Path(tempfile.mkdtemp(prefix="lorelab-fork-"))
    path = str(folder / "socket")
    reader, writer = os.pipe()
    try:
        with _listen(path) as listener:
            sys.stdout.flush()
            sys.stderr.flush()
            gc.freeze()  # to look for garbage writes into every object, which would copy all that is shared
            # A signal that comes before the server is a process of its own must not unwind this one's stack in it.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                if (pid := os.fork()) == 0:
                    os.close(writer)
                    _serve_apart(listener, path, reader, before)
            finally:
                gc.unfreeze()
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
    except OSError:
        os.close(writer)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(reader)
    return _Server(path, pid, writer)


def _serve_apart(listener: socket.socket, path: str, lifeline: int, mask: set[Any]) -> NoReturn:
    """What the server does from its first moment to its end."""
    try:
        os.setsid()
        for signum in signal.valid_signals():
            if callable(signal.getsignal(signum)):
                signal.signal(signum, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a fresh process
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number, fd in enumerate((lifeline, nowhere, nowhere)):
            os.dup2(fd, number)
        os.close(lifeline)
        os.close(nowhere)
        _forked.clear()
        importlib.import_module("hydra.core.global_hydra").GlobalHydra.instance().clear()
        _until_input_ends(listener, _main)
    finally:
        _remove(path)
        os._exit(0)


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    return listener


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()
        Path(path).parent.rmdir()


def _until_input_ends(listener: socket.socket, run: Callable[[Sequence[str]], int]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    asked, ended = listener.fileno(), 0
    while ended not in select.select([asked, ended], [], [])[0]:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            keep(client, run)
        client.close()


def _main(arguments: Sequence[str]) -> int:
    return int(importlib.import_module("lorelab.__main__").main(arguments))
