"""A toy problem for task=contrastive: two quiet columns tell the class, four loud ones nothing, and views differ in
these alone. Neighbours among raw rows, or among an untrained net's features, are neighbours by the loud ones."""

from functools import partial

import torch
from contract import configured, toy_splits
from sklearn.metrics import accuracy_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from lorelab.data.views import TwoViews
from lorelab.nets.heads import MLPHead
from lorelab.nets.mlp import MLP
from lorelab.records import DataSpec
from lorelab.testing import Toy

K, LOUD = 5, 4
SPEC = DataSpec("rows", "table", (2 + LOUD,), "class", num_classes=2)


class OtherNoise:
    """Fresh values in the loud columns."""

    accepts_inputs = frozenset({"table"})

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        return torch.cat([rows[:, :2], noise(len(rows), generator)], dim=1)


def noise(count: int, generator: torch.Generator) -> Tensor:
    return 5 * torch.randn(count, LOUD, generator=generator)


def rows(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    angles = 2 * torch.pi * torch.rand(count, generator=generator)
    return torch.cat([torch.stack([angles.cos(), angles.sin()], dim=1), noise(count, generator)], dim=1)


def reference(task, net, data):
    train, held = data.held("train"), data.held("val")
    neighbours = KNeighborsClassifier(K, metric="cosine").fit(task.predict(net, train.inputs), train.targets)
    (views,) = data.val_dataloader()
    likeness = cosine_similarity(net(views.inputs.flatten(0, 1)))
    likeness[range(len(likeness)), range(len(likeness))] = -1
    partners = [index + 1 if index % 2 == 0 else index - 1 for index in range(len(likeness))]
    return {
        "knn_accuracy": neighbours.score(task.predict(net, held.inputs), held.targets),
        "pair_accuracy": accuracy_score(partners, likeness.argmax(1)),
    }


TOYS = {
    "contrastive": Toy(
        task=configured("contrastive", temperature=0.1, k=K),
        splits=toy_splits(SPEC, rows(800), lambda x: (x[:, 0] > 0).long()),
        net=partial(MLP, head=MLPHead, width=32, depth=1, dropout=0.1),
        score=0.9,
        predicts=(32,),
        reference=reference,
        augment=TwoViews([OtherNoise()]),
    )
}
