"""From the command to the first optimiser step of the digits MLP, against importing the libraries alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks.alternate import Comparison, Sample, Way, alternate
from benchmarks.parts import scratch_tracker
from lorelab.paths import ROOT

ROUNDS = 5
ARGUMENTS = ["experiment=digits_mlp", "trainer.max_steps=1", "progress=quiet"]
IMPORTS = "import torch, pytorch_lightning, mlflow, time; print(time.time(), time.process_time())"
_fresh = count()


def imports_alone() -> Sample:
    """Until the last import is done."""
    begun = time.time()
    ended = subprocess.run([sys.executable, "-c", IMPORTS], cwd=ROOT, check=True, capture_output=True, text=True)
    return _sample(begun, ended.stdout)


def lorelab_train(folder: Path, *overrides: str) -> Sample:
    """Until the first training batch is done."""
    moment = folder / f"moment-{next(_fresh)}"
    clock = ["+callbacks.clock._target_=benchmarks.first_step.FirstStep", f"+callbacks.clock.path={moment}"]
    command = [sys.executable, "-m", "lorelab", "train", *ARGUMENTS, *overrides, *clock]
    begun = time.time()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return _sample(begun, moment.read_text(encoding="utf-8"))


def _sample(begun: float, written: str) -> Sample:
    ended, processor = map(float, written.split())
    return {"time to first step": ended - begun, "processor time to first step": processor}


def on_a_fresh_store(folder: Path) -> Sample:
    new = folder / f"fresh-{next(_fresh)}"
    new.mkdir()
    return lorelab_train(folder, *scratch_tracker(new))


def phases(folder: Path) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds by stage of one start on an existing store."""
    out = folder / f"phases-{next(_fresh)}"
    command = [sys.executable, "-m", "benchmarks.phases", repr(time.time()), str(out), *ARGUMENTS]
    subprocess.run([*command, *scratch_tracker(folder)], cwd=ROOT, check=True, capture_output=True)
    return json.loads(out.read_text(encoding="utf-8"))


def measure(rounds: int) -> tuple[list[Comparison], list[str]]:
    """After one start that creates the store; bytecode is compiled and the disk's cache warm."""
    with tempfile.TemporaryDirectory(prefix="lorelab-bench-") as name:
        folder = Path(name)
        lorelab_train(folder, *scratch_tracker(folder))
        ways: dict[str, Way] = {
            "import torch, pytorch_lightning, mlflow": imports_alone,
            "lorelab train, tracker=none": partial(lorelab_train, folder, "tracker=none", *scratch_tracker(folder)[:1]),
            "lorelab train, existing MLflow store": partial(lorelab_train, folder, *scratch_tracker(folder)),
            "lorelab train, fresh MLflow store": partial(on_a_fresh_store, folder),
        }
        comparison = alternate("digits MLP", ways, rounds, warm_up=False)
        return [comparison], [_breakdown([phases(folder) for _ in range(rounds)])]


def _breakdown(runs: list[dict[str, tuple[float, float]]]) -> str:
    lines = [
        f"**Where it goes, existing store** (n = {len(runs)} starts of their own, stages timed one by one)",
        "",
        "| stage | wall, median, s | processor, median, s |",
        "| --- | ---: | ---: |",
    ]
    for stage in runs[0]:
        wall, processor = (median(run[stage][clock] for run in runs) for clock in (0, 1))
        lines.append(f"| {stage} | {wall:.2f} | {processor:.2f} |")
    return "\n".join(lines)
