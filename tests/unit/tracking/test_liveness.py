"""A run is closed only if its process is certainly gone."""

import json
import os
import subprocess
import sys
import threading

import pytest

from lorelab.tracking.liveness import HEARTBEAT, PROCESS, SILENT_SECONDS, Beat, is_gone, marks


def changed(**facts: object) -> dict[str, str]:
    tags = marks()
    return tags | {PROCESS: json.dumps(json.loads(tags[PROCESS]) | facts)}


def test_a_process_that_runs_is_not_gone() -> None:
    assert not is_gone(marks())


def test_a_process_that_ended_is_gone() -> None:
    code = "from lorelab.tracking.liveness import marks; import json; print(json.dumps(marks()))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert is_gone(json.loads(done.stdout))


def test_another_process_with_the_same_number_is_not_taken_for_it() -> None:
    assert is_gone(changed(started=1.0))


@pytest.mark.parametrize("facts", [{"host": "another"}, {"namespace": "pid:[1]"}])
def test_of_other_hosts_and_containers_nothing_is_known(facts: dict[str, object]) -> None:
    assert not is_gone(changed(pid=2**22 + 1) | changed(pid=2**22 + 1, **facts))


def test_a_run_from_before_the_host_was_started_anew_must_have_been_silent() -> None:
    tags = changed(boot="before") | {HEARTBEAT: "1000"}
    assert not is_gone(tags, now=1000 + SILENT_SECONDS / 2)
    assert is_gone(tags, now=1000 + SILENT_SECONDS * 2)


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"pid": "x"}'])
def test_what_others_wrote_is_left_alone(text: str) -> None:
    assert not is_gone({PROCESS: text})
    assert not is_gone({})


def test_the_heart_beats_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorelab.tracking.liveness.BEAT_SECONDS", 0.01)
    came = threading.Event()
    beats: list[dict[str, str]] = []

    def tag(tags):
        beats.append(tags)
        came.set()

    beat = Beat(tag)
    assert came.wait(10)
    beat.stop()
    assert beats[0].keys() == {HEARTBEAT}
    assert json.loads(marks()[PROCESS])["pid"] == os.getpid()
