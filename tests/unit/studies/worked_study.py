"""A small study, its runs as if they had been trained, and what is made of them: for the tests of this folder."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from lorelab.studies.folder import Frozen, freeze
from lorelab.studies.judge import Judged, judge
from lorelab.studies.reading import parse
from lorelab.studies.spec import Study
from lorelab.studies.table import Row

PLAIN: Mapping[str, Any] = {
    "question": "Q0",
    "title": "Is a better than b?",
    "tasks": {
        "digits": {
            "overrides": ["experiment=digits_mlp"],
            "metric": "test/accuracy",
            "mode": "max",
            "margin": 0.02,
            "worst": 0.0,
            "scale": {"smoke": ["trainer.max_epochs=1"], "laptop": []},
        },
        "houses": {"overrides": ["data=diabetes"], "metric": "test/rmse", "mode": "min", "margin": 2.0},
    },
    "arms": {
        "a": {
            "overrides": ["optimizer=adam"],
            "label": "Adam",
            "search": {
                "space": {"optimizer.lr": "tag(log, interval(1e-4, 1e-1))"},
                "trials": {"smoke": 2, "laptop": 8},
            },
        },
        "b": {"overrides": ["optimizer=sgd"]},
    },
    "seeds": {"smoke": 3, "laptop": {"min": 5, "max": 20, "block": 5}},
    "claims": [
        {"name": "better", "kind": "superiority", "a": "a", "b": "b", "says": "A beats <b> & all."},
        {
            "name": "same",
            "kind": "equivalence",
            "a": "b",
            "b": "a",
            "tasks": ["digits"],
            "margins": {"digits": 0.05},
            "says": "They do not differ.",
        },
    ],
    "change": "Another outcome.",
}


def plain(**changes: Any) -> dict[str, Any]:
    """The study as its YAML gives it, with ``changes`` at the top: ``seeds=4``."""
    return copy.deepcopy(dict(PLAIN)) | changes


def study(scale: str = "smoke", **changes: Any) -> Study:
    return parse("worked", plain(**changes), scale, "worked.yaml")


def row(task: str = "digits", arm: str = "a", seed: int = 0, value: float = 0.9, **changes: Any) -> Row:
    metric = "test/accuracy" if task == "digits" else "test/rmse"
    known: dict[str, Any] = {
        "task": task, "arm": arm, "role": "final", "seed": seed, "trial": -1, "params": {}, "status": "finished",
        "score": value, "score_name": metric.replace("test", "val"), "score_mode": "max" if task == "digits" else "min",
        "metrics": {metric: value}, "seconds": 1.5, "steps": 10, "run_id": f"{task}{arm}{seed}", "run": f"run {seed}",
        "commit": "abc", "fingerprint": f"data of {task}",
    }  # fmt: skip
    return Row(**known | changes)


def lost(**place: Any) -> Row:
    """A run that diverged."""
    return row(status="diverged", score=float("nan"), metrics={}, **place)


def rows(count: int = 3) -> list[Row]:
    """Two trials of a on each task, then ``count`` seeds of each arm on each task; a is ahead by 0.1 and by 1."""
    noise = np.random.default_rng(0).normal(0, 0.005, (2, count))
    tuned = [
        row(task, "a", 1000, value, role="tune", trial=trial, metrics={}, params={"optimizer.lr": rate})
        for task in ("digits", "houses")
        for trial, (value, rate) in enumerate([(0.8, 0.001), (0.9, 0.01)])
    ]
    ends = {("digits", "a"): 0.9, ("digits", "b"): 0.8, ("houses", "a"): 50.0, ("houses", "b"): 51.0}
    return tuned + [
        row(task, arm, seed, mean + noise["ab".index(arm)][seed], params={"optimizer.lr": 0.01} if arm == "a" else {})
        for (task, arm), mean in ends.items()
        for seed in range(count)
    ]


def result(count: int = 3) -> tuple[Study, list[Row], tuple[Judged, ...], Frozen]:
    """All of it."""
    known, table = study(seeds=count), rows(count)
    judged = judge(known, table, count)
    chosen = {("digits", "a"): {"optimizer.lr": 0.01}, ("houses", "a"): {"optimizer.lr": 0.001}}
    facts = {"machine": "a <machine>", "mlflow": "http://127.0.0.1:5000/#/experiments/7", "overrides": []}
    return known, table, judged, freeze(known, judged, table, count, chosen, facts)
