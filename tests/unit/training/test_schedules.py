"""Schedules, step by step against ``torch.optim.lr_scheduler``."""

import math
import warnings
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

from lorelab.training.schedules import Constant, Cosine, OneCycle, Step, WarmupCosine

CONF = Path(__file__).parents[3] / "conf" / "scheduler"
RATE = 0.3
TOTALS = [1, 2, 7, 100, 1003]


def sgd():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


def rates(make_scheduler, total):
    optimizer = sgd()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's SequentialLR calls its own deprecated argument
        scheduler, seen = make_scheduler(optimizer), []
        for _ in range(total):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if len(seen) < total:
                scheduler.step()
    return seen


def agree(schedule, make_scheduler, total):
    ours = [RATE * schedule(step, total) for step in range(total)]
    assert ours == pytest.approx(rates(make_scheduler, total), abs=1e-7)


def test_constant_is_one():
    assert {Constant()(step, 10) for step in range(10)} == {1.0}


@pytest.mark.parametrize("total", [10, 100, 1000])
def test_step_is_torchs_multi_step(total):
    milestones = [total // 10 * 3, total // 10 * 7, total // 10 * 9]
    agree(Step((0.3, 0.7, 0.9), gamma=0.2), lambda o: MultiStepLR(o, milestones, gamma=0.2), total)


@pytest.mark.parametrize("total", [4, 100])
def test_evenly_spaced_milestones_are_torchs_step(total):
    agree(Step((0.25, 0.5, 0.75), gamma=0.5), lambda o: StepLR(o, total // 4, gamma=0.5), total)


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("total", TOTALS)
def test_cosine_is_torchs_cosine_annealing(total, final):
    agree(Cosine(final), lambda o: CosineAnnealingLR(o, T_max=total, eta_min=final * RATE), total)


@pytest.mark.parametrize(("total", "warmup"), [(100, 0.05), (1003, 0.1), (20, 0.5)])
def test_warmup_cosine_is_torchs_sequence_of_linear_and_cosine(total, warmup):
    rising = round(warmup * total)

    def sequence(optimizer):
        first = LinearLR(optimizer, start_factor=0.01, end_factor=1.0, total_iters=rising)
        second = CosineAnnealingLR(optimizer, T_max=total - rising, eta_min=0.1 * RATE)
        return SequentialLR(optimizer, [first, second], milestones=[rising])

    agree(WarmupCosine(warmup, start=0.01, final=0.1), sequence, total)


def test_warmup_from_zero_by_hand():
    schedule = WarmupCosine(warmup=0.4, start=0.0, final=0.5)
    expected = [0, 0.25, 0.5, 0.75, 1, 0.75 + 0.25 * math.cos(math.pi / 6)]
    assert [schedule(step, 10) for step in range(6)] == pytest.approx(expected)


def test_warmup_of_nothing_is_the_cosine():
    assert [WarmupCosine(warmup=0.0)(s, 9) for s in range(9)] == [Cosine()(s, 9) for s in range(9)]


@pytest.mark.parametrize("peak_at", [0.1, 0.3, 0.75, 1.0])
@pytest.mark.parametrize("total", [2, 7, 100, 1003])
def test_one_cycle_is_torchs(total, peak_at):
    agree(
        OneCycle(peak_at, start=1 / 10, final=1 / 10 / 1000),
        lambda o: OneCycleLR(
            o, RATE, total_steps=total, pct_start=peak_at, div_factor=10, final_div_factor=1000, cycle_momentum=False
        ),
        total,
    )


def test_one_cycle_has_torchs_defaults():
    agree(OneCycle(), lambda o: OneCycleLR(o, RATE, total_steps=50, cycle_momentum=False), 50)


def test_one_cycle_survives_a_peak_that_falls_on_the_first_step():
    # torch divides zero by zero here.
    assert OneCycle(0.25)(0, 4) == 1.0
    assert OneCycle(1.0)(0, 1) == 1.0


EVERY = [Constant(), Step(), Cosine(0.1), WarmupCosine(0.1, 0.0, 0.2), OneCycle(0.0), OneCycle(), OneCycle(1.0)]


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
@pytest.mark.parametrize("total", TOTALS)
def test_every_factor_lies_within_zero_and_one_and_the_last_one_holds(schedule, total):
    factors = [schedule(step, total) for step in range(total + 1)]
    assert all(0.0 <= factor <= 1.0 + 1e-12 for factor in factors)
    assert schedule(total + 50, total) == factors[-1]


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
def test_every_schedule_drives_lambda_lr(schedule):
    assert rates(lambda o: LambdaLR(o, lambda step: schedule(step, 20)), 20) == pytest.approx(
        [RATE * schedule(step, 20) for step in range(20)]
    )


def test_progress_not_steps_decides():
    for schedule in (Step(), Cosine(), WarmupCosine(0.1)):
        assert schedule(60, 100) == pytest.approx(schedule(600, 1000))


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_config_states_the_defaults_of_the_class(path):
    built = instantiate(OmegaConf.load(path))
    assert built == type(built)()


def test_there_is_a_config_for_each_schedule():
    assert {path.stem for path in CONF.glob("*.yaml")} == {"constant", "step", "cosine", "warmup_cosine", "one_cycle"}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Step((0.75, 0.5)), r"Step: milestones=\[0.75, 0.5\], expected ascending fractions"),
        (lambda: Step((0.5, 0.5)), r"Step: milestones="),
        (lambda: Step((0.5, 30)), r"Step: milestones=\[0.5, 30\], expected .* fractions of the budget in \(0, 1\)"),
        (lambda: Step(gamma=0), r"Step: gamma=0, expected a number in \(0, 1\]"),
        (lambda: Cosine(1.5), r"Cosine: final=1.5, expected a factor in \[0, 1\]"),
        (lambda: Cosine(math.nan), r"Cosine: final=nan"),
        (lambda: WarmupCosine(warmup=500), r"WarmupCosine: warmup=500, expected a fraction of the budget in \[0, 1\)"),
        (lambda: WarmupCosine(start=-0.1), r"WarmupCosine: start=-0.1"),
        (lambda: WarmupCosine(final=2), r"WarmupCosine: final=2"),
        (lambda: OneCycle(peak_at=1.1), r"OneCycle: peak_at=1.1, expected a fraction of the budget in \[0, 1\]"),
        (lambda: OneCycle(start=25), r"OneCycle: start=25, expected a factor in \[0, 1\]"),
        (lambda: OneCycle(final=1e4), r"OneCycle: final=10000.0"),
        (lambda: Cosine()(0, 0), r"schedule: step=0 of total=0, expected .* total >= 1"),
        (lambda: Constant()(-1, 5), r"schedule: step=-1 of total=5, expected step >= 0"),
    ],
)
def test_values_out_of_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
