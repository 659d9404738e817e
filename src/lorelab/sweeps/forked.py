"""A process of the fork server, seen from whoever asked for it; and what both say to each other over a Unix socket.

Asked: a number, how long the request is, with three open files; the request, in JSON. Answered: the process's id at
once, its exit status at its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

NUMBER = 8
"""Bytes of a number."""


class Forked:
    """``lorelab ARGUMENTS`` under way, with what ``subprocess.Popen`` offers of it.

    ``stdout``, ``stderr``: open files. The process can read from ``stdin``.

    Raises:
        OSError: nobody serves at ``path`` any more.
    """

    def __init__(
        self, path: str, arguments: Sequence[str], *, stdout: Any, stderr: Any, cwd: str, env: Mapping[str, str]
    ) -> None:
        request = json.dumps({"arguments": list(arguments), "environment": dict(env), "cwd": cwd}).encode()
        files = [stream if isinstance(stream, int) else stream.fileno() for stream in (stdout, stderr)]
        self._answers = socket.socket(socket.AF_UNIX)
        self.stdin: IO[bytes] | None = None
        self.stderr: IO[str] | None = None
        self.returncode: int | None = None
        reader, writer = os.pipe()
        try:
            self._answers.connect(path)
            socket.send_fds(self._answers, [as_bytes(len(request))], [reader, *files])
            self._answers.sendall(request)
            answer = self._answers.recv(NUMBER)
        except BaseException:
            self._answers.close()
            os.close(writer)
            raise
        finally:
            os.close(reader)
        self.stdin = os.fdopen(writer, "wb", buffering=0)
        if not answer:
            self.stdin.close()
            self._answers.close()
            raise ConnectionError(f"{path}: the server ended before it began {' '.join(arguments)}")
        self.pid = number_of(answer)

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            answer = self._answers.recv(NUMBER)
            self.returncode = number_of(answer) if answer else -signal.SIGKILL
            self._answers.close()
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
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def as_bytes(number: int) -> bytes:
    """For the socket, signed."""
    return number.to_bytes(NUMBER, "big", signed=True)


def number_of(data: bytes) -> int:
    """What ``as_bytes`` made bytes of."""
    return int.from_bytes(data, "big", signed=True)
