"""A sweep of 32 digits MLPs, eight learning rates by four seeds: one by one against all of them as one."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from time import perf_counter

from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.parts import own_threads
from lorelab.config.build import Parts, build
from lorelab.config.describe import describe, resolved
from lorelab.config.overrides import compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.paths import ROOT
from lorelab.records import RunStart
from lorelab.tracking.memory import MemoryTracker
from lorelab.tracking.mlflow_tracker import MLflowTracker
from lorelab.tracking.protocol import Tracker
from lorelab.training.fit import fit
from lorelab.training.learner import Learner
from lorelab.training.progress import ProgressLine
from lorelab.training.provenance import capture
from lorelab.training.stacked import Member, fit_stacked

ROUNDS = 5
THREADS = 1
RATES, SEEDS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1), range(4)
OVERRIDES = ("experiment=digits_mlp", "trainer.accelerator=cpu")
QUIET = ProgressLine("quiet")
Built = list[tuple[Parts, RunStart, int, dict[str, object]]]


def built(overrides: tuple[str, ...]) -> Built:
    """One run of each seed; each way trains copies of the nets, at every rate."""
    register_resolvers()
    runs: Built = []
    provenance = capture(ROOT)
    for seed in SEEDS:
        (composed,) = compose_all([*overrides, f"seed={seed}"])
        parts = build(composed.cfg, composed.origin)
        start = describe(composed.cfg, composed.origin, provenance, parts.data.splits.record, code="benchmark")
        runs.append((parts, start, seed, resolved(composed.cfg)))
    return runs


def members(runs: Built, tracker: Callable[[], Tracker]) -> Iterator[Member]:
    for rate, (parts, start, seed, config) in product(RATES, runs):
        it = parts.learner
        optimizer = partial(it.make_optimizer, lr=rate)
        learner = Learner(copy.deepcopy(it.net), it.task, optimizer, it.schedule, it.class_names)
        yield Member(learner, copy.copy(parts.data), parts.settings, tracker(), start, seed=seed, config=config)


def one_by_one(runs: Built, tracker: Callable[[], Tracker]) -> Sample:
    own_threads(THREADS)
    begun = perf_counter()
    for each in members(runs, tracker):
        fit(
            each.learner, each.data, each.settings, tracker=each.tracker, start=each.start, seed=each.seed,
            progress=QUIET, config=each.config,
        )  # fmt: skip
    return {"whole sweep": perf_counter() - begun}


def as_one(runs: Built, tracker: Callable[[], Tracker]) -> Sample:
    own_threads(THREADS)
    begun = perf_counter()
    fit_stacked(list(members(runs, tracker)), QUIET)
    return {"whole sweep": perf_counter() - begun}


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """In one process, after a warm-up."""
    with tempfile.TemporaryDirectory(prefix="lorelab-bench-") as folder:
        runs = built(OVERRIDES)
        store: Callable[[], Tracker] = partial(
            MLflowTracker, f"sqlite:///{folder}/mlflow.db", artifacts=str(Path(folder) / "artifacts")
        )
        comparisons = []
        for title, tracker in (("tracker=none", MemoryTracker), ("tracker=mlflow", store)):
            ways: dict[str, Way] = {
                "one by one": partial(one_by_one, runs, tracker),
                "stacked": partial(as_one, runs, tracker),
            }
            comparisons.append(alternate(f"32 digits MLPs, {title}", ways, rounds, threads=THREADS))
        return comparisons, []
