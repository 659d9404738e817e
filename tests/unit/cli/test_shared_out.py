"""How stacks are cut for workers."""

from types import SimpleNamespace

import pytest

from lorelab.cli import auto
from lorelab.cli.stacked_jobs import Group, shared_out


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        ([32], 100, [16, 16]),
        ([3], 100, [2, 1]),
        ([4], 100, [2, 2]),
        ([2], 100, [2]),
        ([32], 9, [8, 8, 8, 8]),
        ([3, 3, 3], 100, [3, 3, 3]),
        ([10, 10], 100, [10, 10]),
        ([32, 32], 100, [16, 16, 16, 16]),
        ([30, 10], 100, [10, 10, 10, 10]),
        ([64] * 12, 100, [64] * 10 + [32, 32] + [16] * 4),
        ([64] * 12, 40, [32] * 22 + [16] * 4),
    ],
)
def test_two_workers_are_about_equally_busy_with_stacks_as_large_as_can_be(sizes, most, expected) -> None:
    numbers = iter(range(sum(sizes)))
    found = list(shared_out([Group([next(numbers) for _ in range(size)], 2, most) for size in sizes]))
    assert sorted(map(len, found), reverse=True) == sorted(expected, reverse=True)
    assert [number for stack in found for number in stack] == list(range(sum(sizes)))


@pytest.mark.parametrize(
    ("sizes", "expected"), [([10, 10], [5, 5, 5, 5]), ([16, 4], [6, 5, 5, 4]), ([3, 3], [2, 1, 2, 1]), ([2], [2])]
)
def test_no_worker_of_four_is_left_without_work_for_the_size_of_stacks(sizes, expected) -> None:
    numbers = iter(range(sum(sizes)))
    found = list(shared_out([Group([next(numbers) for _ in range(size)], 4) for size in sizes]))
    assert sorted(map(len, found)) == sorted(expected)


@pytest.mark.parametrize(("gpus", "workers", "sharing"), [(0, 4, 1), (1, 4, 4), (2, 2, 1), (2, 3, 2)])
def test_workers_share_gpus_as_far_as_there_are_more_of_them(monkeypatch, gpus, workers, sharing) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    assert auto._sharing(SimpleNamespace(settings=SimpleNamespace(accelerator="auto")), workers) == sharing
