"""What the fork server does for one request: a process that keeps watch, and the command itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lorelab.sweeps.forked import NUMBER, as_bytes, number_of


def keep(client: socket.socket, run: Callable[[Sequence[str]], int]) -> None:
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
