import math

import pytest

from lorelab.pages.page import picture
from lorelab.sweeps.curve import best, draw, edge, responses
from lorelab.sweeps.trials import Trial, TrialRun, TrialStatus


def trial(number: int, rate: float, seed: int, value: float | None) -> Trial:
    """A run at one rate; None: it diverged."""
    params = {"optimizer.lr": f"{rate:g}", "seed": str(seed)}
    if value is None:
        return Trial(number, TrialStatus.DIVERGED, params, value=-math.inf)
    run = TrialRun("id", "run", seed, "finished", value, 1.0, 10, metrics={"test/accuracy": value - 0.1})
    return Trial(number, TrialStatus.FINISHED, params, value=value, runs=(run,))


def trials(table: dict[float, list[float | None]]) -> list[Trial]:
    runs = [(rate, seed, value) for rate, values in table.items() for seed, value in enumerate(values)]
    return [trial(number, rate, seed, value) for number, (rate, seed, value) in enumerate(runs)]


CURVE = {1.0: [0.5, None], 0.01: [0.7, 0.9], 0.1: [0.9, 0.9], 10.0: [None, None]}


def test_rates_come_in_order_with_mean_and_student_interval() -> None:
    low, *_ = responses(trials(CURVE))
    assert [each.rate for each in responses(trials(CURVE))] == [0.01, 0.1, 1.0, 10.0]
    assert low.mean == pytest.approx(0.8)
    # sd 0.1414, standard error 0.1, t with one degree of freedom at 97.5 %: 12.706
    assert (low.low, low.high) == (pytest.approx(0.8 - 1.2706, abs=1e-3), pytest.approx(0.8 + 1.2706, abs=1e-3))


def test_diverged_runs_are_counted_and_leave_the_mean_alone() -> None:
    one, ten = responses(trials(CURVE))[2:]
    assert (one.scores, one.diverged, one.mean) == ((0.5,), 1, 0.5)
    assert (ten.scores, ten.diverged, math.isnan(ten.mean)) == ((), 2, True)


def test_a_test_metric_takes_the_place_of_the_score() -> None:
    assert responses(trials(CURVE), "test/accuracy")[1].mean == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (CURVE, 1.0),
        ({0.1: [0.9, 0.9], 1.0: [0.5, 0.6]}, None),
        ({0.1: [None, None], 1.0: [0.5, 0.6], 10.0: [None, 0.1]}, 10.0),  # a lone failure below is no edge
        ({0.1: [0.9, 0.9, None], 1.0: [None, None, 0.1]}, 1.0),
    ],
)
def test_the_edge_is_the_rate_from_which_on_half_of_the_seeds_diverge(
    table: dict[float, list[float | None]], expected: float | None
) -> None:
    assert edge(responses(trials(table))) == expected


def test_the_best_rate_is_one_at_which_nothing_diverged_if_there_is_one() -> None:
    curve = responses(trials({0.1: [0.8, 0.8], 1.0: [0.99, None]}))
    assert best(curve, "maximize").rate == 0.1
    assert best(curve, "minimize").rate == 0.1
    assert best(responses(trials({1.0: [0.99, None]})), "maximize").rate == 1.0
    assert best(responses(trials({1.0: [None]})), "maximize") is None


def test_the_picture_shows_every_run_the_best_rate_and_the_edge() -> None:
    runs = trials(CURVE)
    drawn = picture(draw("accuracy", "val/accuracy", responses(runs), runs, "maximize"))
    assert drawn.count('class="cross"') == 3
    assert "best 0.1" in drawn
    assert "diverges" in drawn
    assert "trial 1, seed 1" in drawn
