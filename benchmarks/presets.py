"""Measures presets and writes what it finds into their headers.

    python -m benchmarks.presets digits_mlp fashion_mnist_cnn

Five seeds, one after the other: test scores, and the time of a run, which means something only with nothing else on the
machine. Run it in a clean clone: a header names the commit that was measured.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections.abc import Sequence

from lorelab.paths import CONF, ROOT
from lorelab.tracking.mlflow_store import MLflowStore
from lorelab.tracking.protocol import StoredRun

SEEDS = (0, 1, 2, 3, 4)


def main(presets: Sequence[str]) -> None:
    for preset in presets:
        path = CONF / "experiment" / f"{preset}.yaml"
        text = path.read_text(encoding="utf-8")
        runs = _train(preset)
        names = [f"test/{runs[0].monitor.split('/')[1]}", *_also(text)]
        scores = "; ".join(_score(name, runs) for name in names)
        how = f"n = {len(runs)}, seeds 0–4, commit {_commit()}"
        seconds = [float(run.tags["lorelab.seconds"]) for run in runs]
        times = f"{statistics.median(seconds):.3g} s a run (median; {min(seconds):.3g} to {max(seconds):.3g})"
        for field, found in {
            "Time: ": f"{times}, two cores",
            "Score:": f"{scores} (mean ± sd, {how})",
        }.items():
            text = re.sub(rf"^# {field}.*$", f"# {field}     {found}", text, flags=re.MULTILINE)
        path.write_text(text, encoding="utf-8")
        print(f"{preset}: {scores}; {times}", flush=True)


def _train(preset: str) -> list[StoredRun]:
    tag = f"presets-{_commit()}-{preset}"
    command = [
        "train",
        "-m",
        f"experiment={preset}",
        f"seed={','.join(map(str, SEEDS))}",
        f"+tags.study={tag}",
        "force=true",
    ]
    subprocess.run([sys.executable, "-m", "lorelab", *command, "progress=plain"], cwd=ROOT, check=True)
    found = {run.params["seed"]: run for run in MLflowStore().runs(filters={"study": tag, "status": "finished"})}
    changed = subprocess.run(
        ["git", "diff", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    others = [name for name in changed.stdout.split() if not name.startswith("conf/experiment/")]
    if others:  # headers written for earlier presets do not count
        raise SystemExit(f"{preset}: measured with uncommitted changes in {', '.join(others)}; commit them first")
    return [found[str(seed)] for seed in SEEDS]


def _also(text: str) -> list[str]:
    """Further metrics that a header asks for: ``# Also: test/mae test/r2``."""
    found = re.search(r"^# Also: (.*)$", text, flags=re.MULTILINE)
    return found[1].split() if found else []


def _score(name: str, runs: Sequence[StoredRun]) -> str:
    # Of the monitored metric the best value, which chose the checkpoint; of the others the last one.
    values = [run.metrics["score" if name == run.monitor else name] for run in runs]
    mean, sd = statistics.mean(values), statistics.stdev(values)
    return f"{name} {mean:.4g} ± {sd:.2g}"


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
