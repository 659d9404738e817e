import io
import re

from lorelab.records import RunRecord, RunStatus
from lorelab.training.progress import ProgressLine, clock

RECORD = RunRecord("id", "digits-s0", RunStatus.FINISHED, "val/accuracy", "max", score=0.9876, steps=100, seconds=65.2)


def shown(mode: str) -> str:
    stream = io.StringIO()
    line = ProgressLine(mode, stream)  # type: ignore[arg-type]
    line.start("digits-s0", 100)
    line._interval = 0.0
    line.update({"train/loss": 0.5, "lr": 0.1, "val/recall/one": 0.3}, 50)
    line.finish(RECORD)
    return stream.getvalue()


def test_piped_output_is_plain_lines_without_control_characters() -> None:
    lines = shown("auto").splitlines()
    assert lines[0] == "digits-s0: 100 steps"
    assert re.match(r"digits-s0   50%  step 50/100  \S+ s left  train/loss 0.5", lines[1])
    assert "recall" not in lines[1]
    assert lines[2] == "digits-s0: finished  val/accuracy 0.9876  100 steps  1:05"
    assert "\r" not in shown("plain")


def test_a_terminal_gets_one_line_that_is_rewritten() -> None:
    text = shown("line")
    assert text.count("\n") == 1
    assert text.count("\r\x1b[2K") == 2


def test_quiet_says_nothing() -> None:
    assert shown("quiet") == ""


def test_a_diverged_run_says_where() -> None:
    stream = io.StringIO()
    line = ProgressLine("plain", stream)
    line.finish(RunRecord("id", "r", RunStatus.DIVERGED, "val/loss", "min", diverged_at=17))
    assert "r: diverged at step 17" in stream.getvalue()


def test_times_are_short() -> None:
    assert [clock(s) for s in (2.04, 59.9, 61, 3661)] == ["2.0 s", "59.9 s", "1:01", "1:01:01"]
