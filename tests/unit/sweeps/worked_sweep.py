"""A worked example: a search for optimizer and learning rate, on made-up numbers.

``python tests/unit/sweeps/worked_sweep.py FILE`` writes its page, to be looked at.
"""

import math
import random
import sys
from pathlib import Path

from lorelab.sweeps.confirm import Confirmed
from lorelab.sweeps.report import render
from lorelab.sweeps.space import Dimension
from lorelab.sweeps.summary import Summary
from lorelab.sweeps.trials import Trial, TrialRun, TrialStatus

OPTIMIZER = Dimension("optimizer", "choice", ("adam", "sgd"))
LR = Dimension("optimizer.lr", "float", low=1e-5, high=1.0, log=True)
MOMENTUM = Dimension("optimizer.momentum", "float", low=0.0, high=0.99, condition=("optimizer", ("sgd",)))
ENDS = {7: TrialStatus.DIVERGED, 12: TrialStatus.PRUNED, 19: TrialStatus.FAILED, 23: TrialStatus.DIVERGED}


def run(number: int, seed: int, score: float | None, status: str = "finished") -> TrialRun:
    return TrialRun(f"{number:08x}{seed:024x}", f"digits-mlp-adam-s{seed}-{number:06x}", seed, status, score, 1.25, 400)


def trial(number: int, params: dict, value: float | None, status=TrialStatus.FINISHED, seeds=(0,)) -> Trial:
    runs = tuple(run(number, seed, value, str(status)) for seed in seeds)
    error = "Traceback (most recent call last):\nKeyError: 'x'" if status is TrialStatus.FAILED else ""
    return Trial(number, status, params, value, runs, 1.5, 1_000.0 + number, error, 1)


def summary(trials, *, direction="maximize", dimensions=(LR,), **others) -> Summary:
    known = {
        "name": "digits-mlp-lr-0123", "command": "lorelab train -m experiment=digits_mlp search=lr",
        "monitor": "val/accuracy", "total": len(trials), "confirmed": (), "importances": {},
    }  # fmt: skip
    return Summary(**(known | others), direction=direction, trials=trials, dimensions=dimensions)


def worked() -> Summary:
    chance, trials = random.Random(0), []
    for number in range(40):
        kind = chance.choice(OPTIMIZER.choices)
        power = chance.uniform(-5, 0)
        params = {"optimizer": kind, "optimizer.lr": 10**power}
        if kind == "sgd":
            params["optimizer.momentum"] = chance.uniform(0, 0.99)
        status = ENDS.get(number, TrialStatus.FINISHED)
        value = 0.96 - 0.03 * (power + (2.8 if kind == "adam" else 1.5)) ** 2 + chance.gauss(0, 0.01)
        value = {TrialStatus.DIVERGED: -math.inf, TrialStatus.FAILED: None}.get(status, value)
        trials.append(trial(number, params, value, status, seeds=(0, 1)))
    best = max((each for each in trials if each.counts), key=lambda each: each.value)
    sure = Confirmed(best.number, best.value, (0.95, 0.94, 0.96), 0.95, 0.01)
    return summary(trials, dimensions=(OPTIMIZER, LR, MOMENTUM), confirmed=[sure], total=50,
                   importances={"optimizer.lr": 0.8, "optimizer": 0.2},
                   preset="lorelab train --config-dir outputs/sweeps/s/conf experiment=s")  # fmt: skip


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(worked()), encoding="utf-8")
