"""Which process writes a run, and whether it is gone: SIGKILL and power cuts leave runs that say RUNNING for ever."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lorelab.errors import StoreError

HOST, PROCESS, HEARTBEAT = "lorelab.host", "lorelab.process", "lorelab.heartbeat"
MACHINE = Path("/etc/machine-id")
BEAT_SECONDS = 30.0
SILENT_SECONDS = 4 * BEAT_SECONDS
"""Without a heartbeat for so long, a run that this host began before it was started anew is taken for dead."""


def marks() -> dict[str, str]:
    """Tags that tell this process from every other, on this host and elsewhere."""
    import psutil

    me = psutil.Process()
    about = _place() | {"pid": me.pid, "started": round(me.create_time(), 2), "ticks": _ticks(me.pid)}
    return {HOST: socket.gethostname(), PROCESS: json.dumps(about)} | heartbeat()


def heartbeat() -> dict[str, str]:
    """The tag that says when the run was last seen alive, in seconds since the epoch."""
    return {HEARTBEAT: f"{time.time():.0f}"}


def is_gone(tags: Mapping[str, str], now: float | None = None) -> bool:
    """Whether the process that ``marks`` described is certainly gone; False for other hosts and other containers.

    On this host, since it was started, the process id and its start time tell. A run from before the host was started
    is gone too, but another machine may bear this one's name: its heartbeat must be older than ``SILENT_SECONDS``.
    Tags of earlier versions lack ``machine`` and ``ticks`` and are judged by what they have.
    """
    try:
        process = json.loads(tags[PROCESS])
        pid, started, boot = int(process["pid"]), float(process["started"]), process["boot"]
    except (KeyError, TypeError, ValueError):  # written by something else
        return False
    here = _place()
    machines = {process.get("machine"), here["machine"]} - {None, ""}
    if process.get("host") != here["host"] or len(machines) > 1:
        return False
    if boot != here["boot"]:
        beat = tags.get(HEARTBEAT, "")
        return beat.isdigit() and (now or time.time()) - int(beat) > SILENT_SECONDS
    if process.get("namespace") != here["namespace"]:  # another container: its process ids mean nothing here
        return False
    if (ticks := process.get("ticks")) is None:
        return abs(_begun(pid) - started) > 1.0
    return _ticks(pid) != ticks and not _is_hidden(pid)


def _ticks(pid: int) -> int | None:
    """When a process began, in clock ticks since the host did, which no setting of the clock changes. None if there is
    no such process, if it has ended and only its parent does not know yet, or if the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the program's name, in brackets, may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def _is_hidden(pid: int) -> bool:
    """Whether there is such a process and we may not look at it: another user's, with /proc mounted so."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not Path(f"/proc/{pid}").exists()
    except OSError:
        return False
    return False


def _begun(pid: int) -> float:
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return math.inf


@functools.cache
def _place() -> dict[str, object]:
    """Where process ids mean the same: host, machine, the time since it was started, the container's own numbering.

    The machine's id is hashed, as machine-id(5) asks; "" where there is none.
    """
    import psutil

    boot_file, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    machine = ""
    with contextlib.suppress(OSError):
        if found := MACHINE.read_bytes().strip():
            machine = hashlib.sha256(b"lorelab" + found).hexdigest()[:16]
    try:
        boot = boot_file.read_text(encoding="ascii").strip()
    except OSError:
        boot = str(round(psutil.boot_time() / 60))
    try:
        space = str(namespace.readlink())
    except OSError:
        space = ""
    return {"host": socket.gethostname(), "machine": machine, "boot": boot, "namespace": space}


class Beat:
    """A thread that hands ``tag`` a new ``heartbeat`` every ``BEAT_SECONDS`` until ``stop``."""

    def __init__(self, tag: Callable[[Mapping[str, str]], None]) -> None:
        self._ended = threading.Event()
        self._tag = tag
        threading.Thread(target=self._run, name="lorelab-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """No further heartbeat is begun."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with contextlib.suppress(StoreError):  # the run was finished in between
                self._tag(heartbeat())
