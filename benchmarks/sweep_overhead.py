"""What a sweep costs beside its training: ``python -m benchmarks.sweep_overhead [TRIALS] [--profile] [OVERRIDE…]``.

Trials of two steps on digits, one after the other in this process, into MLflow. Overhead is the time of the loop over
trials without that of the training steps themselves, per trial; shown by the tenth of the sweep, to see how it grows.
"""

from __future__ import annotations

import contextlib
import cProfile
import io
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

EXPERIMENT = ("experiment=digits_mlp", "trainer.threads=1", "trainer.max_steps=2", "trainer.max_epochs=null")
SEARCH = ("search=default", "search/sampler=random", "optimizer.lr=tag(log,interval(1e-4,1e-1))", "progress=quiet")


@dataclass
class Clock:
    """Wall and CPU seconds in calls of what was wrapped, threads included."""

    wall: float = 0.0
    cpu: float = 0.0
    ends: list[tuple[float, float]] = field(default_factory=list)
    """Moment of each call's end, wall and CPU."""

    def wrap(self, owner: Any, name: str) -> None:
        """Times every call of ``owner.name``."""
        original: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return original(*args, **kwargs)
            finally:
                now = time.perf_counter(), time.process_time()
                self.wall, self.cpu = self.wall + now[0] - wall, self.cpu + now[1] - cpu
                self.ends.append(now)

        setattr(owner, name, timed)


@contextlib.contextmanager
def _own_store(folder: str) -> Iterator[None]:
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def main(trials: int, overrides: list[str], *, profile: bool = False) -> None:
    """Prints the figures of one sweep."""
    from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop

    from lorelab.__main__ import main as lorelab
    from lorelab.sweeps import sweep
    from lorelab.sweeps.loop import Loop

    steps, loop, jobs, closing = Clock(), Clock(), Clock(), Clock()
    steps.wrap(_TrainingEpochLoop, "advance")
    loop.wrap(Loop, "work")
    jobs.wrap(Loop, "_launch")
    closing.wrap(sweep, "_sum_up")
    profiler = cProfile.Profile(time.process_time)
    if profile:
        work = Loop.work
        Loop.work = lambda self: profiler.runcall(work, self)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory(prefix="lorelab-overhead-") as folder, _own_store(folder):
        own = (f"search.trials={trials}", f"paths.outputs={folder}")
        status = lorelab(["train", "-m", *EXPERIMENT, *SEARCH, *own, *overrides])
    print(f"{trials} trials, {len(steps.ends)} steps, exit status {status}")
    print(f"{'':<24}{'wall':>8}{'CPU':>8}   s per trial")
    wall, cpu = (loop.wall - steps.wall) / trials, (loop.cpu - steps.cpu) / trials
    print(f"{'overhead':<24}{wall:>8.3f}{cpu:>8.3f}")
    print(f"{'training steps':<24}{steps.wall / trials:>8.3f}{steps.cpu / trials:>8.3f}")
    tenth = max(1, trials // 10)
    for last in range(2 * tenth, trials + 1, tenth):
        (wall0, cpu0), (wall1, cpu1) = jobs.ends[last - tenth - 1], jobs.ends[last - 1]
        print(f"  trials {last - tenth:>5} to {last:<9}{(wall1 - wall0) / tenth:>8.3f}{(cpu1 - cpu0) / tenth:>8.3f}")
    print(f"summing up, once: {closing.wall:.2f} s wall, {closing.cpu:.2f} s CPU")
    if profile:
        for order in ("cumulative", "tottime"):
            pstats.Stats(profiler).sort_stats(order).print_stats(90 if order == "cumulative" else 25)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--profile"]
    count = int(words.pop(0)) if words and words[0].isdigit() else 200
    main(count, words, profile="--profile" in sys.argv)
