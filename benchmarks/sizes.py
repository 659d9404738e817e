"""How many runs to stack: what a step costs each of N runs that are trained as one, against a run alone.

The steps alone, from N = 1 to 256: batches, loss, gradients, optimiser; each member with its own seed and batches.
What is beside the steps (evaluations, store, files) is each run's own however it is trained: ``stacked`` has all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.parts import ACCELERATOR, Run, own_threads
from benchmarks.stacked import FAMILIES, of_those_here
from lorelab.config.build import keeping_data
from lorelab.sweeps.timing import step_alone, step_stacked
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.stacked import Member

ROUNDS = 5
THREADS = 1
SIZES: Mapping[str, Sequence[int]] = {
    "Fashion-MNIST CNN": (2, 4, 8),
    "character transformer": (2, 4, 8, 16),
}
"""Where larger ones are slow already on a CPU; elsewhere up to 256."""
MOST = (2, 4, 8, 16, 32, 64, 128, 256)
QUANTITY = "a step, for each run"


def members(overrides: Sequence[str], count: int) -> list[Member]:
    """Runs that differ in their seed."""
    found = []
    with keeping_data():
        for seed in range(count):
            run = Run([*overrides, f"trainer.accelerator={ACCELERATOR}", f"seed={seed}"])
            parts = run.parts
            found.append(Member(parts.learner, parts.data, parts.settings, MemoryTracker(), run.start, seed=seed))
    return found


def alone(member: Member) -> Sample:
    return {QUANTITY: step_alone(member)}


def stacked(some: Sequence[Member]) -> Sample:
    return {QUANTITY: step_stacked(some).of(len(some)) / len(some)}


def compare(family: str, rounds: int) -> Comparison:
    """All sizes of one family, alternating."""
    own_threads(THREADS)
    sizes = MOST if ACCELERATOR != "cpu" else SIZES.get(family, MOST)
    made = members(FAMILIES[family], max(sizes))
    ways: dict[str, Way] = {"one run alone": partial(alone, made[0])}
    ways |= {f"{size} stacked": partial(stacked, made[:size]) for size in sizes}
    return alternate(f"steps of N runs as one, {family}", ways, rounds, threads=THREADS)


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """Families whose data are here."""
    return of_those_here(lambda family: compare(family, rounds))
