"""Each density integrates to 1, and its samples follow it."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from sklearn.datasets import make_moons

from lorelab.data.densities import Mixture, Moons, Rings, sampled
from lorelab.errors import DataError

DENSITIES = {
    "mixture": Mixture([[-2, 0], [1, 1.5]], stds=[0.5, 0.3], weights=[3, 1]),
    "rings": Rings([1.0, 2.5], width=0.2),
    "moons": Moons(noise=0.25, scale=1.5),
}
HALF, CELLS, FINE = 5.0, 20, 10  # a square that holds all the mass, coarse cells of the histogram, points in each


def cells(density):
    """Probability of each of the 20 × 20 cells of the square, by the midpoint rule on 10 × 10 points per cell."""
    size = CELLS * FINE
    centres = -HALF + 2 * HALF / size * (np.arange(size) + 0.5)
    x, y = np.meshgrid(centres, centres, indexing="ij")
    values = np.exp(density.log_prob(np.stack([x.ravel(), y.ravel()], axis=1))).reshape(CELLS, FINE, CELLS, FINE)
    return values.sum((1, 3)) * (2 * HALF / size) ** 2


def misfit(points, probabilities):
    """p-value of a chi-square test of the points' histogram; cells with fewer than 5 expected points are pooled."""
    edges = np.linspace(-HALF, HALF, CELLS + 1)
    counts = np.histogram2d(points[:, 0], points[:, 1], bins=(edges, edges))[0]
    expected = probabilities / probabilities.sum() * counts.sum()
    rare = expected < 5
    found = np.append(counts[~rare], counts[rare].sum())
    meant = np.append(expected[~rare], expected[rare].sum())
    return stats.chisquare(found, meant).pvalue


@pytest.fixture(params=DENSITIES)
def density(request):
    return DENSITIES[request.param]


def test_a_density_integrates_to_one(density):
    assert cells(density).sum() == pytest.approx(1, abs=1e-5)


def test_samples_follow_the_density_and_shifted_ones_are_found_out(density):
    points = density.sample(20_000, np.random.default_rng(0))
    probabilities = cells(density)
    assert points.shape == (20_000, 2)
    assert misfit(points, probabilities) > 0.001
    assert misfit(points + 0.05, probabilities) < 1e-6


def test_a_mixture_is_what_scipy_says():
    points = np.random.default_rng(0).normal(size=(50, 2))
    parts = [(0.75, [-2, 0], 0.5), (0.25, [1, 1.5], 0.3)]
    expected = sum(w * stats.multivariate_normal(mean, std**2).pdf(points) for w, mean, std in parts)
    np.testing.assert_allclose(DENSITIES["mixture"].log_prob(points), np.log(expected), rtol=1e-12)


def test_a_single_ring_at_its_crest_by_hand():
    value = Rings([2.0], width=0.1).log_prob(np.array([[0.0, 2.0], [0.0, 2.1]]))
    crest = -np.log(0.1 * np.sqrt(2 * np.pi)) - np.log(2 * np.pi * 2)
    np.testing.assert_allclose(value, [crest, crest - 0.5 - np.log(2.1 / 2)], rtol=1e-12)


def test_rings_are_equally_dense_unless_told_otherwise():
    rings = Rings([1.0, 3.0], width=0.1)
    at_one, at_three = rings.log_prob(np.array([[1.0, 0.0], [0.0, 3.0]]))
    assert at_one == pytest.approx(at_three)


def test_the_moons_quadrature_agrees_with_adaptive_integration():
    moons = Moons(noise=0.1, scale=2.0)  # the narrowest kernel allowed

    def pdf(x, y):
        def kernel(t, lower):
            cx, cy = (1 - np.cos(t), 0.5 - np.sin(t)) if lower else (np.cos(t), np.sin(t))
            cx, cy = 2 * (cx - 0.5), 2 * (cy - 0.25)
            return np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.02) / (0.02 * np.pi)

        arcs = (
            integrate.quad(kernel, 0, np.pi, args=(lower,), epsabs=0, epsrel=1e-12, limit=400)[0]
            for lower in (False, True)
        )
        return sum(arcs) / (2 * np.pi)

    points = np.array([[0.0, 0.0], [-1.0, 1.5], [1.2, -0.4], [-3.1, -0.7]])
    np.testing.assert_allclose(np.exp(moons.log_prob(points)), [pdf(*point) for point in points], rtol=1e-9)


def test_moons_lie_where_scikit_learn_puts_them():
    theirs, _ = make_moons(400, noise=None)
    ours, centre = Moons(noise=0.05, scale=1.0), np.array([0.5, 0.25])
    assert ours.log_prob(theirs - centre).min() > -1.5  # on an arc: about log 1 / (2π · 0.05 √(2π))
    assert ours.log_prob(theirs + centre).mean() < -20


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture([[0, 0]], stds=[1, 2]), r"means of shape \(1, 2\) with 2 stds"),
        (lambda: Mixture([[0, 0]], stds=[0]), "stds=.*expected positive"),
        (lambda: Mixture([[0, 0]], stds=[1], weights=[-1]), "weights=.*expected 1 positive"),
        (lambda: Rings([0.3], width=0.1), "at least 4 widths"),
        (lambda: Moons(noise=0.04), "at least scale / 20"),
    ],
)
def test_impossible_shapes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_splits_are_drawn_from_streams_of_their_own():
    one = sampled(DENSITIES["rings"], train=100, val=50, test=60)
    two = sampled(DENSITIES["rings"], train=200, val=50, test=60)
    assert [len(split) for split in (one.train, one.val, one.test)] == [100, 50, 60]
    assert torch.equal(one.val.inputs, two.val.inputs)
    assert torch.equal(one.test.inputs, two.test.inputs)
    assert not set(map(tuple, one.train.inputs.tolist())) & set(map(tuple, one.val.inputs.tolist()))
    assert one.spec.name == "rings"
    assert (one.spec.input_kind, one.spec.target_kind, one.spec.input_shape) == ("points", "none", (2,))
    assert torch.equal(one.train.targets, torch.zeros(100))


def test_the_split_seed_draws_the_points_and_the_fingerprint_knows():
    draw = lambda seed: sampled(DENSITIES["moons"], 50, 20, 20, split_seed=seed)  # noqa: E731
    assert torch.equal(draw(1).train.inputs, draw(1).train.inputs)
    assert draw(1).record.fingerprint == draw(1).record.fingerprint != draw(2).record.fingerprint


def test_limiting_takes_a_subset_of_the_training_points():
    whole, part = (sampled(DENSITIES["mixture"], 100, 20, 20, limit_train=limit) for limit in (None, 10))
    assert len(part.train) == 10
    assert set(map(tuple, part.train.inputs.tolist())) < set(map(tuple, whole.train.inputs.tolist()))
    assert torch.equal(part.test.inputs, whole.test.inputs)


def test_a_split_without_points_is_refused():
    with pytest.raises(DataError, match=r"'val': 0.*expected at least 2 in each split"):
        sampled(DENSITIES["mixture"], val=0)
