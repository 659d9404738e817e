"""A toy problem for task=nce: the standard normal density, whose log-likelihood nothing exceeds but by chance."""

import torch
from contract import ONE_HIDDEN_LAYER, configured, normal, toy_splits
from sklearn.metrics import accuracy_score, log_loss

from lorelab.data.views import NoisePoints
from lorelab.records import DataSpec
from lorelab.testing import Toy

SCALE = 5.0
NOISE = NoisePoints(ratio=1, scale=SCALE)
SPEC = DataSpec("cloud", "points", (2,), "none")


def reference(task, net, data):
    (points,) = data.val_dataloader()
    logits = net(points.inputs.flatten(0, 1)).squeeze(1)
    true = torch.tensor([1, 0]).repeat(len(points.inputs))
    return {
        "accuracy": accuracy_score(true, logits > 0),
        "loss": log_loss(true, logits.double().sigmoid()),
    }


TOYS = {
    "nce": Toy(
        task=configured(
            "nce",
            density={"_target_": "lorelab.data.densities.Mixture", "means": [[0, 0]], "stds": [1]},
            noise_ratio=1,
            noise_scale=SCALE,
            grid_size=64,
        ),
        splits=toy_splits(SPEC, normal(800, 2), lambda x: torch.zeros(len(x))),
        net=ONE_HIDDEN_LAYER,
        score=-3.0,  # the bound is -2.84
        predicts=(),
        reference=reference,
        augment=NOISE,
    )
}
