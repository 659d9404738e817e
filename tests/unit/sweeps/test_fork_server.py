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


def test_what_is_forked_knows_the_code_that_was_loaded(tmp_path: Path) -> None:
    code = RUN.replace(
        "return 3", "from lorelab.training import provenance as p; print(p.git_state.cache_info()); return 3"
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


def in_process(folder: Path, code: str) -> list[str]:
    """What a fresh process, one that prepares to fork, says before it ends (by ``end()``, or a signal)."""
    clean = {key: value for key, value in os.environ.items() if key not in (fork_server.VARIABLE, *THREADS)}
    with (folder / "said").open("wb") as said:  # no pipe, which others might hold
        subprocess.run([sys.executable, "-c", PREPARING + code], env=clean, stdout=said, timeout=100, check=False)
    return (folder / "said").read_text().splitlines()


THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
PREPARING = """
import os, signal, sys, threading
from lorelab.sweeps import fork_server as own
from lorelab.sweeps.forked import Forked

def prepared(accelerator="cpu"):
    own.prepare_fork_server(accelerator)
    return own.fork_server()

def forked():
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "2"}
    return Forked(prepared(), [], stdout=1, stderr=2, cwd=".", env=environment)

def end():
    sys.stdout.flush()
    os._exit(0)

own.without_threads()
own.PRELOAD = ("torch", "sklearn.datasets", "mlflow.tracking")
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["end()", "sys.stdout.flush(), os.kill(os.getpid(), signal.SIGKILL)"])
def test_it_ends_with_the_process_that_has_it(tmp_path: Path, end: str) -> None:
    said = in_process(
        tmp_path, f"print(own.fork_server(), prepared(), prepared(), len(own._forked), own._forked[0].pid)\n{end}"
    )
    before, path, again, count, pid = said[0].split()
    assert (before, again, count) == ("None", path, "1")
    limit = time.monotonic() + 20
    while psutil.pid_exists(int(pid)) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(pid))
    assert not Path(path).parent.exists()


def test_what_is_forked_has_nothing_of_the_process_that_it_comes_from(tmp_path: Path) -> None:
    """Neither its handlers of signals, nor what it had printed, nor its server, whose end it would hold up; it computes
    with threads while the other does."""
    said = in_process(tmp_path, """
def run(arguments):
    import torch
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT)]
    print(handlers == [signal.SIG_DFL, signal.SIG_DFL, signal.default_int_handler], signal.pthread_sigmask(0, []))
    here = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if fd not in "12"]
    print(own.fork_server(), sum("pipe:" in name for name in here))
    os.write(1, b"computed\\n" * bool(torch.randn(500, 500).mm(torch.randn(500, 500)).exp().sum() > 0))
    return 3

for each in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT):
    signal.signal(each, lambda *_: os._exit(7))
print("once")
own._main = run
prepared()
import torch
torch.set_num_threads(2)
torch.randn(500, 500).mm(torch.randn(500, 500)).exp()
processes = [forked(), forked()]
print([process.wait(30) for process in processes])
end()
""")  # fmt: skip
    assert said[0] == "once"
    assert said.count("once") == 1
    assert said.count("True set()") == said.count("computed") == said.count("None 1") == 2
    assert said[-1] == "[3, 3]"


@pytest.mark.parametrize(
    "spoilt",
    [
        "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "os.environ['OPENBLAS_NUM_THREADS'] = '2'; import numpy",
        "import io; sys.stdout = io.StringIO()",
        "os.environ[own.VARIABLE] = ''",
    ],
)
def test_where_a_fork_would_not_do_there_is_none(tmp_path: Path, spoilt: str) -> None:
    said = in_process(
        tmp_path, f"{spoilt}\nprint(prepared(), own._forked, 'torch' in sys.modules, file=sys.__stdout__)\nend()"
    )
    assert said in (["None [] False"], [" [] False"]), "and nothing was imported for it"


@pytest.mark.slow
def test_beside_gpus_it_is_for_sweeps_on_cpus_alone(tmp_path: Path) -> None:
    said = in_process(tmp_path, """
from pathlib import Path
own._GPUS = Path(os.devnull)
print(prepared("auto"), prepared("gpu"), prepared("cpu") == own._forked[0].path)
end()
""")  # fmt: skip
    assert said == ["None None True"]


@pytest.mark.slow
def test_one_that_was_killed_is_no_server(tmp_path: Path) -> None:
    said = in_process(tmp_path, """
os.kill(prepared() and own._forked[0].pid, signal.SIGKILL)
while own.fork_server():
    pass
print(own.fork_server(), prepared())
import shutil; shutil.rmtree(os.path.dirname(own._forked[0].path))
end()
""")  # fmt: skip
    assert said == ["None None"]


@pytest.mark.slow
def test_nothing_that_workers_need_starts_a_thread_when_it_is_imported() -> None:
    script = (
        "from lorelab.sweeps import fork_server as it; it.without_threads(); it.prepare_fork_server(); "
        "raise SystemExit(it.fork_server() is None)"
    )
    clean = {key: value for key, value in os.environ.items() if key != fork_server.VARIABLE}
    assert subprocess.run([sys.executable, "-c", script], check=False, env=clean).returncode == 0
