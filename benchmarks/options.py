"""What fused optimisers, ``torch.compile`` and channels-last do to a step of the hand-written loop, on this machine.

Lorelab's optimiser presets are fused because of the first. The second also shows what it costs once: the first step.
"""

from __future__ import annotations

import copy
from functools import partial
from shutil import which
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.optim import Adam

from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.bare import shared_batches, step_by_step
from benchmarks.parts import Run, missing_images, own_threads
from benchmarks.step import Case
from lorelab.records import Batch

ROUNDS = 5
THREADS = 1


CASES = (
    Case("digits MLP (64-64-64-10, batch 32)", ("experiment=digits_mlp", "trainer.max_epochs=8"), 39),
    Case(
        "Fashion-MNIST CNN (batch 128)",
        ("experiment=fashion_mnist_cnn", "trainer.max_steps=40", "data.limit_train=10000", "data.limit_test=500"),
        10,
        needs="FashionMNIST",
    ),
    Case("character transformer", ("experiment=help_topics", "trainer.max_steps=40"), 10),
)


def train(run: Run, warm_up: int, *, fused: bool = True, compiled: bool = False, channels_last: bool = False) -> Sample:
    """Forward, backward, step by Adam, for the budget of ``run``."""
    net, task, batches = copy.deepcopy(run.parts.learner.net), run.parts.learner.task, shared_batches(run)
    if channels_last:
        net = net.to(memory_format=torch.channels_last)
    optimizer = Adam(net.parameters(), lr=1e-3, fused=fused)
    called = torch.compile(net) if compiled else net

    def loss_of(batch: Batch) -> Tensor:
        inputs = batch.inputs.to(memory_format=torch.channels_last) if channels_last else batch.inputs
        return task.loss(called, Batch(inputs, batch.targets))  # type: ignore[arg-type]

    begun = perf_counter()
    step_by_step(loss_of, optimizer, batches, 1)
    first = perf_counter() - begun
    batches.epochs.clear()
    step_by_step(loss_of, optimizer, batches, run.total_steps)
    return dict(batches.sample(warm_up)) | {"first step": first}


def ways(run: Run, case: Case) -> dict[str, Way]:
    """As Lorelab trains (fused), and with one thing changed each."""
    one = partial(partial, train, run, case.warm_up)
    found: dict[str, Way] = {"fused": one(), "not fused": one(fused=False)}
    if any(isinstance(layer, nn.Conv2d) for layer in run.parts.learner.net.modules()):
        found["fused, channels-last"] = one(channels_last=True)
    if which("g++"):
        found["fused, compiled"] = one(compiled=True)
    return found


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """All cases whose data are there; compiled ways where there is a compiler."""
    done, notes = list[Comparison](), list[str]()
    for case in CASES:
        reason = missing_images(case.needs) if case.needs else None
        if reason:
            notes.append(f"{case.title}: {reason}")
            continue
        own_threads(THREADS)
        run = Run(["trainer.accelerator=cpu", *case.overrides])
        done.append(alternate(case.title, ways(run, case), rounds, threads=THREADS))
    return done, notes + ([] if which("g++") else ["torch.compile: skipped, it needs g++ on a CPU"])
