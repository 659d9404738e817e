"""What a frozen representation is worth: k nearest neighbours and a linear probe, fitted on training data alone."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lorelab.tasks.precision import precise
from lorelab.tasks.protocol import Net

_CHUNK = 1024


def extract(net: Net, inputs: Tensor) -> Tensor:
    """``net.features`` of ``inputs`` ``(N, ...)``, in pieces: ``(N, F)``, at least float32."""
    with torch.no_grad():
        features = torch.cat([net.features(part).flatten(1) for part in inputs.split(_CHUNK)])
    return precise(features)


def knn_accuracy(train: Tensor, train_labels: Tensor, held: Tensor, held_labels: Tensor, k: int) -> float:
    """Accuracy on ``held`` ``(M, F)`` of the majority among the ``k`` nearest of ``train`` ``(N, F)`` by cosine.

    Every neighbour has one vote; of classes with equal votes the lowest wins, as in scikit-learn.
    """
    bank = F.normalize(train, dim=-1)
    classes = int(torch.cat([train_labels, held_labels]).max()) + 1
    right = 0
    for part, labels in zip(F.normalize(held, dim=-1).split(_CHUNK), held_labels.split(_CHUNK), strict=True):
        neighbours = (part @ bank.T).topk(min(k, len(bank)), dim=-1).indices
        votes = F.one_hot(train_labels[neighbours], classes).sum(1)
        right += int((votes.argmax(-1) == labels).sum())
    return right / len(held)


def probe_accuracy(train: Tensor, train_labels: Tensor, held: Tensor, held_labels: Tensor, l2: float) -> float:
    """Accuracy on ``held`` of scikit-learn's multinomial logistic regression on standardised ``train``.

    It minimises mean cross-entropy plus ``l2 / 2`` times the squared weights, so that ``l2`` means the same for few
    examples as for many. At most 1,000 steps of L-BFGS to a tolerance of 1e-3 in the gradient.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1 / (l2 * len(train)), max_iter=1000, tol=1e-3))
    probe.fit(train.cpu().numpy(), train_labels.cpu().numpy())
    return float(probe.score(held.cpu().numpy(), held_labels.cpu().numpy()))


def calibrated(net: nn.Module, inputs: Tensor) -> Any:
    """A copy of an untrained ``net``, ready to be compared with a trained one: on the device and in the precision of
    ``inputs`` ``(N, ...)``, in evaluation mode, its batch norms with the statistics of ``inputs``."""
    fresh = copy.deepcopy(net).to(inputs.device, inputs.dtype).eval()
    norms = [module for module in fresh.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the pieces
        norm.train()
    if norms:
        extract(fresh, inputs)  # type: ignore[arg-type]
    return fresh.eval()
