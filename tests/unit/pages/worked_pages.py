"""Worked examples: one page with every picture that sweeps and studies draw, on made-up numbers.

`python tests/unit/pages/worked_pages.py FILE` writes it, to be looked at.
"""

import math
import random
import sys
from pathlib import Path

from lorelab.pages.chart import Chart
from lorelab.pages.marks import Axis, Bar, Interval, Line, Point, Points, Rule
from lorelab.pages.page import Code, Details, Figure, Gallery, Heading, Paragraph, Verdict, page
from lorelab.pages.rows import Rows
from lorelab.pages.table import Cell, Table


def response_curve() -> Chart:
    """Final accuracy against learning rate: two optimisers, interval bands, what diverged."""
    chance = random.Random(0)
    marks = []
    for name, best, edge in (("Adam", -2.8, -1.4), ("SGD + momentum", -1.2, 0.3)):
        powers = [-5 + 0.5 * step for step in range(12)]
        means = [0.9 - 0.05 * (power - best) ** 2 for power in powers]
        alive = [(10**power, mean) for power, mean in zip(powers, means, strict=True) if power < edge]
        rates, scores = [rate for rate, _ in alive], [mean for _, mean in alive]
        low, high = [mean - 0.02 for mean in scores], [mean + 0.02 for mean in scores]
        marks.append(Line(name, rates, scores, low, high))
        points = [
            Point(
                10**power,
                mean + chance.gauss(0, 0.01) if power < edge else math.nan,
                f"{name.lower()}-{power}\nseed {seed}\noptimizer.lr={10**power:.3g}",
                f"http://127.0.0.1:5000/#/experiments/1/runs/{name[0]}{power}{seed}",
            )
            for power, mean in zip(powers, means, strict=True)
            for seed in range(3)
        ]
        marks.append(Points(name, points))
    edge = Rule(10**-1.25, "Adam diverges", "x", "bad", shade="above")
    marks += [edge, Rule(1e-3, "Adam's default"), Rule(0.891, "ridge", "y")]
    title = "Test accuracy against learning rate, Fashion-MNIST CNN, 3 seeds each"
    return Chart(title, Axis("learning rate", log=True), Axis("test accuracy"), marks)


def best_so_far() -> Chart:
    """A search: each trial, and the best value up to it."""
    chance = random.Random(1)
    values = [0.3 + chance.expovariate(4) for _ in range(40)]
    values[7] = values[21] = math.inf
    best = [min(values[: index + 1]) for index in range(40)]
    numbers = list(range(40))
    pruned = {3, 9, 14, 26}
    trials = [Point(n, values[n], f"trial {n}\noptimizer.lr=0.01") for n in numbers if n not in pruned]
    stopped = [Point(n, values[n], f"trial {n}, pruned") for n in sorted(pruned)]
    marks = [Points("finished", trials), Points("pruned", stopped), Line("best so far", numbers, best, step=True)]
    return Chart("Best validation loss so far", Axis("trial", whole=True), Axis("val/loss", better="lower"), marks)


def importances() -> Rows:
    """Shares that sum to one."""
    named = (("optimizer.lr", 0.71), ("optimizer.weight_decay", 0.18), ("model.width", 0.08), ("model.dropout", 0.03))
    return Rows(
        "Importance of each hyperparameter (fANOVA)", Axis("share"), [Bar(name, value) for name, value in named]
    )


def forest() -> Rows:
    """Differences between two arms, task by task and over all."""
    rows = [
        Interval("digits, MLP", 0.012, 0.006, 0.018, "good", "n = 10 seeds"),
        Interval("Fashion-MNIST, CNN", 0.004, -0.002, 0.010, "open", "n = 10 seeds"),
        Interval("Shakespeare, transformer of four layers and eight heads", -0.021, -0.031, -0.011, "bad"),
        Interval("California housing, MLP", math.nan, math.nan, math.nan, "bad"),
        Interval("help topics", 0.002, -math.inf, 0.017, "open"),
        Interval("over all tasks", 0.001, -0.006, 0.008, "open", overall=True),
    ]
    axis = Axis("difference in score, tuned SGD − Adam (right: SGD is better)")
    return Rows("SGD against Adam, task by task", axis, rows, margin=0.005, signed=True)


def learning_curves(task: str = "digits") -> Chart:
    """Loss over steps with intervals, best step marked."""
    steps = [20 * step for step in range(1, 51)]
    marks = []
    for index, name in enumerate(("ReLU", "|x|", "leaky ReLU", "GELU", "tanh", "identity", "mish")):
        means = [0.3 + 0.06 * index + 2 * math.exp(-step / (150 + 30 * index)) for step in steps]
        spread = [0.04 + 0.2 * math.exp(-step / 200) for step in steps]
        low = [mean - gap for mean, gap in zip(means, spread, strict=True)]
        high = [mean + gap for mean, gap in zip(means, spread, strict=True)]
        marks.append(Line(name, steps, means, low, high))
    marks.append(Rule(820, "best step"))
    return Chart(f"Validation loss, {task}", Axis("optimiser steps"), Axis("val/loss", better="lower"), marks)


def examples() -> str:
    """The page."""
    verdict = Verdict(
        "With time to tune, SGD with momentum and a schedule beats Adam by at least 0.005 in accuracy.",
        "Inconclusive",
        "open",
        [("effect", "+0.001"), ("95 % interval", "[−0.006, +0.008]"), ("margin", "0.005"), ("seeds", "10 per arm")],
    )
    columns = ("trial", "run", "status", "val/accuracy", "optimizer.lr", "model.width", "seconds", "cached")
    ends = ("good", "finished"), ("bad", "diverged"), ("plain", "pruned")
    rows = []
    for n in range(8):
        tone, status = ends[n % 3]
        score = math.nan if status == "diverged" else 0.85 + n / 100
        run = Cell(f"bold-hare-{n}", href=f"http://127.0.0.1:5000/#/runs/{n}")
        rows.append((n, run, Cell(status, tone=tone), score, 10 ** -(n / 2 + 1), 16 * 2**n, 1234.5 * n, n % 2 == 0))
    verdicts = [
        Verdict("|x| works as a nonlinearity.", "Supported", "good", [("effect", "+0.31 [+0.29, +0.33]")], forest()),
        Verdict("Softmax needs two layers.", "Refuted", "bad", [("effect", "−0.02 [−0.03, −0.01]")]),
    ]
    parts = [
        verdict,
        Heading("Task by task"),
        Figure(forest(), "Each row: mean paired difference over 10 seeds, 95 % interval; grey: within the margin."),
        Heading("Learning rates"),
        Figure(response_curve(), "Points are runs, lines their means, bands 95 % intervals. Hover for run and seed."),
        Heading("The search"),
        Gallery([Figure(best_so_far(), "Lower is better."), Figure(importances(), "Of the finished trials.")]),
        Gallery([Figure(learning_curves(task)) for task in ("digits", "diabetes", "help topics")]),
        Table(columns, rows, "All trials"),
        *verdicts,
        Paragraph("The runs lie in", "http://127.0.0.1:5000/#/experiments/1", "MLflow"),
        Code("lorelab study run learning_rates scale=laptop\nlorelab study check learning_rates"),
        Details("Provenance", [Table(("what", "value"), [("commit", "ae12672"), ("torch", "2.11.0")])]),
    ]
    return page("How do people actually choose learning rates?", parts, "Study learning_rates, laptop scale", "Lorelab")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(examples(), encoding="utf-8")
