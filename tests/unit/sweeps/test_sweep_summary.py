"""A sweep summed up: the best, its confirmation, what lies near an edge; as lines, as a table, as a page."""

import csv
import io
import math
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console
from worked_sweep import LR, MOMENTUM, OPTIMIZER, summary, trial, worked

from lorelab.sweeps.closing import failures, print_summary
from lorelab.sweeps.confirm import confirmed, pairs
from lorelab.sweeps.display import Display, status_line
from lorelab.sweeps.parent import describe
from lorelab.sweeps.report import render, write_pages
from lorelab.sweeps.space import Dimension
from lorelab.sweeps.summary import confirmed_line
from lorelab.sweeps.trials import TrialStatus, best_first, value_of

WIDTH = Dimension("model.width", "int", low=8, high=64, step=8)


class Reader(HTMLParser):
    """The words of a page whose tags are closed in order, and how often each tag is there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.said += [value for name, value in attrs if name == "title"]
        self.tags.append(tag)
        self.open += [tag] if tag != "meta" else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def tried(*values: float | None, status=TrialStatus.FINISHED):
    return [trial(number, {"optimizer.lr": 10.0**-number}, value, status) for number, value in enumerate(values)]


def pair(number: int, of: int, seed: int, value: float | None, status=TrialStatus.FINISHED):
    return trial(number, {"trial": of, "seed": seed}, value, status)


def test_the_best_come_first_and_of_equals_the_earlier() -> None:
    trials = [*tried(0.5, 0.9, 0.9, None), trial(9, {}, 1.0, TrialStatus.PRUNED)]
    trials += [trial(10, {}, -math.inf, TrialStatus.DIVERGED)]
    assert [each.number for each in best_first(trials, "maximize")] == [1, 2, 0]
    assert [each.number for each in best_first(trials, "minimize")] == [0, 1, 2]


def test_the_value_of_a_trial_is_the_mean_or_the_worst_over_its_seeds() -> None:
    assert value_of([1.0, 2.0, 6.0], "mean", "maximize") == 3.0
    assert value_of([1.0, 2.0, 6.0], "worst", "maximize") == 1.0
    assert value_of([1.0, 2.0, 6.0], "worst", "minimize") == 6.0


def test_the_best_are_confirmed_on_seeds_that_chose_nothing() -> None:
    trials = tried(0.5, 0.9, 0.7)
    first = pairs(trials, [], "maximize", 2, 2, seed=4)
    assert first.sampler is None
    assert first.grid == [
        {"trial": 1, "seed": 100_004},
        {"trial": 1, "seed": 100_005},
        {"trial": 2, "seed": 100_004},
        {"trial": 2, "seed": 100_005},
    ]
    begun = [pair(0, 1, 100_004, 0.8), pair(1, 1, 100_005, 0.8)]
    better = [*trials, trial(3, {"optimizer.lr": 1.0}, 0.95)]  # found after more trials
    assert pairs(better, begun, "maximize", 1, 2, seed=4).grid == [
        *(each.params for each in begun),
        {"trial": 3, "seed": 100_004},
        {"trial": 3, "seed": 100_005},
    ]


def test_what_was_selected_stands_beside_what_was_confirmed() -> None:
    trials = tried(0.5, 0.9, 0.8, 0.7)
    fresh = [pair(0, 1, 7, 0.70), pair(1, 1, 8, 0.74), pair(2, 2, 7, 0.80), pair(3, 2, 8, 0.76), pair(4, 3, 7, 0.9)]
    first, second = confirmed(trials, fresh, "maximize", 3, 2)  # trial 3 has one of two
    assert (first.trial, first.selected, first.scores) == (2, 0.8, (0.80, 0.76))
    assert (second.trial, second.mean) == (1, pytest.approx(0.72))
    assert first.mean == pytest.approx(0.78)
    assert first.sd == pytest.approx(0.04 / math.sqrt(2))
    assert first.curse == pytest.approx(0.02)
    assert confirmed_line(first, "acc") == (
        "trial 2: selected at acc 0.8, confirmed 0.78 ± 0.02828 on 2 fresh seeds (selected − confirmed +0.02)"
    )
    whole = summary(trials, confirmed=[first, second])
    assert whole.best is trials[2]
    assert whole.score == first.mean
    assert summary(trials).best is trials[1]
    assert summary(trials).score == 0.9
    assert summary([]).best is summary([]).score is None


def test_a_configuration_that_diverges_on_a_fresh_seed_comes_last() -> None:
    trials = tried(0.9, 0.8)
    worst = [
        pair(0, 0, 7, -math.inf, TrialStatus.DIVERGED),
        pair(1, 0, 8, 0.99),
        pair(2, 1, 7, 0.5),
        pair(3, 1, 8, 0.5),
    ]
    first, second = confirmed(trials, worst, "maximize", 2, 2)
    assert (first.trial, second.trial) == (1, 0)
    assert (second.mean, second.curse, second.sd) == (-math.inf, math.inf, None)


@pytest.mark.parametrize(
    ("dimension", "value", "said"),
    [
        (LR, 1e-3, None),
        (LR, 0.3162, None),  # a tenth of five decades
        (LR, 0.33, "upper end of what was searched (1)"),
        (LR, 3e-5, "lower end of what was searched (1e-05)"),
        (MOMENTUM, 0.5, None),
        (MOMENTUM, 0.05, "lower end of what was searched (0)"),
        (WIDTH, 64, "upper end of what was searched (64)"),
        (OPTIMIZER, "sgd", None),
    ],
)
def test_a_best_value_near_an_end_of_what_was_searched_is_said(dimension: Dimension, value, said) -> None:
    notes = summary([trial(0, {dimension.key: value}, 0.9)], dimensions=[dimension]).near_edge()
    if said is None:
        assert notes == []
    else:
        (note,) = notes
        assert note.startswith(f"the best {dimension.key} ({value:.3g}) lies near the")
        assert said in note


def test_a_dimension_is_described_in_a_few_words() -> None:
    assert describe(OPTIMIZER) == "adam, sgd"
    assert describe(LR) == "float from 1e-05 to 1 (log)"
    assert describe(WIDTH) == "int from 8 to 64"
    assert describe(Dimension("p", "float", low=0, high=0.5, step=0.1)) == "float from 0 to 0.5 in steps of 0.1"
    assert describe(MOMENTUM) == "float from 0 to 0.99 where optimizer=sgd"


def test_the_state_of_a_sweep_is_one_line() -> None:
    trials = [*tried(0.5, 0.9), trial(2, {}, None, TrialStatus.RUNNING), trial(3, {}, 0.95, TrialStatus.PRUNED)]
    trials.append(trial(4, {}, None, TrialStatus.FAILED))
    assert status_line("s", trials, 9, "maximize") == ("s: 2/9 done  1 running  1 pruned  1 failed  best 0.9 (trial 1)")
    assert status_line("s", [], 9, "maximize") == "s: 0/9 done"


def test_the_display_says_each_state_once_and_the_last_in_any_case() -> None:
    stream, trials = io.StringIO(), tried(0.5)
    with Display("s", lambda: trials, 2, "maximize", "plain", stream):
        trials = tried(0.5, 0.9)
    assert stream.getvalue() == "s: 2/2 done  best 0.9 (trial 1)\n"
    with Display("s", lambda: trials, 2, "maximize", "quiet", quiet := io.StringIO()):
        pass
    assert quiet.getvalue() == ""


def test_on_a_terminal_the_line_is_written_over_with_the_time_that_is_left() -> None:
    stream, trials = io.StringIO(), tried(0.5)
    with Display("s", lambda: trials, 3, "maximize", "line", stream):
        trials = tried(0.5, 0.9)
        limit = time.monotonic() + 20.0
        while "left" not in stream.getvalue() and time.monotonic() < limit:
            time.sleep(0.05)
    assert "\r\x1b[2Ks: 2/3 done  best 0.9 (trial 1)  " in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[2Ks: 2/3 done  best 0.9 (trial 1)\n")


def printed(whole, tmp_path) -> str:
    console = Console(file=io.StringIO(), markup=False, highlight=False, width=200)
    print_summary(whole, tmp_path, console)
    return console.file.getvalue()


def test_what_is_printed_at_the_end_names_the_best_and_what_to_do_next(tmp_path) -> None:
    text = printed(worked(), tmp_path)
    assert "(20 best of 40)" in text
    assert "digits-mlp-lr-0123: 36 finished, 2 diverged, 1 pruned, 1 failed" in text
    assert "best: trial 8, optimizer=sgd optimizer.lr=0.01134 optimizer.momentum=0.9039" in text
    assert "trial 8: selected at val/accuracy 0.9652, confirmed 0.95 ± 0.01 on 3 fresh seeds" in text
    assert "note: the best optimizer.momentum (0.904) lies near the upper end" in text
    assert "train with it: lorelab train --config-dir outputs/sweeps/s/conf experiment=s" in text
    few = printed(summary(tried(0.5, None, 0.9)), tmp_path)
    assert "best of" not in few
    assert [line.split()[0] for line in few.splitlines()[1:4]] == ["0", "1", "2"]
    assert "train with it" not in few


def test_each_failure_is_one_line_with_its_last_words_and_its_place(tmp_path) -> None:
    silent = replace(trial(3, {}, None, TrialStatus.FAILED), error="")
    lines = failures([*worked().trials, silent], tmp_path)
    assert lines == [
        f"trial 19 failed: KeyError: 'x' ({tmp_path}/trials/19)",
        f"trial 3 failed: no reason given ({tmp_path}/trials/3)",
    ]


def test_the_page_is_well_formed_and_tells_of_every_trial() -> None:
    text = render(worked())
    page = Reader(text)
    said = " ".join(page.said)
    for part in ("Best value so far", "Response", "Importance of each key", "Train with it", "Go on with it",
                 "val/accuracy against optimizer.lr", "val/accuracy against optimizer.momentum", "winner's curse",
                 "trial 12, pruned", "seed 1: 0.9568"):  # fmt: skip
        assert part in said, part
    assert page.tags.count("tr") == 1 + 40
    assert "KeyError: 'x'" in page.said  # of a trial that failed, on hovering
    assert "against optimizer<" not in text  # names have no axis


@pytest.mark.parametrize(
    "whole",
    [
        summary([]),
        summary(tried(None, status=TrialStatus.FAILED)),
        summary(tried(-math.inf, -math.inf, status=TrialStatus.DIVERGED)),
        summary([trial(0, {}, 0.5)], dimensions=()),
        summary([trial(0, {"a": "<b>&"}, 0.5)], dimensions=[Dimension("a", "choice", ("<b>&", '"'))]),
        summary([trial(n, {"a": v}, 0.5) for n, v in enumerate(["0", "1e-3"])],
                dimensions=[Dimension("a", "choice", ("0", "1e-3"))]),
    ],
    ids=["none", "failed", "diverged", "one", "hostile", "zero"],
)  # fmt: skip
def test_a_page_can_be_drawn_of_whatever_there_is(whole) -> None:
    text = render(whole)
    assert Reader(text).tags.count("tr") == 1 + len(whole.trials)
    assert ("Nothing finished" in text) == (whole.best is None)


def test_the_table_of_trials_can_be_read_back(tmp_path) -> None:
    values = ("[1,2]", 'a "quoted", thing')
    trials = [trial(number, {"a": value}, 0.1 + 0.2) for number, value in enumerate(values)]
    trials.append(trial(2, {}, None, TrialStatus.FAILED))
    html, table = write_pages(summary(trials, dimensions=[Dimension("a", "choice", values)]), tmp_path)
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["a"] for row in rows] == [*values, ""]
    assert float(rows[0]["value"]) == 0.1 + 0.2
    assert rows[2]["value"] == ""
    assert rows[0]["run_ids"] == trials[0].runs[0].run_id
