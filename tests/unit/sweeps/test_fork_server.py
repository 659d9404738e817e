"""Processes that begin with everything imported are processes like others."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lorelab.sweeps import fork_server, workers
from lorelab.sweeps.forked import Forked
from lorelab.sweeps.workers import Crew

RUN = """
import os, sys, threading, torch

def run(arguments):
    print(arguments, os.getcwd(), os.environ.get("OWN"), os.environ.get("OF_THE_SERVER"), torch.get_num_threads())
    print(os.getsid(0) == os.getpid(), threading.active_count(), file=sys.stderr)
    if arguments == ["wait"]:
        print("over", len(sys.stdin.buffer.raw.read()), flush=True)
    if arguments == ["sleep"]:
        threading.Event().wait()
    return 3

from lorelab.sweeps import fork_server
fork_server.PRELOAD = ("torch",)
fork_server.serve(sys.argv[1], run)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("s") / "own" / "socket")
    Path(path).parent.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | {"OF_THE_SERVER": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout.readline() == b"ready\n"
    yield path
    process.stdin.close()
    assert process.wait(10) == 0
    assert not Path(path).parent.exists(), "nothing is left"


def start(server: str, folder: Path, *arguments: str) -> Forked:
    with (folder / "out").open("ab") as out, (folder / "err").open("ab") as err:
        environment = {"OWN": "2", "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "2"}
        return Forked(server, arguments, stdout=out, stderr=err, cwd=str(folder), env=environment)


def test_it_has_its_own_arguments_environment_folder_files_session_and_threads(server: str, tmp_path: Path) -> None:
    process = start(server, tmp_path, "a", "b c")
    assert process.wait(20) == process.poll() == process.returncode == 3
    assert (tmp_path / "out").read_text() == f"['a', 'b c'] {tmp_path} 2 None 2\n"
    assert (tmp_path / "err").read_text() == "True 1\n"


def test_it_reads_the_end_of_its_input_when_whoever_started_it_closes_it(server: str, tmp_path: Path) -> None:
    process = start(server, tmp_path, "wait")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(20) == 3
    assert "over 0" in (tmp_path / "out").read_text()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_ended_by_signals(server: str, tmp_path: Path, signum: int) -> None:
    process = start(server, tmp_path, "sleep")
    (process.kill if signum == signal.SIGKILL else process.terminate)()
    assert process.wait(20) == -signum
    process.terminate()  # nothing happens
    assert not psutil.pid_exists(process.pid)


def test_a_server_that_ends_meanwhile_is_no_server(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        ending = threading.Thread(target=lambda: listener.accept()[0].recv(1))
        ending.start()
        with pytest.raises(OSError):
            start(path, tmp_path)
        ending.join()


def test_where_nobody_serves_any_more_workers_import_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "fork_server", lambda: str(tmp_path / "gone"))
    crew = Crew(1, ["--help"], tmp_path, str(tmp_path), gpus=0, ended=lambda: 0)
    with (tmp_path / "log").open("wb") as log:
        process = crew._start(log, os.environ)
    assert isinstance(process, subprocess.Popen)
    assert process.wait(60) == 0
    process.stdin.close()


def test_a_server_that_cannot_start_costs_only_the_warmth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(fork_server.VARIABLE, raising=False)
    monkeypatch.setattr(fork_server, "_started", [])
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert fork_server.fork_server() is None
    assert fork_server.fork_server() is None, "asked once more"
    assert not fork_server._started[0].path.parent.exists()


def test_nothing_is_left_of_one_whose_process_ended_before_it_was_ready() -> None:
    started = fork_server._Started()
    started.process.stdin.close()
    assert started.process.wait(30) == 0
    assert not started.path.parent.exists()
    started.process.stdout.close()


def test_what_is_forked_knows_the_code_that_was_loaded(tmp_path: Path) -> None:
    code = RUN.replace(
        "return 3", "from lorelab.training import provenance as p; print(p._git_state.cache_info()); return 3"
    )
    (tmp_path / "own").mkdir()
    path = str(tmp_path / "own" / "socket")
    server = subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server.stdout.readline()
    start(path, tmp_path).wait(20)
    server.stdin.close()
    assert "currsize=1" in (tmp_path / "out").read_text()
    server.wait(10)
    server.stdout.close()


def test_it_ends_with_the_process_that_has_it(tmp_path: Path) -> None:
    code = "\n".join(
        [
            "import os",
            "from lorelab.sweeps import fork_server",
            "assert not fork_server.is_warm()",
            "fork_server.prepare_fork_server()",
            "path = fork_server.fork_server()",
            "assert fork_server.fork_server() == path and fork_server.is_warm()",
            "print(path, fork_server._started[0].process.pid, flush=True)",
            "os._exit(0)",
        ]
    )
    clean = {key: value for key, value in os.environ.items() if key != fork_server.VARIABLE}
    told = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True).stdout
    path, pid = told.split()
    limit = time.monotonic() + 20
    while psutil.pid_exists(int(pid)) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(pid))
    assert not Path(path).parent.exists()
