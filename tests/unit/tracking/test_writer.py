"""The queue between training and the store."""

import threading

from lorelab.tracking.writer import BatchWriter


def test_everything_is_written_in_order_and_in_bounded_batches() -> None:
    batches: list[list[int]] = []
    writer = BatchWriter(batches.append, wait=5.0, size=100)
    for item in range(1234):
        writer.put(item)
    assert writer.close(timeout=10.0)
    assert [item for batch in batches for item in batch] == list(range(1234))
    assert max(map(len, batches)) <= 100


def test_items_are_written_after_the_wait_without_a_full_batch_or_a_close() -> None:
    written = threading.Event()
    writer = BatchWriter(lambda batch: written.set(), wait=0.01, size=500)
    writer.put("point")
    assert written.wait(timeout=10.0)
    writer.close(timeout=10.0)


def test_putting_does_not_wait_for_a_store_that_hangs() -> None:
    let_go, batches = threading.Event(), []

    def hang(batch: list[int]) -> None:
        let_go.wait(timeout=30.0)
        batches.append(batch)

    writer = BatchWriter(hang, wait=0.0, size=10)
    for item in range(1000):
        writer.put(item)
    assert not batches
    assert not writer.close(timeout=0.05), "it must say that not all is written"
    let_go.set()
    assert writer.close(timeout=10.0), "a second call goes on waiting"
    assert sum(map(len, batches)) == 1000


def test_who_gives_up_waiting_takes_back_what_was_not_handed_on() -> None:
    began, let_go, written = threading.Event(), threading.Event(), []

    def hang(batch: list[int]) -> None:
        began.set()
        let_go.wait(timeout=30.0)
        written.extend(batch)

    writer = BatchWriter(hang, wait=0.0, size=1)
    for item in range(5):
        writer.put(item)
    assert began.wait(timeout=10.0)
    assert not writer.close(timeout=0.05)
    assert writer.take_back() == [1, 2, 3, 4]
    let_go.set()
    assert writer.close(timeout=10.0)
    assert written == [0]


def test_an_error_is_kept_and_the_next_batch_is_tried() -> None:
    written: list[str] = []

    def write(batch: list[str]) -> None:
        if "bad" in batch:
            raise ValueError("refused")
        written.extend(batch)

    writer = BatchWriter(write, wait=0.0, size=1)
    for item in ("first", "bad", "last"):
        writer.put(item)
    assert writer.close(timeout=10.0)
    assert written == ["first", "last"]
    assert [str(error) for error in writer.errors] == ["refused"]
