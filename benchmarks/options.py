"""What fused optimisers, ``torch.compile`` and channels-last do to a step of the hand-written loop, on this machine.

Lorelab's optimiser presets are fused because of the first. The second also shows what it costs once: the first step.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from shutil import which
from time import perf_counter

import torch
from torch.optim import Adam, Optimizer

from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.bare import TimedBatches, shared_batches
from benchmarks.parts import Run, missing_images, own_threads
from lorelab.records import Batch

ROUNDS = 5
THREADS = 1


@dataclass(frozen=True)
class Case:
    """A preset, shortened; ``warm_up`` steps are not counted."""

    title: str
    overrides: Sequence[str]
    warm_up: int
    images: bool = False
    needs: str | None = None


CASES = (
    Case("digits MLP (64-64-64-10, batch 32)", ("experiment=digits_mlp", "trainer.max_epochs=8"), 39),
    Case(
        "Fashion-MNIST CNN (batch 128)",
        ("experiment=fashion_mnist_cnn", "trainer.max_steps=40", "data.limit_train=10000", "data.limit_test=500"),
        10,
        images=True,
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
    begun = perf_counter()
    _steps(called, task, optimizer, batches, 1, channels_last)
    first = perf_counter() - begun
    batches.epochs.clear()
    _steps(called, task, optimizer, batches, run.total_steps, channels_last)
    return dict(batches.sample(warm_up)) | {"first step": first}


def _steps(net, task, optimizer: Optimizer, batches: TimedBatches, total: int, channels_last: bool) -> None:  # type: ignore[no-untyped-def]
    step = 0
    while step < total:
        for batch in batches:
            inputs = batch.inputs.to(memory_format=torch.channels_last) if channels_last else batch.inputs
            loss = task.loss(net, Batch(inputs, batch.targets))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step == total:
                return


def ways(run: Run, case: Case) -> dict[str, Way]:
    """As Lorelab trains (fused), and with one thing changed each."""
    one = partial(partial, train, run, case.warm_up)
    found: dict[str, Way] = {"fused": one(), "not fused": one(fused=False)}
    if case.images:
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
