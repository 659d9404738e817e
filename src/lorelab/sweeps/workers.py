"""Several processes for one sweep: each runs the same command, joins the sweep and takes trials until none is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lorelab.errors import LorelabError
from lorelab.sweeps.fork_server import fork_server
from lorelab.sweeps.forked import Forked
from lorelab.sweeps.search import SWEEP
from lorelab.tracking.liveness import marks

Process = Forked | subprocess.Popen[bytes]
WORKER = "LORELAB_WORKER"
"""Set for a worker: its number. Its command line was checked by the process it works for."""
POLL_SECONDS = 0.2
_GRACE_SECONDS = 10.0
_COLD, _WARM = 12.0, 1.5
"""Seconds until two workers train: that import by themselves, that are forked."""
_MOST_EARLY_DEATHS = 3


def is_worker() -> bool:
    """Whether this process works for a sweep that another one leads."""
    return WORKER in os.environ


def follow_the_sweep() -> None:
    """Ends this worker, as SIGTERM would, when the process that it works for is gone: their pipe ends then."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        os._exit(1)

    with contextlib.suppress(OSError, ValueError):
        sys.stdin.fileno()
        threading.Thread(target=watch, name="lorelab-follow", daemon=True).start()


@dataclass
class _Worker:
    number: int
    process: Process
    log: Path
    early_deaths: int = 0


class Crew:
    """``count`` workers that run ``lorelab train *arguments``; ``ended`` says how many trials have ended so far."""

    def __init__(
        self, count: int, arguments: Sequence[str], folder: Path, cwd: str, gpus: int, ended: Callable[[], int]
    ) -> None:
        self.count, self.arguments, self.folder, self.cwd = count, list(arguments), folder, cwd
        self.gpus, self.ended = gpus, ended

    def work(self, finished: Callable[[], bool]) -> None:
        """Until ``finished``; a worker that dies is replaced.

        Raises:
            LorelabError: a worker dies again and again before a trial ends.
        """
        workers = list[_Worker]()
        try:
            for number in range(self.count):
                workers.append(self._hire(number))
            while any(worker.process.poll() is None for worker in workers) or not finished():
                for index, worker in enumerate(workers):
                    if worker.process.poll() is not None and not finished():
                        workers[index] = self._replace(worker)
                time.sleep(POLL_SECONDS)
        finally:
            _dismiss([worker.process for worker in workers])

    def _hire(self, number: int, early_deaths: int = 0) -> _Worker:
        log = self.folder / f"worker-{number}.log"
        self._ended_at_hire = self.ended()
        with log.open("ab") as output:
            process = self._start(output, self._environment(number))
        return _Worker(number, process, log, early_deaths)

    def _start(self, output: IO[bytes], environment: Mapping[str, str]) -> Process:
        """In a session of its own: Ctrl-C reaches the sweep, which tells its workers."""
        command, warm = ["train", *self.arguments], fork_server() if not self.gpus else None
        with contextlib.suppress(OSError):
            if warm is not None:
                return Forked(warm, command, stdout=output, stderr=output, cwd=self.cwd, env=environment)
        return subprocess.Popen(
            [sys.executable, "-m", "lorelab", *command],
            stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=self.cwd, env=environment, start_new_session=True,
        )  # fmt: skip

    def _replace(self, worker: _Worker) -> _Worker:
        early = worker.early_deaths + 1 if self.ended() == self._ended_at_hire else 0
        _close(worker.process.stdin)
        if early >= _MOST_EARLY_DEATHS:
            last = worker.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise LorelabError(
                f"worker {worker.number} ended {early} times (exit status {worker.process.returncode}) before a trial "
                f"did; expected it to train. Its last words: {''.join(last) or 'none'}. All of them: {worker.log}"
            )
        print(
            f"worker {worker.number} ended (exit status {worker.process.returncode}); another takes its place and goes "
            f"on with what it had begun. Its last words, if any: {worker.log}",
            file=sys.stderr,
        )
        return self._hire(worker.number, early)

    def _environment(self, number: int) -> Mapping[str, str]:
        own = {WORKER: str(number), SWEEP: json.dumps(marks())}
        return os.environ | own | share(number, self.count, self.gpus, os.cpu_count() or 1, os.environ)


def share(number: int, count: int, gpus: int, cores: int, environment: Mapping[str, str]) -> dict[str, str]:
    """What worker ``number`` of ``count`` gets of the machine, as environment variables: its part of the ``cores`` as
    threads, unless ``environment`` says how many, and one of the ``gpus`` that are visible, in turn."""
    threads = str(max(1, cores // count))
    own = {name: threads for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name not in environment}
    if gpus:
        visible = environment.get("CUDA_VISIBLE_DEVICES", "") or ",".join(map(str, range(gpus)))
        own["CUDA_VISIBLE_DEVICES"] = visible.split(",")[number % gpus].strip()
    return own


def gpus_for(accelerator: str) -> int:
    """How many GPUs there are for runs on ``accelerator`` ("cpu" takes none)."""
    import torch

    return 0 if accelerator == "cpu" else torch.cuda.device_count()


def processes_to_a_memory(processes: int, gpus: int) -> int:
    """How many of ``processes`` share the memory that their runs take: one of the ``gpus``', or the machine's."""
    return -(-processes // max(1, gpus))


def workers_for(wanted: int | None, gpus: int, gpu_share: float) -> int:
    """How many workers: as many as are wanted, else as many as the GPUs take at ``gpu_share`` each, else one."""
    return wanted or max(1, gpus * int(1 / gpu_share + 1e-9))


def crew_size(wanted: int | None, gpu_share: float, accelerator: str) -> int:
    """How many workers a sweep that may have some gets: as ``workers_for`` says on GPUs, else one for each core."""
    gpus = gpus_for(accelerator)
    return workers_for(wanted, gpus, gpu_share) if wanted or gpus else os.cpu_count() or 1


def start_seconds(gpus: int) -> float:
    """About how long it takes until new workers train: those for GPUs import by themselves, at once with each other."""
    return _COLD if gpus or fork_server() is None else _WARM


def _dismiss(processes: Sequence[Process]) -> None:
    """SIGTERM, which lets a run write its checkpoint, and SIGKILL for whoever does not end."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    limit = time.monotonic() + _GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close(process.stdin)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.close()
