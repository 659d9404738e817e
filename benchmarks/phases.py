"""Where the time to the first step goes: ``python -m benchmarks.phases BEGUN OUT lorelab-train-arguments``.

Imports the libraries one after the other before anything of Lorelab does, then runs ``lorelab train`` with its stages
wrapped by timers. Each stage's time is without that of the stages inside it.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lorelab.paths import ROOT

IMPORTS = {
    "import hydra": ("hydra", "lorelab.cli.train"),
    "import torch": ("torch",),
    "import torchvision": ("torchvision",),
    "import pytorch_lightning, torchmetrics": ("pytorch_lightning", "torchmetrics"),
    "import mlflow": ("mlflow",),
    "import scikit-learn's data": ("sklearn.datasets",),
    "import the rest of lorelab": ("lorelab.config.build", "lorelab.training.fit", "lorelab.tracking.mlflow_tracker"),
}
STAGES = {
    "compose the config for the check": ("lorelab.cli.train", "survey"),
    "validate (twice)": ("lorelab.config.validate", "validate"),
    "load the data": ("lorelab.data.builtin", "digits"),
    "build the parts": ("lorelab.config.build", "build"),
    "provenance (git, packages)": ("lorelab.training.provenance", "capture"),
    "start the run in MLflow": ("lorelab.tracking.mlflow_tracker", "MLflowTracker.start"),
    "Trainer to the first step": ("lorelab.training.fit", "fit"),
}


class Stages:
    """Exclusive wall and processor time of nested stages, in seconds."""

    def __init__(self) -> None:
        self.spent: dict[str, np.ndarray] = {}
        self._inner = [np.zeros(2)]

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            begun = now()
            self._inner.append(np.zeros(2))
            try:
                return function(*args, **kwargs)
            finally:
                whole = now() - begun
                self.spent[name] = self.spent.get(name, np.zeros(2)) + whole - self._inner.pop()
                self._inner[-1] += whole

        return functools.wraps(function)(wrapper)  # validate reads signatures


def now() -> np.ndarray:
    """Time of day and processor time of the process."""
    return np.array([time.time(), time.process_time()])


def main(begun: float, out: Path, arguments: list[str]) -> None:
    """Writes seconds by stage to ``out``."""
    stages = Stages()
    stages.spent["start Python, import numpy"] = now() - [begun, 0.0]
    for name, modules in IMPORTS.items():
        stages.timed(name, lambda modules=modules: [importlib.import_module(module) for module in modules])()
    for name, (module, path) in STAGES.items():
        _wrap(stages, name, importlib.import_module(module), path)
    from lorelab.cli.train import main as train

    first = out.with_suffix(".first")
    clock = ["+callbacks.clock._target_=benchmarks.first_step.FirstStep", f"+callbacks.clock.path={first}"]
    entered = now()
    train([*arguments, *clock])
    left = now()
    after = left - [float(word) for word in first.read_text(encoding="utf-8").split()]
    stages.spent["Hydra's own compose and run folder"] = left - entered - sum(stages.spent[name] for name in STAGES)
    stages.spent["Trainer to the first step"] -= after
    stages.spent["in all"] = np.sum(list(stages.spent.values()), axis=0)
    out.write_text(json.dumps({name: list(spent) for name, spent in stages.spent.items()}), encoding="utf-8")


def _wrap(stages: Stages, name: str, owner: Any, path: str) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, last, stages.timed(name, getattr(owner, last)))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
