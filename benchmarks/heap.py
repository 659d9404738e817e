"""What it saves that freed memory stays with the process: whole commands with ``lorelab.heap``, and without.

One thread; training, validation and test, no store, and the imports of each process (the first line), which lean the
ratios towards 1.
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from unittest import mock

from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.parts import missing_images
from benchmarks.whole import LORELAB, process

ROUNDS = 5
PLAIN = {"MALLOC_ARENA_TEST": "8"}
"""glibc's default on 64 bits; that it is set at all keeps ours away."""
IMAGES = "FashionMNIST"
FAMILIES = {
    "Fashion-MNIST MLP": (IMAGES, ("experiment=fashion_mnist_mlp", "trainer.max_epochs=3")),
    "Fashion-MNIST CNN": (
        IMAGES,
        ("experiment=fashion_mnist_cnn", "trainer.max_epochs=2", "data.limit_train=12000", "data.limit_test=4000"),
    ),
    "contrastive CNN, Fashion-MNIST": (
        IMAGES,
        ("experiment=contrastive_fashion_mnist", "trainer.max_epochs=null", "trainer.max_steps=60"),
    ),
    "character transformer": ("", ("experiment=help_topics", "trainer.max_steps=200")),
}


def train(overrides: tuple[str, ...], environment: dict[str, str]) -> Sample:
    with mock.patch.dict(os.environ, environment), tempfile.TemporaryDirectory(prefix="lorelab-bench-") as folder:
        own = ("trainer.threads=1", "tracker=none", "progress=quiet", f"paths.outputs={folder}")
        return process([*LORELAB, "train", *overrides, *own])


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """Families whose data are here."""
    found, notes = list[Comparison](), list[str]()
    for family, (data, overrides) in FAMILIES.items():
        if data and (reason := missing_images(data)):
            notes.append(f"{family}: {reason}")
            continue
        ways: dict[str, Way] = {
            "glibc's own ways": partial(train, overrides, PLAIN),
            "freed memory kept": partial(train, overrides, {}),
        }
        found.append(alternate(family, ways, rounds, threads=1, warm_up=False))
    return found, notes
