"""What a member of a stack needs, and how many fit."""

from functools import partial

import pytest
import torch
from alike import member

from lorelab.sweeps.footprint import budget, footprint, stack_size

PARAMETERS = 6 * 64 + 64 + 64 * 3 + 3
CPU = torch.device("cpu")


def test_parameters_count_as_often_as_they_are_held_and_the_optimisers_state_with_them() -> None:
    sizes = {
        name: footprint(member(width=64, optimizer=optimizer))
        for name, optimizer in (
            ("sgd", torch.optim.SGD),
            ("momentum", partial(torch.optim.SGD, momentum=0.9)),
            ("adam", torch.optim.Adam),
        )
    }
    assert sizes["momentum"] - sizes["sgd"] == 4 * PARAMETERS
    assert sizes["adam"] - sizes["momentum"] == pytest.approx(4 * PARAMETERS, abs=64)  # and a count of steps per tensor
    assert sizes["sgd"] > 6 * 4 * PARAMETERS


def test_what_a_loss_keeps_for_its_gradients_grows_with_depth_and_batch() -> None:
    small, deep = footprint(member(width=64)), footprint(member(width=64, depth=2))
    more = 6 * 4 * (64 * 64 + 64)  # the further layer's parameters, as often as they are held
    hidden = 4 * 10 * 64  # its output for ten examples
    assert deep - small - more >= 2 * hidden
    assert footprint(member(width=64, batch_size=20)) - small >= 2 * hidden


def test_measuring_leaves_no_trace() -> None:
    one, other = member(), member()
    torch.manual_seed(7)
    footprint(one)
    assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(7)))
    for mine, its in zip(one.learner.net.parameters(), other.learner.net.parameters(), strict=True):
        assert torch.equal(mine, its)
        assert mine.grad is None


def test_the_budget_is_what_is_asked_for_or_half_of_what_is_free() -> None:
    import psutil

    assert budget(1.5, CPU) == 1_500_000_000
    assert budget(None, CPU) == pytest.approx(psutil.virtual_memory().available / 2, rel=0.2)


def test_stacks_are_as_few_as_fit_and_of_about_one_size() -> None:
    assert stack_size(32, each=10, memory=320) == 32
    assert stack_size(32, each=10, memory=319) == 16, "not 31 and 1"
    assert stack_size(10, each=10, memory=45) == 4, "4, 4 and 2"
    assert stack_size(5, each=10, memory=15) == 1, "two do not fit"
    assert stack_size(5, each=10, memory=0) == 1
