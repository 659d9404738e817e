"""The identities that studies claim, evaluated and held against what is known of them by other means."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional as F

from lorelab import identities
from lorelab.identities.likelihood import _optimum_squared
from lorelab.identities.losses import DAMPING
from lorelab.paths import CONF
from lorelab.studies.judge import SEED
from lorelab.studies.reading import parse
from lorelab.studies.spec import Identity
from lorelab.studies.verdict import decide_exact


def declared() -> list[Identity]:
    """Every exact claim of ``conf/study``."""
    files = sorted((CONF / "study").glob("*.yaml"))
    studies = [parse(file.stem, yaml.safe_load(file.read_text()), "laptop", str(file)) for file in files]
    return [each for study in studies for each in study.identities if each.function.startswith("lorelab.identities.")]


@pytest.mark.parametrize("identity", declared(), ids=lambda each: each.name)
@pytest.mark.parametrize("seed", [SEED, 1])
def test_it_holds_to_its_tolerances_and_not_only_to_those(identity: Identity, seed: int) -> None:
    evidence = getattr(identities, identity.function.rpartition(".")[2])(seed)
    assert decide_exact(evidence.deviations, identity.tolerances).verdict == "supported"
    assert all(math.isfinite(number) for number in evidence.numbers.values())
    far = {name: 0.9 * float(np.max(found)) for name, found in evidence.deviations.items()}
    assert decide_exact(evidence.deviations, far).verdict == "refuted"
    again = getattr(identities, identity.function.rpartition(".")[2])(seed)
    assert all(np.array_equal(again.deviations[name], found) for name, found in evidence.deviations.items())


def test_all_of_them_are_claimed_by_a_study() -> None:
    assert {each.function.rpartition(".")[2] for each in declared()} == set(identities.__all__)


def test_gradients_of_two_classes_by_hand() -> None:
    # p = 3/4: −log p has −1/4, 1 − p has p times it, (1 − p)² has 2p(1 − p) times it.
    p = torch.tensor(0.75)
    by_hand = {"cross_entropy": -1 / 4, "one_minus_p": -3 / 16, "one_minus_p_squared": -3 / 32}
    assert {name: float(damping(p) * (p - 1)) for name, damping in DAMPING.items()} == pytest.approx(by_hand)


def test_the_n_at_which_products_vanish_are_those_of_exact_arithmetic() -> None:
    numbers = identities.likelihood_underflow(0).numbers
    for name, smallest in (("float32", Fraction(1, 2**149)), ("float64", Fraction(1, 2**1074))):
        assert (
            numbers[f"n at which a product of likelihoods 0.5 is zero, {name}"]
            == {"float32": 150, "float64": 1075}[name]
        )
        for p in (
            0.5,
            0.1,
            0.01,
        ):  # half the smallest number rounds to zero; near it products are rounded by up to half
            exact = next(n for n in range(1, 2000) if Fraction(p) ** n <= smallest / 2)
            assert abs(numbers[f"n at which a product of likelihoods {p:g} is zero, {name}"] - exact) <= 1


def test_the_product_ends_in_the_picture_and_the_sum_goes_on() -> None:
    (plot,) = identities.likelihood_underflow(0).plots
    ends = {trace.series: sum(math.isfinite(y) for y in trace.y) for trace in plot.traces}
    assert ends["product, float32"] < ends["product, float64"] < ends["sum of logarithms"] == len(plot.traces[0].x)


def test_what_minimises_the_squared_loss_beats_its_neighbours() -> None:
    for q in torch.tensor([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.5, 0.5, 0.0]], dtype=torch.float64):
        best = _optimum_squared(q)
        assert best.sum() == pytest.approx(1.0)
        others = torch.distributions.Dirichlet(torch.ones(3, dtype=torch.float64)).sample((2000,))
        assert (q * (1 - others) ** 2).sum(-1).min() >= (q * (1 - best) ** 2).sum() - 1e-12


def test_an_offset_that_differs_between_classes_is_seen() -> None:
    # What the identity does not say: only a common offset is invisible.
    logits = torch.randn(5, 3, dtype=torch.float64)
    assert (F.softmax(logits + torch.tensor([0.0, 0.0, 1.0]), -1) - F.softmax(logits, -1)).abs().max() > 0.01


def test_decay_shrinks_the_offset_and_no_decay_leaves_it() -> None:
    (plot,) = identities.weight_decay_removes_offset(0).plots
    ends = {trace.series: trace.y[-1] for trace in plot.traces}
    assert ends["offset, without decay"] == pytest.approx(1.0)
    assert ends["offset, weight decay 0.1"] == pytest.approx(0.99**300)
    assert ends["differences, weight decay 0.1"] != pytest.approx(0.99**300, rel=0.1)
