"""Trains every preset once with ``reproducible=strict`` and repeats it with ``lorelab rerun``; prints the tally.

python -m benchmarks.rerun [PRESET ...]

With two threads, or as many as OMP_NUM_THREADS says. The presets on example data need them (`lorelab data example`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lorelab.paths import CONF, ROOT
from lorelab.tracking.mlflow_store import MLflowStore

THREADS = (f"trainer.threads={os.environ.get('OMP_NUM_THREADS', '2')}",)  # fixed, as strict asks for


def repeat(preset: str, folder: Path) -> str:
    uri = f"sqlite:///{folder}/mlflow.db"
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri}

    def lorelab(*arguments: str) -> int:
        command = [sys.executable, "-m", "lorelab", *arguments, "progress=quiet", f"paths.outputs={folder}/outputs"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run(command, cwd=ROOT, env=environment, check=False, **quiet).returncode  # type: ignore[call-overload,no-any-return]

    tag = f"+tags.arm={preset}"
    if lorelab("train", f"experiment={preset}", "reproducible=strict", *THREADS, tag, f"hydra.run.dir={folder}/h"):
        return "the run failed"
    (run,) = MLflowStore(uri).runs(filters={"arm": preset})
    return {0: "identical", 10: "within the seed-to-seed spread", 11: "different"}.get(
        lorelab("rerun", run.run_id), "rerun failed"
    )


def main(presets: Sequence[str]) -> None:
    names = presets or sorted(path.stem for path in (CONF / "experiment").glob("*.yaml") if "cifar" not in path.stem)
    tally: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="lorelab-rerun-") as folder:
        for name in names:
            outcome = repeat(name, Path(folder))
            tally[outcome] += 1
            print(f"{name:<28} {outcome}", flush=True)
    print("\n" + "\n".join(f"{count:>4} {outcome}" for outcome, count in tally.most_common()))


if __name__ == "__main__":
    main(sys.argv[1:])
