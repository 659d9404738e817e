"""NCE is binary classification whose optimum is the log-density ratio; judged against a density that is known."""

import math

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from scipy import stats

from lorelab.data.densities import Mixture
from lorelab.data.views import NoisePoints
from lorelab.errors import LorelabError
from lorelab.records import Batch, DataSpec
from lorelab.tasks.fields import grid, log_integral
from lorelab.tasks.nce import NCE, gaussian_log_likelihood

DATA = DataSpec("mixture", "points", (2,), "none")
DENSITY = Mixture([[-1, 0], [1.5, 1]], stds=[0.6, 0.5], weights=[2, 1])


def make(**arguments):
    return NCE(**{"data": DATA, "density": DENSITY, "noise_ratio": 3, "noise_scale": 2.0} | arguments)


def draw(n, seed=0):
    points = torch.from_numpy(DENSITY.sample(n, np.random.default_rng(seed)))
    return Batch(points, torch.zeros(n))


def log_noise(x, scale=2.0):
    return torch.from_numpy(stats.multivariate_normal([0, 0], scale**2).logpdf(x.numpy()))


def optimum(x, offset=0.0):
    """The net no training can better: the true log-density ratio."""
    return (torch.from_numpy(DENSITY.log_prob(x.double().numpy())) - log_noise(x.double()) + offset).unsqueeze(-1)


def with_noise(n, ratio=3, seed=0):
    batch = draw(n, seed)
    return Batch(NoisePoints(ratio, 2.0)(batch.inputs, torch.Generator().manual_seed(seed)), batch.targets)


def test_the_loss_is_the_textbook_formula():
    batch = with_noise(50)
    h = torch.sigmoid(optimum(batch.inputs.flatten(0, 1)).view(50, 4) - math.log(3))
    expected = -(h[:, 0].log().sum() + (1 - h[:, 1:]).log().sum()) / 200
    assert make().loss(optimum, batch).item() == pytest.approx(expected.item(), abs=1e-9)


def gradient_at(offset, ratio=3, n=100_000):
    """Of the loss in directions ``1, x₁, x₂, x₁x₂`` of the logit, from its optimum plus ``offset``."""
    weights = torch.zeros(4, dtype=torch.float64, requires_grad=True)

    def net(x):
        directions = torch.stack([torch.ones(len(x), dtype=x.dtype), x[:, 0], x[:, 1], x[:, 0] * x[:, 1]], dim=1)
        return optimum(x, offset) + (directions @ weights).unsqueeze(-1)

    make(noise_ratio=ratio).loss(net, with_noise(n, ratio)).backward()
    return weights.grad


@pytest.mark.parametrize("ratio", [1, 3])
def test_at_the_true_log_ratio_the_loss_is_stationary_and_nowhere_near_it(ratio):
    assert gradient_at(0.0, ratio).abs().max() < 0.004  # sampling error: 1 / sqrt(100,000) = 0.003, times a slope < 1
    assert gradient_at(0.5, ratio).abs().max() > 0.02
    assert gradient_at(-0.5, ratio).abs().max() > 0.02


def test_a_perfect_net_has_the_true_likelihood_and_no_distance():
    task, held = make(), draw(4000, seed=1)
    found = task.judge(optimum, draw(4000), held, "test")
    truth = DENSITY.log_prob(held.inputs.numpy()).mean()
    assert found["log_likelihood"] == pytest.approx(truth, abs=1e-4)
    assert found["true_log_likelihood"] == pytest.approx(truth, abs=1e-9)
    assert found["kl"] == pytest.approx(0, abs=1e-4)
    assert found["log_density_rmse"] == pytest.approx(0, abs=1e-4)
    assert found["log_normaliser"] == pytest.approx(0, abs=1e-4)
    assert found["gaussian_log_likelihood"] < truth - 0.2


def test_a_constant_in_the_logit_changes_the_raw_likelihood_alone():
    task, held = make(), draw(500, seed=1)
    plain = task.judge(optimum, draw(500), held, "test")
    shifted = task.judge(lambda x: optimum(x, offset=0.7), draw(500), held, "test")
    assert shifted.pop("raw_log_likelihood") == pytest.approx(plain.pop("raw_log_likelihood") + 0.7)
    assert shifted.pop("log_normaliser") == pytest.approx(plain.pop("log_normaliser") + 0.7)
    assert shifted == pytest.approx(plain)


def test_a_net_that_says_nothing_models_the_noise():
    held = draw(500, seed=1)
    found = make().judge(lambda x: torch.zeros(len(x), 1), draw(500), held, "val")
    expected = log_noise(held.inputs).mean().item()
    truth = DENSITY.log_prob(held.inputs.numpy()).mean()
    assert found["log_likelihood"] == pytest.approx(expected, abs=1e-5)
    assert found["kl"] == pytest.approx(truth - expected, abs=1e-5)
    assert set(found) == {"log_likelihood", "raw_log_likelihood", "kl", "log_density_rmse"}


