"""Times of a step, measured without a trace."""

import pytest
import torch
from alike import member

from lorelab.sweeps import timing
from lorelab.sweeps.timing import Work, crowding, evaluation_stacked, step_alone, step_stacked, work


def members(count: int = 2):
    return [member(seed=seed) for seed in range(count)]


def test_steps_alone_and_stacked_take_time_and_leave_no_trace() -> None:
    some, others, threads = members(), members(), torch.get_num_threads()
    torch.manual_seed(7)
    assert 0 < step_alone(some[0], threads=2) < 1
    assert 0 < step_stacked(some).of(2) < 1
    assert 0 < work(some[0]).evaluation < 1
    assert 0 < evaluation_stacked(some, 0.01) < 1
    assert 1 <= crowding(2) <= 2
    assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(7)))
    assert torch.get_num_threads() == threads
    for mine, its in zip(some, others, strict=True):
        assert mine.data.trainer is None
        assert mine.learner._trainer is None
        for tensor, other in zip(mine.learner.net.parameters(), its.learner.net.parameters(), strict=True):
            assert torch.equal(tensor, other)


def test_members_that_diverge_at_once_are_timed_all_the_same() -> None:
    wild = [member(seed=seed, lr=1e30) for seed in range(2)]
    assert 0 < step_alone(wild[0]) < 1
    assert 0 < step_stacked(wild).of(2) < 1
    assert 0 < work(wild[0]).evaluation < 1
    assert 0 < evaluation_stacked(wild, 0.01) < 1
    assert evaluation_stacked(wild, 7.0) == 7.0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_epochs": 3}, (12, 3, 0)),
        ({"max_epochs": 3, "check_val_every_n_epoch": 2}, (12, 2, 0)),
        ({"max_epochs": 3, "accumulate_grad_batches": 2}, (6, 3, 0)),
        ({"max_epochs": 3, "val_check_interval": 2}, (12, 6, 0)),
        ({"max_steps": 2}, (2, 1, 0)),
        ({"max_steps": 2, "test": True}, (2, 1, 1)),
    ],
)
def test_the_work_of_a_run_is_read_off_its_settings(settings, expected) -> None:
    found: Work = work(member(**({"max_epochs": None, "test": False} | settings)))
    assert (found.steps, found.evaluations, found.test) == expected
    assert found.evaluating == pytest.approx((found.evaluations + found.test) * found.evaluation)


def test_a_step_of_many_is_reckoned_from_those_of_two_and_of_a_few(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(timing, "_stacked", lambda some: asked.append(len(some)) or 0.01 + 0.02 * len(some))
    assert step_stacked(members(8)).of(8) == pytest.approx(0.17)
    assert asked == [2, 8]
    assert step_stacked(members(8)).of(32) == pytest.approx(0.65)
    assert step_stacked([member(accumulate_grad_batches=3) for _ in range(2)]).of(2) == pytest.approx(3 * 0.05)
    asked.clear()
    monkeypatch.setattr(timing, "_stacked", lambda some: asked.append(len(some)) or 0.3)
    assert step_stacked(members(8)).of(8) == pytest.approx(1.2)
    assert asked == [2], "two were slow enough"
