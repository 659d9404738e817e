"""Toy problems for task=regression, one per loss: a plane, in units far from the standardised ones."""

import math

import torch
from contract import ONE_HIDDEN_LAYER, Shaken, configured, normal, toy_splits
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from lorelab.records import DataSpec
from lorelab.testing import Toy

MEAN, STD = 10.0, 3.0
SPEC = DataSpec("plane", "points", (2,), "real", target_mean=MEAN, target_std=STD)


def reference(task, net, data):
    held = data.held("val")
    true, predicted = held.targets * STD + MEAN, task.predict(net, held.inputs)
    return {
        "rmse": math.sqrt(mean_squared_error(true, predicted)),
        "mae": mean_absolute_error(true, predicted),
        "r2": r2_score(true, predicted),
    }


TOYS = {
    f"regression-{loss}": Toy(
        task=configured("regression", loss=loss),
        splits=toy_splits(SPEC, normal(600, 2), lambda x: x @ torch.tensor([0.6, -0.8])),
        net=ONE_HIDDEN_LAYER,
        score=0.6,
        predicts=(),
        reference=reference,
        augment=Shaken(),
    )
    for loss in ("mse", "mae", "huber")
}