def test_the_prediction_is_the_log_density():
    x = draw(20).inputs
    torch.testing.assert_close(make().predict(optimum, x), torch.from_numpy(DENSITY.log_prob(x.numpy())))


def test_the_gaussian_baseline_is_scipys():
    train, held = draw(300).inputs.numpy(), draw(200, seed=1).inputs.numpy()
    reference = stats.multivariate_normal(train.mean(0), np.cov(train.T, bias=True)).logpdf(held).mean()
    assert gaussian_log_likelihood(*map(torch.from_numpy, (train, held))) == pytest.approx(reference, abs=1e-9)


def test_accuracy_is_the_share_told_apart():
    task = make(noise_ratio=1)
    points = torch.tensor([[[1.0, 0], [-1.0, 0]], [[-1.0, 0], [-2.0, 0]]])  # "true" where x₁ > 0: 3 of 4 are right
    metrics = task.metrics()
    task.evaluate(lambda x: x[:, :1], Batch(points, torch.zeros(2)), metrics)
    assert metrics.compute()["accuracy"].item() == pytest.approx(3 / 4)


def test_the_grid_integrates_a_gaussian_to_one():
    places = grid(half_width=8.0, size=64)
    assert places.shape == (4096, 2)
    assert log_integral(log_noise(places.double(), scale=1.0), 8.0) == pytest.approx(0, abs=1e-6)
    assert log_integral(torch.full((4096,), 2.0), 8.0) == pytest.approx(2 + math.log(256))


def test_both_fields_are_drawn_side_by_side_once(tmp_path):
    task, batch = make(grid_size=64), draw(500)
    task.illustrate(optimum, batch, "val", 10, tmp_path)
    assert not list(tmp_path.iterdir())
    task.illustrate(optimum, batch, "test", 10, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["densities.png"]
    picture = imread(tmp_path / "densities.png")
    height, width = picture.shape[:2]
    assert width > 1.5 * height
    assert len(np.unique(picture[height // 2, : width // 2], axis=0)) > 20
    assert len(np.unique(picture[height // 2, width // 2 : int(0.85 * width)], axis=0)) > 20


def test_points_without_noise_are_refused_with_the_augmentation_to_use():
    with pytest.raises(LorelabError, match=r"shape \(5, 2\), expected \(B, 4, 2\).*augment=noise"):
        make().loss(optimum, draw(5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise_ratio": 0}, "noise_ratio=0"),
        ({"noise_scale": 0.0}, "noise_scale=0.0"),
        ({"grid_size": 1}, "grid_size=1"),
        ({"monitor": "val/raw_log_likelihood"}, "not measured by this task"),
        ({"data": DataSpec("solid", "points", (3,), "none")}, r"shape \(3,\), expected points of shape \(2,\)"),
        ({"data": DataSpec("rows", "table", (2,), "none")}, "holds 'table' inputs"),
    ],
)
def test_values_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_mass_that_a_model_puts_outside_the_noise_is_counted():
    """With narrow noise a net may claim any density on points that no generated point comes near."""
    density = Mixture([[0.0, 0.0], [6.0, 0.0]], [0.3, 0.3])
    data = DataSpec("far", "points", (2,), "none")
    task = NCE(data, density, noise_ratio=1, noise_scale=0.5)

    def boastful(points):  # ten nats more than the truth where no noise is
        true = torch.from_numpy(density.log_prob(points.double().numpy())).float()
        base = -0.5 * points.square().sum(-1) / 0.25 - math.log(2 * math.pi * 0.25)
        return (true - base + 10.0 * (points[:, 0] > 3)).unsqueeze(-1)

    rng = np.random.default_rng(0)
    points = torch.from_numpy(np.concatenate([rng.normal([c, 0], 0.3, (500, 2)) for c in (0.0, 6.0)])).float()
    held = Batch(points, torch.zeros(len(points)))
    found = task.judge(boastful, held, held, "test")
    assert found["log_likelihood"] < found["true_log_likelihood"]
    assert found["kl"] > 0


def test_cells_are_halved_until_the_integral_stands():
    density = Mixture([[0.0, 0.0]], [0.05])
    task = NCE(DataSpec("sharp", "points", (2,), "none"), density, noise_ratio=1, noise_scale=4.0, grid_size=64)

    def exact(points):
        true = torch.from_numpy(density.log_prob(points.double().numpy())).float()
        return (true + 0.5 * points.square().sum(-1) / 16 + math.log(2 * math.pi * 16)).unsqueeze(-1)

    assert task._log_normaliser(exact, torch.zeros(1, 2)) == pytest.approx(0.0, abs=0.02)
