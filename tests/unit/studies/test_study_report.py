import dataclasses
import re
import sys
from pathlib import Path

import pytest
from worked_study import lost, result, rows

sys.path.append(str(Path(__file__).parents[1] / "pages"))
from test_page import Reader

from lorelab.pages.page import picture
from lorelab.studies.curves import Curve, read_curves, write_curves
from lorelab.studies.folder import Frozen, freeze, read_verdict, write_verdict
from lorelab.studies.index import render_index
from lorelab.studies.judge import judge
from lorelab.studies.pictures import forest
from lorelab.studies.readme import readme
from lorelab.studies.report import commands, render
from lorelab.studies.spec import Picture, Study
from lorelab.studies.table import as_csv, read_rows
from lorelab.studies.tables import summary_of_arm

CURVES = [
    Curve(task, arm, seed, f"val/{metric}", [(5, 0.1 + seed), (10, 0.2)])
    for task, metric in (("digits", "accuracy"), ("houses", "rmse"))
    for arm in "ab"
    for seed in range(3)
]


@pytest.fixture(scope="module")
def document() -> str:
    known, table, _, frozen = result()
    return render(known, frozen, table, CURVES)


def headings(reader: Reader) -> list[str]:
    return [text for tag, text in reader.texts if tag == "h2"]


def test_the_page_is_well_formed_and_says_the_verdicts_first(document: str) -> None:
    reader = Reader(document)
    texts = [text for _, text in reader.texts]
    assert texts.index("A beats <b> & all.") < texts.index("Task by task")
    assert texts.index("They do not differ.") < texts.index("Task by task")
    assert headings(reader) == [
        "Task by task", "While training", "What tuning saw", "Score against tuning budget", "Every arm", "Repeat it",
        "What would change our mind",
    ]  # fmt: skip
    assert len([1 for found in reader.all("section") if "verdict" in found.get("class", "")]) == 2


def test_nothing_is_fetched_from_anywhere(document: str) -> None:
    reader = Reader(document)
    assert not [found for _, found in reader.tags if {"src", "srcset"} & set(found)]
    links = {found["href"] for found in reader.all("a")}
    assert all(link.startswith("http://127.0.0.1:5000/#/experiments/7/runs/") for link in links)
    assert len(links) == 14, "every run has a link, its id once"  # two tasks share the ids of trials and runs


def test_the_page_comes_out_of_the_files_alone_and_always_the_same(document: str, tmp_path: Path) -> None:
    known, table, _, frozen = result()
    write_verdict(tmp_path, frozen)
    write_curves(tmp_path / "curves.csv", CURVES)
    (tmp_path / "runs.csv").write_text(as_csv(table), encoding="utf-8", newline="")
    again = render(
        known, read_verdict(tmp_path), read_rows(tmp_path / "runs.csv"), read_curves(tmp_path / "curves.csv")
    )
    assert again == document


def test_without_curves_and_tuning_their_parts_are_left_out() -> None:
    known, table, _, frozen = result()
    reader = Reader(render(known, frozen, [row for row in table if row.role == "final"]))
    assert headings(reader) == ["Task by task", "Every arm", "Repeat it", "What would change our mind"]


def diverged() -> tuple[Study, list, Frozen]:
    known = result()[0]
    table = [row for row in rows() if (row.task, row.arm, row.seed) != ("houses", "a", 1)]
    table.append(lost(task="houses", arm="a", seed=1))
    judged = judge(known, table, 3)
    return known, table, freeze(known, judged, table, 3, {}, {})


def test_a_study_with_diverged_runs_is_shown_whole_and_counts_them() -> None:
    known, table, frozen = diverged()
    reader = Reader(render(known, frozen, table))
    texts = [text for _, text in reader.texts]
    assert texts[texts.index("diverged, of A and of B") + 1] == "1 and 0"
    assert not reader.all("a"), "and without a store there are no links"


def test_disagreement_between_intervals_is_said_beside_the_verdict() -> None:
    known, table, _, frozen = result()
    odd = {**frozen.claims["better"], "overall": {**frozen.claims["better"]["overall"], "disagree": ["BCa bootstrap"]}}
    page = render(known, dataclasses.replace(frozen, claims={**frozen.claims, "better": odd}), table)
    assert "Intervals disagree" in page
    assert page.index("over all tasks: BCa bootstrap") < page.index("Task by task")


