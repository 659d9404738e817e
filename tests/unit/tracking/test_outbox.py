"""What a store does not take waits on disk in order, and reaches it once."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorelab.errors import StoreError
from lorelab.tracking import delivery
from lorelab.tracking.delivery import Delivery, Undelivered
from lorelab.tracking.items import End, File, Point, Tags, Text
from lorelab.tracking.outbox import Outbox

ABOUT = {"run_id": "r", "uri": "u"}


def points(first: int, last: int) -> list[Point]:
    return [Point("loss", float(step), step, step) for step in range(first, last)]


def test_items_come_back_as_they_were_in_their_order(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "r")
    assert not box
    items = [Point("a", float("inf"), 1, 2), Tags({"k": "ü"}), Text("x\ny", "t.txt"), End("FINISHED", 9)]
    box.keep(items[:2], ABOUT)
    box.keep(items[2:], ABOUT)
    assert bool(box)
    assert box.items() == items
    assert box.about() == ABOUT
    box.replace(items[3:])
    assert box.items() == items[3:]
    box.replace([])
    assert not box.folder.exists()


def test_files_are_copied_because_the_run_removes_its_own(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "own" / name).write_text(name)
    box = Outbox(tmp_path / "r")
    box.keep([File(tmp_path / "own" / "a.txt", "f"), File(tmp_path / "own", "")], ABOUT)
    for name in ("a.txt", "b.txt"):
        (tmp_path / "own" / name).unlink()
    one, folder = box.items()
    assert (one.path.read_text(), one.folder) == ("a.txt", "f")
    assert {path.name for path in folder.path.iterdir()} == {"a.txt", "b.txt"}
    box.replace([folder])
    assert box.items() == [folder], "a copy is not copied again"


def test_a_line_that_a_power_cut_left_half_written_is_left_out(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "r")
    box.keep(points(0, 3), ABOUT)
    path = tmp_path / "r" / "items.jsonl"
    path.write_text(path.read_text()[:-9])
    assert box.items() == points(0, 2)


class Store:
    """Takes items while ``there``, else none; or all but files."""

    def __init__(self) -> None:
        self.there, self.taken, self.tries = True, [], 0

    def __call__(self, items):
        self.tries += 1
        if self.there:
            self.taken += items
            return Undelivered()
        return Undelivered(away=list(items), reason="gone")


@given(moments=st.lists(st.booleans(), max_size=12))
def test_everything_arrives_once_and_in_order_however_the_store_comes_and_goes(tmp_path_factory, moments) -> None:
    store = Store()
    hand = Delivery(store, Outbox(tmp_path_factory.mktemp("box") / "r"), ABOUT)
    hand._pause = 0.0
    for number, there in enumerate(moments):
        store.there = there
        hand(points(5 * number, 5 * number + 5))
    store.there = True
    hand([], now=True)
    assert store.taken == points(0, 5 * len(moments))
    assert not hand.waiting


def test_a_store_that_is_away_is_not_asked_at_every_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(delivery.time, "monotonic", lambda: clock[0])
    store = Store()
    store.there = False
    hand = Delivery(store, Outbox(tmp_path / "r"), ABOUT)
    for second in range(200):
        clock[0] = float(second)
        hand(points(second, second + 1))
    assert 5 <= store.tries <= 9  # after 5, 10, 20, 40, 60 s
    assert hand.outbox.items() == points(0, 200)
    assert hand.reason == "gone"


def test_what_cannot_even_be_kept_is_held_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args):
        raise OSError(28, "No space left on device")

    store = Store()
    store.there = False
    hand = Delivery(store, Outbox(tmp_path / "r"), ABOUT)
    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "keep", full)
        hand(points(0, 3))
        hand(points(3, 5))
    assert hand.held == 5
    store.there = True
    hand([], now=True)
    assert store.taken == points(0, 5)
    assert (hand.held, hand.waiting) == (0, False)


def test_a_line_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "r")
    box.keep(points(0, 3), ABOUT)
    path = tmp_path / "r" / "items.jsonl"
    path.write_text(path.read_text()[:-9])
    box.keep(points(3, 5), ABOUT)
    assert box.items() == [*points(0, 2), *points(3, 5)]


def test_a_file_that_is_gone_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "r")
    box.keep([File(tmp_path / "gone.txt", ""), *points(0, 2)], ABOUT)
    assert box.items() == points(0, 2)


def test_what_a_sink_raises_loses_nothing(tmp_path: Path) -> None:
    store, broken = Store(), [True]

    def sink(items):
        if broken.pop():
            raise ValueError("unforeseen")
        broken.append(False)
        return store(items)

    broken.insert(0, False)
    hand = Delivery(sink, Outbox(tmp_path / "r"), ABOUT)
    hand(points(0, 3))
    assert hand.held == 3
    hand(points(3, 4), now=True)
    assert store.taken == points(0, 4)


def test_what_a_sink_that_hangs_has_in_hand_is_kept_once_it_is_given_up(tmp_path: Path) -> None:
    store, hangs, let_go = Store(), threading.Event(), threading.Event()

    def sink(items):
        hangs.set()
        let_go.wait(30)
        return store(items)

    hand = Delivery(sink, Outbox(tmp_path / "r"), ABOUT)
    thread = threading.Thread(target=hand, args=[points(0, 3)])
    thread.start()
    assert hangs.wait(10)
    hand.give_up("hangs")
    hand(points(3, 5), now=True)
    assert hand.outbox.items() == points(0, 5)
    let_go.set()
    thread.join()
    assert hand.outbox.items() == points(0, 5), "an answer that comes too late changes nothing on disk"
    assert (hand.held, hand.reason) == (0, "hangs")


def test_an_outbox_is_one_processs_at_a_time(tmp_path: Path) -> None:
    run, other = Outbox(tmp_path / "r"), Outbox(tmp_path / "r")
    run.keep(points(0, 2), ABOUT)
    with pytest.raises(StoreError, match=r"r: in use .*: its run is still going on, or another `lorelab sync`"):
        other.lock()
    with pytest.raises(StoreError, match="in use"):
        other.keep(points(2, 3), ABOUT)
    run.unlock()
    other.lock()
    hand = Delivery(Store(), run, ABOUT)
    hand.sink.there = False
    hand(points(2, 4))
    assert hand.held == 2, "held in memory while somebody else delivers"
    other.replace([])
    assert not run.folder.exists()
    hand([], now=True)
    assert (hand.held, hand.outbox.items()) == (0, points(2, 4))


def test_a_process_that_dies_leaves_no_lock(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from lorelab.tracking.outbox import Outbox
Outbox(Path({str(tmp_path / "r")!r})).keep([], {{}})
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    Outbox(tmp_path / "r").lock()
