"""``lorelab ui`` with the real server."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lorelab.cli.ui import main
from lorelab.errors import LorelabError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.mlflow_tracker import MLflowTracker

COMMAND = [sys.executable, "-c", "import sys; from lorelab.cli.ui import main; sys.exit(main(sys.argv[1:]))"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str, process: subprocess.Popen[str], patience: float = 90.0) -> str:
    """The body, as soon as the server answers."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert answer.status == 200
                return str(answer.read().decode())
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert process.poll() is None, "the server ended by itself"
            assert time.monotonic() < deadline, "the server never answered"
            time.sleep(0.1)


@pytest.mark.slow
def test_the_server_shows_this_store_on_loopback_and_ends_when_told(tmp_path: Path) -> None:
    uri, port = f"sqlite:///{tmp_path}/mlflow.db", free_port()
    tracker = MLflowTracker(uri)
    run_id = tracker.start(RunStart("shown", {}, {}, {"note.txt": "an artifact"}))
    tracker.finish(RunRecord(run_id, "shown", RunStatus.FINISHED, "val/accuracy", "max"))
    arguments = ["--uri", uri, "--port", str(port)]
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            root = f"http://127.0.0.1:{port}"
            assert server.stdout is not None
            assert server.stdout.readline().strip() == f"{root}/#/experiments/1/runs?workflowType=machine_learning"
            assert "MLflow" in fetch(root, server)
            assert '"run_name": "shown"' in fetch(f"{root}/api/2.0/mlflow/runs/get?run_id={run_id}", server)
            assert fetch(f"{root}/get-artifact?path=note.txt&run_id={run_id}", server) == "an artifact"
            with pytest.raises(LorelabError, match=rf"--port {port}: cannot listen .* lorelab ui --port {port + 1}"):
                main(arguments)
        finally:
            server.terminate()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the server's own children must end with it"


def test_a_store_that_is_a_server_needs_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--uri", "http://tracking.example:5000"]) == 0
    assert "is a server already; open http://tracking.example:5000" in capsys.readouterr().out


def test_an_empty_store_is_said_to_be_empty_and_served_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda program, command: became.append(command))
    main(["--uri", f"sqlite:///{tmp_path}/mlflow.db", "--port", str(free_port())])
    assert "There are no runs of the experiment 'lorelab' yet. Train one: lorelab train" in capsys.readouterr().out
    assert (tmp_path / "mlflow.db").is_file()
    (command,) = became
    assert command[1:6] == ["-m", "mlflow", "server", "--host", "127.0.0.1"]
