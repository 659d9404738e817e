"""A store that is away costs no point: a real server is stopped and started, a disk is full, a folder is read-only."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lorelab.errors import StoreError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking import delivery
from lorelab.tracking.items import End
from lorelab.tracking.mlflow_store import MLflowStore
from lorelab.tracking.mlflow_tracker import MLflowTracker
from lorelab.tracking.outbox import Outbox

POINTS = 2400


class Server:
    """MLflow's server on a port of its own, that can be stopped and started. Not by ``mlflow server``, which imports
    all of MLflow before it starts the process that does so again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        place = {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{self.folder}/server.db",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"{self.folder}/a",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        where = ["mlflow.server.fastapi_app:app", "--host=127.0.0.1", f"--port={self.port}"]
        command = [sys.executable, "-m", "uvicorn", *where]
        self.process = subprocess.Popen(
            command, env=os.environ | place, cwd=self.folder, start_new_session=True, **quiet
        )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=1)
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the server does not start")

    def hang(self) -> None:
        """Its socket still takes connections, and never answers."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    yield found
    found.stop()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.5)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE", 1.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


def ended(run_id: str) -> RunRecord:
    return RunRecord(run_id, "run", RunStatus.FINISHED, "loss", "min", score=0.0)


def log(tracker: MLflowTracker, first: int, last: int, pause: float) -> None:
    for step in range(first, last):
        tracker.log({"loss": 1.0 / (step + 1)}, step)
        if step % 100 == 0:
            time.sleep(pause)


def lost_and_doubled(uri: str, run_id: str) -> tuple[int, int]:
    steps = Counter(step for step, _ in MLflowStore(uri).history(run_id, "loss"))
    return POINTS - len(steps), sum(count - 1 for count in steps.values())


def test_a_server_that_is_stopped_and_started_in_mid_run_gets_each_point_once(server: Server, tmp_path: Path) -> None:
    server.start()
    tracker = MLflowTracker(server.uri, outbox=str(tmp_path / "outbox"))
    run_id = tracker.start(RunStart("run", {}, {}))
    log(tracker, 0, 800, 0.1)
    server.stop()
    log(tracker, 800, 1600, 0.3)
    tracker.text("written meanwhile", "note.txt")
    assert (tmp_path / "outbox" / run_id / "items.jsonl").is_file()
    server.start()
    log(tracker, 1600, POINTS, 0.1)
    tracker.finish(ended(run_id))
    assert lost_and_doubled(server.uri, run_id) == (0, 0)
    assert not (tmp_path / "outbox" / run_id).exists()
    store = MLflowStore(server.uri)
    assert store.get(run_id).status == "finished"
    assert store.download(run_id, "note.txt", tmp_path).read_text() == "written meanwhile"


def test_what_a_server_never_took_is_delivered_by_sync(server: Server, tmp_path: Path, lorelab, capfd) -> None:
    box = tmp_path / "outbox"
    server.start()
    tracker = MLflowTracker(server.uri, outbox=str(box))
    run_id = tracker.start(RunStart("went-away", {}, {}))
    log(tracker, 0, 400, 0.2)
    server.stop()
    log(tracker, 400, POINTS, 0.1)
    (tmp_path / "file.txt").write_text("kept")
    tracker.artifact(tmp_path / "file.txt", "folder")
    tracker.finish(ended(run_id))
    (tmp_path / "file.txt").unlink()  # as a run's own files are
    offline = MLflowTracker(server.uri, if_unreachable="offline", outbox=str(box))
    began = offline.start(RunStart("never-there", {"seed": "3"}, {"lorelab.arm": "a"}, {"note.txt": "hello"}))
    assert began.startswith("offline-")
    log(offline, 0, POINTS, 0.0)
    offline.finish(ended(began))
    assert f"lorelab sync --outbox {box}" in capfd.readouterr().err
    with pytest.raises(StoreError):
        MLflowTracker(server.uri, outbox=str(box)).start(RunStart("refused", {}, {}))
    assert lorelab("sync", "--outbox", str(box), check=False).returncode == 1, "the server is still away"
    server.start()
    done = lorelab("sync", "--outbox", str(box))
    assert f"{POINTS + 1} points" in done.stdout
    assert not list(box.iterdir())
    assert "Nothing to deliver" in lorelab("sync", "--outbox", str(box)).stdout
    store = MLflowStore(server.uri)
    runs = {run.name: run for run in store.runs()}
    assert {name: run.status for name, run in runs.items()} == {"went-away": "finished", "never-there": "finished"}
    for run in runs.values():
        assert lost_and_doubled(server.uri, run.run_id) == (0, 0)
    assert (runs["never-there"].params["seed"], runs["never-there"].tags["lorelab.arm"]) == ("3", "a")
    assert store.download(runs["never-there"].run_id, "note.txt", tmp_path).read_text() == "hello"
    assert store.download(run_id, "folder/file.txt", tmp_path).read_text() == "kept"


LONG = ("experiment=digits_mlp", "trainer.max_epochs=100000", "trainer.threads=1", "progress=plain")


def train(uri: str, folder: Path, *overrides: str) -> subprocess.Popen[str]:
    where = (f"paths.outputs={folder}/o", f"hydra.run.dir={folder}/h")
    return subprocess.Popen(
        [sys.executable, "-m", "lorelab", "train", *LONG, *where, *overrides],
        env=os.environ | {"MLFLOW_TRACKING_URI": uri},
        stderr=subprocess.PIPE,
        text=True,
    )


def ends(process: subprocess.Popen[str], signum: signal.Signals) -> float:
    """Seconds from the signal to the end, as stopped by it."""
    begun = time.monotonic()
    process.send_signal(signum)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signum, said
    return time.monotonic() - begun


@pytest.mark.slow
def test_a_server_that_hangs_does_not_hold_up_the_end_of_a_killed_run(server: Server, tmp_path: Path, lorelab) -> None:
    server.start()
    process = train(server.uri, tmp_path)
    assert process.stderr is not None
    assert "steps" in process.stderr.readline()
    time.sleep(1.5)
    server.hang()
    time.sleep(2.0)  # a request is under way
    assert ends(process, signal.SIGINT) < 5
    (kept,) = (tmp_path / "o" / "checkpoints").glob("*/last.ckpt")
    run_id = kept.parent.name
    assert isinstance(Outbox(tmp_path / "o" / "outbox" / run_id).items()[-1], End)
    server.go_on()
    lorelab("sync", "--outbox", str(tmp_path / "o" / "outbox"))
    run = MLflowStore(server.uri).get(run_id)
    assert (run.status, run.tags["lorelab.reason"]) == ("killed", "stopped by SIGINT")
    logged = [step for step, _ in MLflowStore(server.uri).history(run_id, "train/loss")]
    in_checkpoint = torch.load(kept, weights_only=True)["callbacks"]["Keeper"]["history"]["train/loss"]
    assert logged == [step for step, _ in in_checkpoint]


def test_a_server_that_hangs_from_the_start_does_not_hold_up_the_end_either(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = train(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path, "force=true")
        connection, _ = silent.accept()  # to open the run
        with connection:
            time.sleep(0.5)
            assert ends(process, signal.SIGTERM) < 5


@pytest.mark.slow
def test_a_run_that_began_offline_goes_on_after_sync(tmp_path: Path, store_uri: str, lorelab) -> None:
    outputs = f"paths.outputs={tmp_path}/o"
    budget = ("trainer.max_epochs=30", "trainer.checkpoint_every_steps=7")
    lorelab("train", *LONG, *budget, outputs)
    (whole,) = MLflowStore(store_uri).runs()
    place = tmp_path / "later"
    place.write_text("no folder: no database can be made here")
    uri = f"sqlite:///{place}/mlflow.db"
    process = train(uri, tmp_path, *budget, "tracker.if_unreachable=offline")
    while not (kept := list((tmp_path / "o" / "checkpoints").glob("offline-*/last.ckpt"))):
        assert process.poll() is None
        time.sleep(0.02)
    offline = kept[0].parent.name
    busy = lorelab("sync", "--outbox", str(tmp_path / "o" / "outbox"), check=False)
    assert (busy.returncode, "still going on" in busy.stderr) == (1, True)
    process.kill()
    process.communicate()

    place.unlink()
    sync = f"lorelab sync --outbox {tmp_path}/o/outbox"
    for run in (offline, offline[:12], Outbox(tmp_path / "o" / "outbox" / offline).about()["start"]["name"]):
        early = lorelab("train", f"resume={run}", outputs, check=False, MLFLOW_TRACKING_URI=uri)
        assert f"began offline and its store does not know it yet. First: {sync}" in early.stderr
    lorelab(*sync.split()[1:])
    lorelab("train", f"resume={offline}", outputs, MLFLOW_TRACKING_URI=uri)
    store = MLflowStore(uri)
    (run,) = store.runs()
    assert (run.status, run.tags["lorelab.weights"]) == ("finished", whole.tags["lorelab.weights"])
    assert store.history(run.run_id, "val/loss") == MLflowStore(store_uri).history(whole.run_id, "val/loss")
    assert not list((tmp_path / "o" / "checkpoints").glob("*/last.ckpt"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_does_not_stop_the_run_and_loses_nothing(small_disk: Path, tmp_path: Path, lorelab) -> None:
    box = tmp_path / "outbox"
    tracker = MLflowTracker(f"sqlite:///{small_disk}/mlflow.db", outbox=str(box))
    run_id = tracker.start(RunStart("run", {}, {}))
    log(tracker, 0, 200, 0.0)
    time.sleep(1.5)  # written
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    log(tracker, 200, POINTS, 0.05)
    tracker.text("x" * 100_000, "large.txt")
    tracker.finish(ended(run_id))
    assert list(box.iterdir()), "kept on the other disk"
    filler.unlink()
    lorelab("sync", "--outbox", str(box))
    assert lost_and_doubled(tracker.uri, run_id) == (0, 0)
    store = MLflowStore(tracker.uri)
    assert store.get(run_id).status == "finished"
    assert len(store.download(run_id, "large.txt", tmp_path).read_text()) == 100_000


def test_a_read_only_artifact_folder_keeps_the_files_for_later(small_disk: Path, tmp_path: Path, lorelab) -> None:
    box, artifacts = tmp_path / "outbox", small_disk / "artifacts"
    artifacts.mkdir()
    tracker = MLflowTracker(f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(artifacts), outbox=str(box))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    run_id = tracker.start(RunStart("run", {}, {}, {"note.txt": "hello"}))
    log(tracker, 0, POINTS, 0.0)
    tracker.finish(ended(run_id))
    assert lost_and_doubled(tracker.uri, run_id) == (0, 0), "points do not wait for files"
    assert MLflowStore(tracker.uri).get(run_id).status == "finished"
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    lorelab("sync", "--outbox", str(box))
    assert MLflowStore(tracker.uri).download(run_id, "note.txt", tmp_path).read_text() == "hello"
