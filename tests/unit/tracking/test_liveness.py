"""A run is closed only if its process is certainly gone."""

import json
import os
import subprocess
import sys
import threading

import pytest

from lorelab.tracking import liveness
from lorelab.tracking.liveness import HEARTBEAT, PROCESS, SILENT_SECONDS, Beat, _ticks, is_gone, marks


def changed(**facts: object) -> dict[str, str]:
    tags = marks()
    return tags | {PROCESS: json.dumps(json.loads(tags[PROCESS]) | facts)}


def test_a_process_that_runs_is_not_gone() -> None:
    assert not is_gone(marks())


def test_a_process_that_ended_is_gone() -> None:
    code = "from lorelab.tracking.liveness import marks; import json; print(json.dumps(marks()))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert is_gone(json.loads(done.stdout))


@pytest.mark.parametrize("facts", [{"ticks": 1}, {"ticks": None, "started": 1.0}], ids=["Linux", "elsewhere"])
def test_another_process_with_the_same_number_is_not_taken_for_it(facts: dict[str, object]) -> None:
    assert is_gone(changed(**facts))


def test_a_clock_that_is_set_makes_no_process_another() -> None:
    began = json.loads(marks()[PROCESS])["started"]
    assert not is_gone(changed(started=began - 3600.0)), "psutil adds the clock's idea of when the host was started"


def test_a_process_whose_parent_has_not_heard_of_its_end_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    tags = changed(pid=process.pid, ticks=_ticks(process.pid))
    assert not is_gone(tags)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(tags)
    process.communicate()


def test_tags_of_earlier_versions_are_understood() -> None:
    tags = marks()
    old = {key: value for key, value in json.loads(tags[PROCESS]).items() if key not in ("machine", "ticks")}
    assert not is_gone(tags | {PROCESS: json.dumps(old)})
    assert is_gone(tags | {PROCESS: json.dumps(old | {"started": 1.0})})
    assert not is_gone(tags | {PROCESS: json.dumps(old | {"started": 1.0, "host": "another"})})


@pytest.mark.parametrize("facts", [{"host": "another"}, {"namespace": "pid:[1]"}, {"machine": "another"}])
def test_of_other_hosts_and_containers_nothing_is_known(facts: dict[str, object]) -> None:
    assert not is_gone(changed(pid=2**22 + 1) | changed(pid=2**22 + 1, **facts))


def test_another_machine_of_the_same_name_is_left_alone_however_silent() -> None:
    assert not is_gone(changed(machine="another", boot="its own") | {HEARTBEAT: "1000"}, now=1e9)


def test_a_machine_without_an_id_is_told_by_the_rest() -> None:
    assert is_gone(changed(machine="", ticks=1))


def test_the_machines_id_is_not_told(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content, known in (("0123456789abcdef0123456789abcdef\n", True), ("\n", False)):
        (tmp_path / "id").write_text(content)
        monkeypatch.setattr(liveness, "MACHINE", tmp_path / "id")
        found = liveness._place.__wrapped__()["machine"]
        assert bool(found) is known
        assert str(found) not in content or not known


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
