"""Whole sweeps of 32 runs, eight learning rates by four seeds, four ways: one by one, by two workers, stacked, auto.
On a GPU 64 runs, by eight seeds, against 16 one by one, and stacked by four workers: what each run costs is compared.

Each is a ``lorelab train -m`` from its command line to its summary, in a store and a folder of its own: composing,
checking, logging, checkpoints, evaluation and test included; and of the workers, their start: forked, as by a command
line, from a process that has imported everything. ``python -m benchmarks.stacked [NAME] [--rounds N] [OVERRIDE …]``
times one family, overrides added (``trainer.max_epochs=1`` for a glance), and writes nothing down;
``python -m benchmarks stacked`` times all of them and does.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter

from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.epoch import OVERRIDES
from benchmarks.forked import Server
from benchmarks.parts import ACCELERATOR, missing_images, own_threads
from benchmarks.report import markdown
from lorelab.sweeps.fork_server import VARIABLE
from lorelab.tracking.mlflow_client import connect

ROUNDS = 5
THREADS = 1
RATES = "1e-4,3e-4,1e-3,3e-3,1e-2,3e-2,1e-1,3e-1"
SEEDS, ALONE = ("0,1,2,3", "0,1,2,3") if ACCELERATOR == "cpu" else ("0,1,2,3,4,5,6,7", "0,1")
RUNS, RUNS_ALONE = (8 * len(seeds.split(",")) for seeds in (SEEDS, ALONE))
QUANTITY = "whole sweep" if RUNS == RUNS_ALONE else "whole sweep, for each run"
WORKERS = 2 if ACCELERATOR == "cpu" else 4
"""On a GPU they share it."""
_BY_WORKERS = {
    "two workers": ("hydra/launcher=local", f"sweep.workers={WORKERS}"),
    "stacked, four workers": ("hydra/launcher=stacked", f"sweep.workers={WORKERS}"),
}
_COMPARED = "two workers" if ACCELERATOR == "cpu" else "stacked, four workers"
WAYS = {
    "one by one": ("hydra/launcher=local",),
    _COMPARED: _BY_WORKERS[_COMPARED],
    "stacked": ("hydra/launcher=stacked",),
    "auto": ("hydra/launcher=auto", f"sweep.workers={WORKERS}"),
}
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "digits MLP": ("experiment=digits_mlp",),
    "California MLP": ("experiment=california_mlp", "trainer.max_epochs=3"),
    "MNIST MLP": OVERRIDES,
    "Fashion-MNIST CNN": (
        *("experiment=fashion_mnist_cnn", "trainer.max_epochs=1"),
        *("data.limit_train=4000", "data.val_fraction=0.034", "data.limit_test=2000"),
    ),
    "character transformer": (
        *("experiment=help_topics", "loader.batch_size=16", "trainer.max_steps=50", "trainer.val_check_interval=50"),
    ),
}
NEEDS = {"MNIST MLP": "MNIST", "Fashion-MNIST CNN": "FashionMNIST"}
_numbers = count()


def sweep(folder: Path, way: Sequence[str], overrides: Sequence[str]) -> Sample:
    """One sweep from its command line on, in this process (and the workers that it starts)."""
    from hydra.core.global_hydra import GlobalHydra

    from lorelab.__main__ import main

    own_threads(THREADS)
    place = folder / str(next(_numbers))
    place.mkdir()
    uri = f"sqlite:///{place}/mlflow.db"
    connect(uri)  # making MLflow's tables takes seconds, once for a store
    GlobalHydra.instance().clear()
    seeds = ALONE if "hydra/launcher=local" in way else SEEDS
    words = [
        *("train", "-m", f"trainer.accelerator={ACCELERATOR}", f"trainer.threads={THREADS}", "progress=quiet"),
        *(*overrides, *way),
        *(f"optimizer.lr={RATES}", f"seed={seeds}", f"paths.outputs={place}", f"tracker.uri={uri}"),
    ]
    before, sys.argv = sys.argv, ["lorelab", *words]
    begun, said = perf_counter(), io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = main(words)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 2
    finally:
        sys.argv = before
    if status:
        raise RuntimeError(f"{' '.join(words)}: exit status {status}\n{said.getvalue()}")
    seconds = perf_counter() - begun
    return {QUANTITY: seconds if RUNS == RUNS_ALONE else seconds / (8 * len(seeds.split(",")))}


def compare(family: str, rounds: int, extra: Sequence[str] = ()) -> Comparison:
    """All ways of one family, alternating, after a sweep that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="lorelab-bench-") as folder, _workers_forked(Path(folder)):
        overrides = [*FAMILIES[family], *extra]
        ways: dict[str, Way] = {name: partial(sweep, Path(folder), way, overrides) for name, way in WAYS.items()}
        if rounds > 1:
            ways["auto"]()  # the first run in a process pays for what is loaded lazily
        return alternate(f"{RUNS} runs, {family}", ways, rounds, threads=THREADS, warm_up=False)


@contextlib.contextmanager
def _workers_forked(folder: Path) -> Iterator[None]:
    """This process has computed before, so that none can be forked from it."""
    if ACCELERATOR != "cpu":
        yield
        return
    with Server(folder) as server:
        os.environ[VARIABLE] = str(server.socket)
        try:
            yield
        finally:
            del os.environ[VARIABLE]


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """Families whose data are here."""
    return of_those_here(lambda family: compare(family, rounds))


def of_those_here(compared: Callable[[str], Comparison]) -> tuple[list[Comparison], list[str]]:
    """Each family whose data are here ``compared``; and why others are not."""
    notes = [f"{name}: {why}" for name, data in NEEDS.items() if (why := missing_images(data))]
    skipped = {note.partition(":")[0] for note in notes}
    return [compared(family) for family in FAMILIES if family not in skipped], notes


def main(words: Sequence[str]) -> None:
    """Prints the table of one family."""
    rest, rounds = list(words), ROUNDS
    if "--rounds" in rest:
        at = rest.index("--rounds")
        rounds, rest = int(rest[at + 1]), rest[:at] + rest[at + 2 :]
    family = rest.pop(0) if rest and "=" not in rest[0] else next(iter(FAMILIES))
    if family not in FAMILIES:
        sys.exit(f"no family {family}; there are: {', '.join(FAMILIES)}")
    print(markdown(compare(family, rounds, rest), QUANTITY))


if __name__ == "__main__":
    main(sys.argv[1:])
