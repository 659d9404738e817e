"""What pruning saves: ``python -m benchmarks.sweep_pruning [small] [OVERRIDE…]``.

The learning-rate search on the Fashion-MNIST CNN with and without each pruner, at the same seeds of sampler and
training. Printed are the training steps of the search, the best score as selected, and as confirmed on fresh seeds with
its spread. ``small``: fewer examples, epochs and trials, to see that it runs.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lorelab.sweeps.summary import Summary, summary_of
from lorelab.sweeps.trials import TrialStatus

COMMON = ("experiment=fashion_mnist_cnn", "search=lr", "search.confirm_best=1", "progress=quiet", "force=true")
SMALL = ("data.limit_train=2000", "trainer.max_epochs=6", "search.trials=12", "search.confirm_seeds=2")
WITHOUT = "none"
PRUNERS = (WITHOUT, "median", "halving", "hyperband")


@dataclass(frozen=True)
class Cost:
    """Of one search."""

    steps: int
    pruned: int
    selected: float
    confirmed: float
    spread: float | None

    @classmethod
    def of(cls, summary: Summary) -> Cost:
        """Confirmation is not counted: it costs the same with every pruner."""
        best = summary.confirmed[0]
        return cls(
            steps=sum(run.steps for trial in summary.trials for run in trial.runs),
            pruned=sum(trial.status is TrialStatus.PRUNED for trial in summary.trials),
            selected=best.selected,
            confirmed=best.mean,
            spread=best.sd,
        )


def search(pruner: str, seed: int, folder: Path, overrides: list[str]) -> Cost:
    """Runs one search in this process."""
    from hydra.core.global_hydra import GlobalHydra

    from lorelab.__main__ import main as lorelab

    GlobalHydra.instance().clear()
    name = f"{pruner}-{seed}"
    own = [f"search.seed={seed}", f"paths.outputs={folder}", f"sweep.name={name}"]
    own += [] if pruner == WITHOUT else [f"search/pruner={pruner}"]
    with contextlib.redirect_stdout(io.StringIO()):
        status = lorelab(["train", "-m", *COMMON, *overrides, *own])
    assert status == 0, f"{name} ended with {status}"
    return Cost.of(summary_of(folder / "sweeps" / name))


def main(seeds: int, overrides: list[str]) -> None:
    """Prints one line per search and what each pruner saved."""
    with tempfile.TemporaryDirectory(prefix="lorelab-pruning-") as name:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{name}/mlflow.db"
        print(f"{'pruner':<12}{'seed':>5}{'steps':>10}{'saved':>8}{'pruned':>8}{'selected':>10}   confirmed")
        for seed in range(seeds):
            whole: Cost | None = None
            for pruner in PRUNERS:
                cost = search(pruner, seed, Path(name), overrides)
                whole = whole or cost
                spread = "" if cost.spread is None else f" ± {cost.spread:.4f}"
                print(f"{pruner:<12}{seed:>5}{cost.steps:>10}{1 - cost.steps / whole.steps:>8.0%}{cost.pruned:>8}"
                      f"{cost.selected:>10.4f}   {cost.confirmed:.4f}{spread}", flush=True)  # fmt: skip


if __name__ == "__main__":
    words = sys.argv[1:]
    short = "small" in words
    main(1 if short else 3, [*(SMALL if short else ()), *(word for word in words if word != "small")])
