"""Identities that studies claim to be exact. Each evaluates itself on random inputs drawn from a seed, in float64 and
float32, against code that trains (``lorelab.tasks``, ``torch``), and says how far off it was."""

from lorelab.identities.contrast import infonce_is_cross_entropy, nce_is_binary_cross_entropy, nce_recovers_the_ratio
from lorelab.identities.likelihood import likelihood_underflow, proper_scoring
from lorelab.identities.losses import loss_gradients
from lorelab.identities.softmax import head_redundancy, softmax_offset, weight_decay_removes_offset

__all__ = [
    "head_redundancy",
    "infonce_is_cross_entropy",
    "likelihood_underflow",
    "loss_gradients",
    "nce_is_binary_cross_entropy",
    "nce_recovers_the_ratio",
    "proper_scoring",
    "softmax_offset",
    "weight_decay_removes_offset",
]