def test_the_effect_is_in_margins_over_several_tasks_and_in_the_metrics_unit_on_one(document: str) -> None:
    names = [text for tag, text in Reader(document).texts if tag == "dt" and text.startswith("effect")]
    assert names == [
        "effect A − B [95 % interval], in margins, over all tasks",
        "effect A − B [90 % interval], in test/accuracy",
    ]
    texts = [text for _, text in Reader(document).texts]
    assert texts[texts.index(names[1]) + 3] == "0.05", "its margin, in the same unit"


def test_an_arms_row_holds_mean_interval_choice_and_cost(document: str) -> None:
    n, mean, low, high = summary_of_arm(rows(), result()[0].tasks["digits"], "a")
    assert n == 3
    assert low < mean < high
    assert mean == pytest.approx(0.9, abs=0.01)
    cells = [text for tag, text in Reader(document).texts if tag == "td"]
    assert "optimizer.lr=0.01" in cells


def test_the_readme_says_claim_verdict_effect_picture_commands_and_what_would_change_it() -> None:
    known, table, judged, frozen = result()
    text = readme(known, frozen, judged, table)
    verdict = str(judged[0].overall.verdict)
    assert text.startswith("# Is a better than b?\n")
    assert re.search(rf"^## . {verdict.capitalize()}: A beats <b> & all\.$", text, re.M)
    assert "![Is a better than b?](verdict.svg)" in text
    assert "$ lorelab study run worked scale=smoke\n" in text
    assert "Another outcome." in text
    assert len(re.findall(r"^\| (digits|houses) ", text, re.M)) == 3
    assert readme(known, frozen, judged, table) == text


def test_where_nothing_is_said_would_change_our_mind_the_claims_are_named() -> None:
    known, table, judged, frozen = result()
    assert "contradict those above (better, same)" in readme(
        dataclasses.replace(known, change=""), frozen, judged, table
    )


def test_what_was_overridden_is_part_of_the_commands() -> None:
    known, _, _, frozen = result()
    facts = {**frozen.facts, "overrides": ["trainer.max_epochs=1"]}
    assert "lorelab study run worked scale=smoke trainer.max_epochs=1\n" in commands(
        known, dataclasses.replace(frozen, facts=facts)
    )


def test_the_index_lists_claims_by_question_with_links_to_the_reports() -> None:
    known, _, _, frozen = result()
    other = dataclasses.replace(known, name="other", question="Q9", title="Another")
    reader = Reader(render_index([(other, frozen), (known, frozen)]))
    assert headings(reader) == ["Q0", "Q9"]
    assert [found["href"] for found in reader.all("a")] == ["worked/report.html", "other/report.html"]
    assert len([1 for found in reader.all("section") if "verdict" in found.get("class", "")]) == 4


def test_the_picture_for_the_readme_is_a_drawing_of_its_own() -> None:
    known, _, judged, _ = result()
    assert picture(forest(known, judged[0])).startswith("<svg")


def test_what_tuning_chose_at_the_end_of_what_it_tried_is_marked() -> None:
    known, table, _, frozen = result()
    tried = [dataclasses.replace(each, trial=2, params={"optimizer.lr": 0.1}, score=0.5) for each in table[:1]]
    chosen = {"digits/a": {"optimizer.lr": 0.1}, "houses/a": {"optimizer.lr": 0.001}}
    page = render(known, dataclasses.replace(frozen, chosen=chosen), [*table, *tried])
    assert "optimizer.lr=0.1 (highest tried)" in page
    assert "optimizer.lr=0.001 (" not in page, "of two trials each is at an end"


def test_the_readme_has_the_numbers_of_declared_pictures() -> None:
    known, table, judged, frozen = result()
    drawn = Picture("Sign changes", "mechanism/signs", "layers", {"houses": 4.0, "digits": 2.0})
    measured = [
        dataclasses.replace(each, metrics=each.metrics | {"mechanism/signs": 0.25 if each.task == "digits" else 0.5})
        for each in table
    ]
    text = readme(dataclasses.replace(known, pictures=(drawn,)), frozen, judged, measured)
    assert "| mean of mechanism/signs | digits | houses |" in text
    assert "| Adam | 0.25 | 0.5 |" in text


def test_a_try_at_smoke_scale_says_that_its_verdicts_mean_nothing() -> None:
    known, table, _, frozen = result()
    assert "smoke (a try: these verdicts mean nothing)" in render(known, frozen, table)
