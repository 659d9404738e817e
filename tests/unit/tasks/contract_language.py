"""A toy problem for task=language: nine times in ten each letter is followed by the next one of the alphabet, else by
any other. That costs 0.669 bits, and no model pays less but by chance."""

import math
from functools import partial

import torch
from contract import configured, toy_splits
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

from lorelab.nets.charmlp import CharMLP
from lorelab.records import DataSpec
from lorelab.testing import Toy

SPEC = DataSpec("counting", "text", (6,), "token", num_classes=5, vocabulary=tuple("abcde"))


def reference(task, net, data):
    held = data.held("val")
    probabilities = task.predict(net, held.inputs).flatten(0, 1).double()
    probabilities /= probabilities.sum(1, keepdim=True)
    nats = log_loss(held.targets.flatten(), probabilities, labels=range(5))
    return {
        "loss": nats,
        "bits_per_character": nats / math.log(2),
        "perplexity": math.exp(nats),
        "accuracy": accuracy_score(held.targets.flatten(), probabilities.argmax(1)),
    }


def windows(count: int) -> torch.Tensor:
    """Rows of six tokens, no two equal."""
    numbers = torch.randperm(5**6, generator=torch.Generator().manual_seed(0))[:count]
    return numbers[:, None] // 5 ** torch.arange(6) % 5


def mostly_next(letters: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    slips = torch.rand(letters.shape, generator=generator) < 0.1
    return (letters + 1 + slips * torch.randint(1, 5, letters.shape, generator=generator)) % 5


TOYS = {
    "language": Toy(
        task=configured("language", sample_length=20),
        splits=toy_splits(SPEC, windows(600), mostly_next),
        net=partial(CharMLP, head=nn.Linear, reach=2, embedding=8, width=32, dropout=0.1),
        score=0.8,
        predicts=(6, 5),
        reference=reference,
    )
}
