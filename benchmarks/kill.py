"""Kills runs with SIGKILL at random moments and has them go on; ``python -m benchmarks.kill [TRIALS]`` prints a tally.

Every trial compares a resumed run with an uninterrupted one of the same config: weights after the last step, every
point of every metric, status, and that nothing is left running.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.forked import Forked, Server
from lorelab.paths import ROOT
from lorelab.tracking.mlflow_store import MLflowStore

COMMON = (
    *("trainer.threads=1", "progress=plain", "trainer.log_every_n_steps=5", "trainer.checkpoint_every_steps=7"),
    *("callbacks=early_stopping", "callbacks.early_stopping.patience=1000"),
)
KINDS = {
    "classification": ("experiment=digits_mlp", "trainer.max_epochs=60"),
    "regression": ("experiment=diabetes_mlp", "trainer.max_epochs=150"),
    "language": ("experiment=help_topics", "trainer.max_steps=150", "trainer.val_check_interval=50", "task.samples=0"),
    "contrastive": ("experiment=contrastive_breast_cancer", "trainer.max_epochs=40"),
    "nce": ("experiment=nce_rings", "data.limit_train=2000", "trainer.max_epochs=40", "task.grid_size=64"),
}
"""Dropout, accumulation and the like are compared step by step in tests/unit/training/test_keeper.py."""


class Bench:
    """One store; uninterrupted runs are trained once per kind. ``server`` forks the processes, if there is one."""

    def __init__(self, folder: Path, server: Server | None = None) -> None:
        self.folder, self.server = folder, server
        self.environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "OMP_NUM_THREADS": "1"}
        self.store = MLflowStore(self.environment["MLFLOW_TRACKING_URI"])
        self.whole: dict[str, tuple[str, float]] = {}

    def trial(self, kind: str, share: float) -> str:
        """Kills a run of ``kind`` after ``share`` of the training's time and resumes it; "same", or what is wrong."""
        if kind not in self.whole:
            begun = self._start(kind, f"+tags.arm=whole-{kind}")
            moment = self._training(begun)
            assert begun.wait() == 0
            (run,) = self.store.runs(filters={"arm": f"whole-{kind}"})
            self.whole[kind] = (run.run_id, time.monotonic() - moment)
        arm = f"{kind}-{random.SystemRandom().randrange(10**9)}"
        process = self._start(kind, f"+tags.arm={arm}")
        self._training(process)
        time.sleep(share * self.whole[kind][1])
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            return "ended before it was killed"
        (run,) = self.store.runs(filters={"arm": arm})
        resumed = self._lorelab("train", f"resume={run.run_id}", "progress=plain")
        if resumed.wait() != 0:
            return f"resume failed: {(resumed.stderr.read() if resumed.stderr else '')[-300:]}"
        return self._difference(self.whole[kind][0], run.run_id)

    def _difference(self, whole: str, resumed: str) -> str:
        store = MLflowStore(self.store.uri)
        expected, found = store.get(whole), store.get(resumed)
        if found.status != "finished" or store.runs(filters={"status": "running"}):
            return f"status {found.status}"
        if expected.tags["lorelab.weights"] != found.tags["lorelab.weights"]:
            return "other weights"
        for name in sorted({*expected.metrics, *found.metrics}):
            if list(store.history(whole, name)) != list(store.history(resumed, name)):
                return f"another history of {name}"
        return "same"

    def _start(self, kind: str, tag: str) -> subprocess.Popen[str] | Forked:
        outputs = f"paths.outputs={self.folder}/outputs"
        return self._lorelab(
            "train", *KINDS[kind], *COMMON, tag, outputs, f"hydra.run.dir={self.folder}/h", "force=true"
        )

    def _lorelab(self, *arguments: str) -> subprocess.Popen[str] | Forked:
        if self.server is not None:
            return self.server.pipe(*arguments, cwd=ROOT, MLFLOW_TRACKING_URI=self.store.uri)
        command = [sys.executable, "-m", "lorelab", *arguments]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, text=True, **pipes)  # type: ignore[call-overload]

    @staticmethod
    def _training(process: subprocess.Popen[str] | Forked) -> float:
        """Waits for the line that says that training begins."""
        assert process.stderr is not None
        line = process.stderr.readline()
        while line and " steps" not in line:
            line = process.stderr.readline()
        return time.monotonic()


def main(trials: int) -> None:
    """Prints one line per trial and the tally."""
    tally: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="lorelab-kill-") as folder:
        bench = Bench(Path(folder))
        for number in range(trials):
            kind, share = list(KINDS)[number % len(KINDS)], random.SystemRandom().uniform(0.0, 0.95)
            outcome = bench.trial(kind, share)
            tally[outcome] += 1
            print(f"{number + 1:>3} {kind:<15} killed at {share:4.0%}: {outcome}", flush=True)
    print("\n" + "\n".join(f"{count:>4} {outcome}" for outcome, count in tally.most_common()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
