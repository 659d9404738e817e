"""Heads: the last part of a net, from features ``(..., F)`` to logits ``(..., K)``, never to probabilities.

A head is built as ``head(in_features, out_features)``. The linear ones are ``torch.nn.Linear`` itself, see
``conf/model/head/``. All draw their first weights in the same order, so linear, bias-free and cosine heads of one
seed start from the same matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lorelab.nets.activations import activation as build_activation

HeadFactory = Callable[[int, int], nn.Module]
"""``(in_features, out_features) -> head``: what ``conf/model/head/*.yaml`` builds."""


class CosineHead(nn.Module):
    """Cosine between the features and one weight vector per output, over a temperature: within ±1 / temperature.

    Method: "normalised softmax", Zhai & Wu 2019 (arXiv:1811.12649). A learned temperature is stored as its
    logarithm, starts at ``temperature`` and is not clamped. Raises ``ValueError`` unless ``temperature`` is positive.
    """

    def __init__(
        self, in_features: int, out_features: int, temperature: float = 0.1, learn_temperature: bool = False
    ) -> None:
        super().__init__()
        if not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(f"CosineHead: temperature={temperature}, expected a positive number such as 0.1")
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        # As nn.Linear draws its weight. Only the directions matter here.
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        log_temperature = torch.tensor(math.log(temperature))
        if learn_temperature:
            self.log_temperature = nn.Parameter(log_temperature)
        else:
            # A buffer, so that a checkpoint carries the scale of its logits.
            self.register_buffer("log_temperature", log_temperature)

    def forward(self, features: Tensor) -> Tensor:
        """``(..., F)`` to ``(..., K)``."""
        cosine = F.linear(F.normalize(features, dim=-1), F.normalize(self.weight, dim=-1))
        return cosine * torch.exp(-self.log_temperature)


class PrejudicedHead(nn.Linear):
    """Linear, but before it learns it gives one class the probability ``confidence``, whatever it reads: confidently
    wrong about every example of the others.

    The class is drawn after the weights, which are those of a linear head of the same seed, and its bias is raised by
    log(confidence / (1 − confidence) · (K − 1)): exact where all other logits are equal. Raises ``ValueError`` unless
    ``confidence`` is between 0 and 1.
    """

    def __init__(self, in_features: int, out_features: int, confidence: float = 0.999) -> None:
        super().__init__(in_features, out_features)
        if not 0 < confidence < 1:
            raise ValueError(f"PrejudicedHead: confidence={confidence}, expected a probability between 0 and 1")
        favourite = torch.randint(out_features, ())
        raised = math.log(confidence / (1 - confidence) * max(1, out_features - 1))
        with torch.no_grad():
            self.bias.add_(raised * (torch.arange(out_features) == favourite))


class MLPHead(nn.Module):
    """Two layers: linear, activation, linear; the projection head of contrastive learning, too.

    ``hidden_features``: width between the two; None: as wide as the features.
    """

    def __init__(
        self, in_features: int, out_features: int, hidden_features: int | None = None, activation: str = "relu"
    ) -> None:
        super().__init__()
        width = in_features if hidden_features is None else hidden_features
        if width < 1:
            raise ValueError(f"MLPHead: hidden_features={hidden_features}, expected at least 1 (or null)")
        self.hidden = nn.Linear(in_features, width)
        self.activation = build_activation(activation)
        self.output = nn.Linear(width, out_features)

    def forward(self, features: Tensor) -> Tensor:
        """``(..., F)`` to ``(..., K)``."""
        out: Tensor = self.output(self.activation(self.hidden(features)))
        return out
