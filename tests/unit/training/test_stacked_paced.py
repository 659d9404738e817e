"""Trackers that write in turn."""

from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.stacked_paced import Pace, PacedTracker

RECORD = RunRecord("id", "run", RunStatus.FINISHED, "val/loss", "min")


def opened(pace: Pace) -> PacedTracker:
    tracker = PacedTracker(MemoryTracker(), pace)
    tracker.start(RunStart("run", {}, {"a": "b"}))
    return tracker


def test_points_wait_for_the_end_and_come_in_their_order() -> None:
    tracker = opened(Pace(own=60.0))
    tracker.log({"x": 1.0, "y": 2.0}, 1)
    tracker.log({"x": 3.0}, 2)
    assert tracker.inner.points == []
    tracker.tag({"c": "d"})
    assert tracker.inner.tags == {"a": "b", "c": "d"}
    tracker.finish(RECORD)
    assert tracker.inner.points == [("x", 1.0, 1), ("y", 2.0, 1), ("x", 3.0, 2)]
    assert tracker.inner.record == RECORD


def test_one_of_many_writes_at_a_time() -> None:
    pace = Pace(own=0.0, between=60.0)
    first, second = opened(pace), opened(pace)
    for tracker in (first, second):
        tracker.log({"x": 1.0}, 1)
    assert [tracker.inner.points for tracker in (first, second)] == [[("x", 1.0, 1)], []]
    pace.between = 0.0
    second.log({"x": 2.0}, 2)
    assert second.inner.points == [("x", 1.0, 1), ("x", 2.0, 2)]
    second.finish(RECORD)
    assert len(second.inner.points) == 2, "nothing is written twice"
