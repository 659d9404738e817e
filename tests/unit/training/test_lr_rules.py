"""The rules of the range test, on curves whose answer is known."""

import numpy as np
import pytest

from lorelab.training.lr_rules import has_diverged, smooth, suggest

STEPS, WINDOW = 200, 10.0
RATES = np.geomspace(1e-6, 10, STEPS)
STEEPEST, EDGE = 1e-3, 0.1


def curve(noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A fall from 2.3 to 0.5, steepest at 1e-3 over log rate, that turns at an edge of 0.1; normal noise on it."""
    fall = 1.8 / (1 + (STEEPEST / RATES) ** 2.5)
    rise = np.expm1(6 * np.maximum(0, np.log10(RATES / EDGE)))
    return 2.3 - fall + rise + noise * np.random.default_rng(seed).normal(size=STEPS)


def until_diverged(losses: np.ndarray) -> int | None:
    taken = (n for n in range(1, len(losses) + 1) if diverged(losses[:n]))
    return next(taken, None)


def diverged(losses: np.ndarray) -> bool:
    return has_diverged(losses, steps=STEPS, window=WINDOW, factor=4.0)


def read(losses: np.ndarray):
    count = until_diverged(losses)
    return suggest(RATES[:count], losses[:count], steps=STEPS, window=WINDOW, diverged=count is not None)


def test_the_average_is_the_moving_one_corrected_for_its_start_as_in_adam() -> None:
    losses, beta, moving = np.random.default_rng(0).normal(size=30), 0.9, 0.0
    for step, (loss, averaged) in enumerate(zip(losses, smooth(losses, 10), strict=True), start=1):
        moving = beta * moving + (1 - beta) * loss
        assert averaged == pytest.approx(moving / (1 - beta**step))
    assert smooth([2.0, float("nan"), float("inf")], 10).tolist() == [2, 2, 2]


def test_on_a_smooth_curve_each_rule_gives_what_it_names() -> None:
    found = read(curve())
    assert found.rates["steepest"] == pytest.approx(STEEPEST, rel=0.3)
    assert found.rates["minimum/10"] == pytest.approx(EDGE / 10, rel=0.3)
    # Without noise it falls from the twentieth step, the first that is read, to the edge.
    assert found.rates["valley"] == pytest.approx(np.sqrt(RATES[20] * EDGE), rel=0.3)
    assert found.chosen == sorted(found.rates.values())[1]


def test_the_valley_is_the_middle_of_the_longest_fall_whatever_interrupts_it() -> None:
    losses = np.full(STEPS, 3.0)
    losses[80:121] = np.linspace(3, 1, 41)
    losses[95:97] = 2.9  # a bump
    losses[121:] = np.linspace(1.2, 40, 79)
    found = suggest(RATES, losses, steps=STEPS, window=1.0, diverged=True)
    assert found.rates["valley"] == pytest.approx(RATES[100], rel=0.1)


@pytest.mark.parametrize(("noise", "apart"), [(0.1, 2), (0.3, 3), (1.0, 15)])
def test_noise_moves_the_suggestion_little_and_never_past_the_edge(noise: float, apart: float) -> None:
    chosen = [read(curve(noise, seed)).chosen for seed in range(25)]
    assert sum(rate is not None for rate in chosen) >= 24
    assert all(STEEPEST / apart < rate < STEEPEST * apart < EDGE for rate in chosen if rate is not None)


def test_a_smaller_batch_at_the_end_of_each_epoch_leads_no_rule_astray() -> None:
    # As of InfoNCE, whose loss is the logarithm of the batch's size before anything is learned.
    smaller = np.where(np.arange(STEPS) % 10 == 9, 1.2, 0.0)
    found, alone = read(curve(0.05) - smaller), read(curve(0.05))
    for name, rate in alone.rates.items():
        assert rate / 2.5 < found.rates[name] < rate * 2.5, name


def test_losses_that_only_scatter_suggest_nothing_and_do_not_diverge() -> None:
    for seed in range(25):
        losses = 2.3 + np.random.default_rng(seed).normal(size=STEPS)
        assert until_diverged(losses) is None
        found = read(losses)
        assert found.chosen is None
        assert found.rates == {}
        assert "within its noise" in found.reason
        assert "raise --end" in found.reason


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (curve()[:100], r"still falls at a rate of 0.003, the end of the range: raise --end"),
        (2.3 + np.exp(np.arange(STEPS) / 8.0), r"rises from the start of the range on: lower --start"),
        (np.full(STEPS, 2.3), r"falls by 0, within its noise \(2.7e-07\): raise --end"),
        (np.array([2.3] * 9 + [float("nan")]), r"diverged within 10 steps: lower --start"),
    ],
)
def test_a_curve_without_a_valley_is_told_what_it_lacks(losses: np.ndarray, reason: str) -> None:
    ended = diverged(losses) or not np.isfinite(losses[-1])
    found = suggest(RATES[: len(losses)], losses, steps=STEPS, window=WINDOW, diverged=ended)
    assert found.chosen is None
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(found.reason)


def test_rules_that_contradict_each_other_choose_nothing() -> None:
    # A cliff at once, then a plain that sinks by a hair to its lowest point at the far end.
    losses = np.concatenate([np.full(24, 9.0), np.linspace(1, 0.999, 160), np.linspace(2, 99, 16)])
    found = suggest(RATES, losses, steps=STEPS, window=1.0, diverged=True)
    assert found.chosen is None
    assert "more than a factor of ten apart" in found.reason
    low, middle, high = sorted(found.rates.values())
    assert middle / low > 10 < high / middle


def test_one_hard_batch_near_a_loss_of_zero_is_no_divergence_and_a_climb_is() -> None:
    fallen = np.concatenate([np.full(40, 2.3), np.geomspace(2.3, 1e-3, 60), np.full(20, 1e-3)])
    assert smooth([*fallen, 0.5], WINDOW)[-1] > 4 * smooth(fallen, WINDOW).min()  # the factor alone is exceeded
    assert not diverged(np.append(fallen, 0.5))
    assert diverged(np.append(fallen, [2.0] * 12))


def test_losses_below_zero_diverge_upwards_only() -> None:
    falling = np.linspace(-1, -5, 100)
    assert not diverged(falling)
    assert not diverged(np.append(falling, [-4.0] * 30))
    assert diverged(np.append(falling, [40.0] * 30))
