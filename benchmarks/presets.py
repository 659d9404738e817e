"""Measures presets and writes what it finds into their headers.

    python -m benchmarks.presets score digits_mlp fashion_mnist_cnn    # test scores over five seeds
    python -m benchmarks.presets time digits_mlp fashion_mnist_cnn     # one run with nothing else on the machine

Run it in a clean clone: a header names the commit that was measured.
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


def main(what: str, presets: Sequence[str]) -> None:
    for preset in presets:
        path = CONF / "experiment" / f"{preset}.yaml"
        text = path.read_text(encoding="utf-8")
        runs = _train(preset, SEEDS if what == "score" else SEEDS[:1])
        if what == "score":
            names = [f"test/{runs[0].monitor.split('/')[1]}", *_also(text)]
            shown = "; ".join(_score(name, runs) for name in names)
            found = f"{shown} (mean ± sd, n = {len(runs)}, seeds 0–4, commit {_commit()})"
            text = re.sub(r"^# Score: .*$", f"# Score:     {found}", text, flags=re.MULTILINE)
        else:
            found = f"{float(runs[0].tags['lorelab.seconds']):.3g} s a run (n = 1, two cores, commit {_commit()})"
            text = re.sub(r"^# Time: .*$", f"# Time:      {found}", text, flags=re.MULTILINE)
        path.write_text(text, encoding="utf-8")
        print(f"{preset}: {found}", flush=True)


def _train(preset: str, seeds: Sequence[int]) -> list[StoredRun]:
    tag = f"presets-{_commit()}-{preset}-{len(seeds)}"
    command = ["train", "-m", f"experiment={preset}", f"seed={','.join(map(str, seeds))}", f"+tags.study={tag}"]
    subprocess.run([sys.executable, "-m", "lorelab", *command, "progress=plain"], cwd=ROOT, check=True)
    found = {run.params["seed"]: run for run in MLflowStore().runs(filters={"study": tag, "status": "finished"})}
    changed = subprocess.run(
        ["git", "diff", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    others = [name for name in changed.stdout.split() if not name.startswith("conf/experiment/")]
    if others:  # headers written for earlier presets do not count
        raise SystemExit(f"{preset}: measured with uncommitted changes in {', '.join(others)}; commit them first")
    return [found[str(seed)] for seed in seeds]


def _also(text: str) -> list[str]:
    """Further metrics that a header asks for: ``# Also: test/mae test/r2``."""
    found = re.search(r"^# Also: (.*)$", text, flags=re.MULTILINE)
    return found[1].split() if found else []


def _score(name: str, runs: Sequence[StoredRun]) -> str:
    values = [run.metrics[name] for run in runs]
    mean, sd = statistics.mean(values), statistics.stdev(values)
    return f"{name} {mean:.4g} ± {sd:.2g}"


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
