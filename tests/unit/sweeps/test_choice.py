"""Which way of training several runs is chosen, from times given by hand."""

from dataclasses import replace

import pytest

from lorelab.sweeps.choice import Measured, Way, choose, share_out

START = 10.0
SMALL = Measured(steps=1000, alone=0.001, worker=0.001, stacked=0.004, beside=0.5, size=32, start=START)
"""A run alone takes 1.5 s; a stack of 32 takes 4 s for its steps and 16 s for the rest."""


def test_each_way_is_reckoned_from_steps_and_what_is_beside_them() -> None:
    choice = choose(SMALL, runs=32, workers=2)
    assert choice.expected == pytest.approx({Way.PLAIN: 32 * 1.5, Way.STACKED: 4 + 16, Way.WORKERS: START + 16 * 1.5})
    assert choice.way is Way.STACKED
    assert str(choice).startswith("stacked (expected: one by one 48.0 s, stacked 20.0 s, by workers ")


def test_more_stacks_than_one_take_their_steps_one_after_the_other() -> None:
    assert choose(replace(SMALL, size=8), runs=32, workers=1).expected[Way.STACKED] == pytest.approx(4 * 4 + 16)
    assert choose(replace(SMALL, size=31), runs=32, workers=1).expected[Way.STACKED] == pytest.approx(2 * 4 + 16)


def test_workers_are_chosen_where_stacking_loses_and_the_runs_are_long_enough_to_start_them() -> None:
    slow = Measured(steps=1000, alone=0.05, worker=0.06, stacked=4.0, beside=1.0, size=32, start=START)
    assert choose(slow, runs=32, workers=2).way is Way.WORKERS
    assert choose(slow, runs=32, workers=1).way is Way.PLAIN
    short = replace(SMALL, stacked=None)
    assert choose(short, runs=4, workers=2).way is Way.PLAIN, "six seconds are over before a worker has begun"
    assert choose(short, runs=32, workers=2).way is Way.WORKERS


def test_what_saves_less_than_a_tenth_is_not_worth_it() -> None:
    even = Measured(steps=1000, alone=0.01, worker=0.01, stacked=0.0198, beside=0.0, size=2, start=START)
    assert choose(even, runs=2, workers=1).way is Way.PLAIN
    assert choose(replace(even, stacked=0.015), runs=2, workers=1).way is Way.STACKED
    assert choose(replace(even, stacked=0.017), runs=2, workers=1).way is Way.PLAIN, "a stack must promise a fifth"


def test_one_run_is_trained_by_itself() -> None:
    assert choose(SMALL, runs=1, workers=8).expected.keys() == {Way.PLAIN}


def test_a_stack_that_would_go_on_for_long_without_checkpoints_is_not_chosen() -> None:
    hours = replace(SMALL, steps=1_000_000)
    choice = choose(hours, runs=32, workers=2)
    assert choice.way is Way.WORKERS
    assert "stacked 1:06:56 but too long without checkpoints" in str(choice)
    minutes = choose(replace(SMALL, steps=200_000), runs=32, workers=2)
    assert minutes.way is Way.STACKED
    assert "without" not in str(minutes)


def test_members_of_a_stack_may_cost_less_beside_their_steps_and_workers_more_in_a_crowd() -> None:
    measured = replace(SMALL, beside_stacked=0.2, crowding=1.4)
    found, before = choose(measured, runs=32, workers=2).expected, choose(SMALL, runs=32, workers=2).expected
    assert found[Way.PLAIN] == before[Way.PLAIN]
    assert found[Way.STACKED] == pytest.approx(4 + 32 * 0.2)
    assert found[Way.WORKERS] - START == pytest.approx(1.4 * (before[Way.WORKERS] - START))


def test_stacks_by_workers_share_the_runs_and_crowd_each_other() -> None:
    spread = replace(SMALL, spread=0.002, spread_size=16, beside_stacked=0.4, crowding=1.1, start=1.0)
    choice = choose(spread, runs=32, workers=2)
    assert choice.expected[Way.SPREAD] == pytest.approx(1 + 1.1 * (2 + 16 * 0.4))
    assert choice.way is Way.SPREAD
    assert str(choice).startswith("stacked by workers (expected: ")
    assert choose(replace(spread, spread_size=8), runs=32, workers=2).expected[Way.SPREAD] == pytest.approx(
        1 + 1.1 * (2 * 2 + 16 * 0.4)
    )
    assert Way.SPREAD not in choose(spread, runs=32, workers=1).expected
    assert choose(replace(spread, start=20.0), runs=32, workers=2).way is Way.STACKED


def test_a_worker_s_stack_keeps_no_checkpoints_either() -> None:
    long = replace(SMALL, steps=300_000, spread=0.0025, spread_size=16)
    choice = choose(long, runs=32, workers=2)
    assert choice.way is Way.SPREAD, "750 s without one, not 1200"
    assert choice.risky == {Way.STACKED}
    assert choose(replace(long, spread=0.01), runs=32, workers=2).risky == {Way.STACKED, Way.SPREAD}


def test_kinds_that_are_like_the_first_are_shared_out_where_that_saves_a_tenth() -> None:
    measured = replace(SMALL, crowding=1.2, spread=0.0025, spread_size=16)
    first = choose(measured, runs=32, workers=2)
    shared = share_out(first, measured, 32, workers=2, kinds=5)
    assert shared is not None
    assert shared.way is Way.SHARED
    assert shared.expected[Way.SHARED] == pytest.approx(START + 1.2 * 5 * (2 * 2.5 + 16) / 2)
    assert shared.expected[Way.PLAIN] == pytest.approx(5 * 32 * 1.5)
    assert share_out(first, measured, 32, workers=2, kinds=1.5) is None, "28.9 s in place of 30"
    assert share_out(first, replace(measured, crowding=2.0), 32, workers=2, kinds=100) is None, "one core, not two"
    alone = replace(measured, stacked=None, spread=None, worker=0.0015)
    assert share_out(choose(alone, 32, 2), alone, 32, workers=2, kinds=5).expected[Way.SHARED] == pytest.approx(
        START + 1.2 * 5 * 32 * 2.0 / 2
    )
