"""Exact claims from their declaration to the page, and claims with a measure of their own."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from worked_study import plain, result, row, rows

from lorelab.errors import ConfigError, LorelabError
from lorelab.studies.evidence import Evidence, Plot, Trace
from lorelab.studies.exact import prove, proven_from
from lorelab.studies.folder import freeze, read_verdict, write_verdict
from lorelab.studies.index import render_index
from lorelab.studies.judge import judge
from lorelab.studies.measured import declared, measured, response
from lorelab.studies.reading import parse
from lorelab.studies.readme import readme
from lorelab.studies.report import render

CLAIM = {
    "name": "rounds", "kind": "exact", "says": "One and one is two.", "identity": "lorelab.identities.softmax_offset",
    "tolerances": {"float64": 1e-12, "float32": 1e-5},
}  # fmt: skip
PLOT = Plot("Sums", "n", "sum", [Trace("one and one", [0.0, 1.0, 2.0], [2.0, 2.00000049, math.nan])], "How it goes.")


def evidence(float32: float = 2e-6) -> Evidence:
    return Evidence({"float64": np.array([0.0, -1e-13]), "float32": np.array([float32, 0.0])}, {"two": 2.0}, [PLOT])


def study(**claim):
    return parse("worked", plain(seeds=3, claims=[*plain()["claims"], {**CLAIM, **claim}]), "smoke", "worked.yaml")


def frozen(float32: float = 2e-6):
    known, table = study(), rows(3)
    judged = judge(known, table, 3)
    proven = [prove(known.identities[0], evidence(float32))]
    return known, table, judged, freeze(known, judged, table, 3, {}, result()[3].facts, proven)


def test_an_exact_claim_needs_no_arms_and_is_no_comparison() -> None:
    known = study()
    assert [claim.name for claim in known.claims] == ["better", "same"]
    (identity,) = known.identities
    assert (identity.name, identity.function) == ("rounds", "lorelab.identities.softmax_offset")
    assert identity.tolerances == {"float64": 1e-12, "float32": 1e-5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"identity": ""}, "claims.rounds.identity"),
        ({"says": " "}, "claims.rounds.says"),
        ({"tolerances": {"float64": 1e-12}}, "a number above 0 for each of float64 and float32"),
        ({"tolerances": {"float64": 0, "float32": 1e-5}}, "claims.rounds.tolerances"),
        ({"a": "a"}, "no key 'a' here"),
    ],
)
def test_what_is_wrong_with_it_is_said(change, message) -> None:
    with pytest.raises(ConfigError, match=message):
        study(**change)


def test_it_is_kept_with_its_numbers_and_comes_back_from_json(tmp_path) -> None:
    known, _, _, kept = frozen()
    write_verdict(tmp_path, kept)
    again = read_verdict(tmp_path)
    assert again == kept
    plain = json.loads(json.dumps(kept.identities))["rounds"]
    assert (plain["verdict"], plain["numbers"], plain["tolerances"]) == ("supported", {"two": 2.0}, CLAIM["tolerances"])
    (proven,) = proven_from(known, again.identities)
    assert proven.decision.by_dtype == pytest.approx({"float64": 0.1, "float32": 0.2})
    trace = proven.plots[0].traces[0]
    assert trace.y[:2] == [2.0, 2.0]  # six digits
    assert math.isnan(trace.y[2])


def test_verdicts_of_other_identities_than_declared_are_refused() -> None:
    known, _, _, kept = frozen()
    with pytest.raises(LorelabError, match="found verdicts on the identities rounds; expected them on other"):
        proven_from(replace(known, identities=(replace(known.identities[0], name="other"),)), kept.identities)


@pytest.mark.parametrize(("deviation", "word"), [(2e-6, "Supported"), (2e-5, "Refuted")])
def test_it_stands_on_the_page_in_the_readme_and_in_the_index(deviation, word) -> None:
    known, table, judged, kept = frozen(deviation)
    largest = {2e-6: "2×10⁻⁶", 2e-5: "0.00002"}[deviation]
    for text in (render(known, kept, table), readme(known, kept, judged, table), render_index([(known, kept)])):
        assert "One and one is two." in text
        assert word in text
        assert f"{largest} (0.00001)" in text or f"largest in float32 (tolerance): {largest} (0.00001)" in text
    assert "How it goes." in render(known, kept, table)
    assert "| two | 2 |" in readme(known, kept, judged, table)


def test_a_claim_may_compare_another_metric_than_its_tasks() -> None:
    claim = {"name": "calibrated", "kind": "superiority", "a": "a", "b": "b", "tasks": ["digits"], "says": "Better.",
             "metric": "test/calibration_error", "mode": "min", "worst": 1.0, "margin": 0.1}  # fmt: skip
    known = parse("worked", plain(seeds=3, claims=[claim]), "smoke", "worked.yaml")
    noise = [0.0, 0.001, -0.001]
    table = [
        row("digits", arm, seed, metrics={"test/accuracy": 0.5, "test/calibration_error": error + noise[seed]})
        for arm, error in (("a", 0.1), ("b", 0.4))
        for seed in range(3)
    ]
    (judged,) = judge(known, table, 3)
    assert judged.by_task["digits"].estimate == pytest.approx(0.3)  # less is better
    assert judged.by_task["digits"].margin == 0.1
    for missing in ("margin", "mode"):
        with pytest.raises(ConfigError, match=f"claims.calibrated.{missing}"):
            parse("w", plain(claims=[{k: v for k, v in claim.items() if k != missing}]), "smoke", "w.yaml")


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"optimizer.lr": [0.1, 0.01, 0.001]}, "three values or more, above 0 and ascending"),
        ({"optimizer.lr": [0.1, 1.0]}, "three values or more"),
        ({"optimizer.lr": [0.0, 0.1, 1.0]}, "above 0"),
        ([0.1, 0.2, 0.3], "one key with its values"),
    ],
)
def test_a_grid_that_is_none_is_refused(over, message) -> None:
    claim = plain()["claims"][0] | {"over": over, "margin": 0.5}
    with pytest.raises(ConfigError, match=message):
        parse("w", plain(claims=[claim]), "smoke", "w.yaml")


def test_a_declared_picture_shows_means_over_seeds_where_the_tasks_stand() -> None:
    picture = {"title": "Signs", "metric": "mechanism/sign_changes", "x": "layers", "tasks": {"houses": 4, "digits": 2}}
    known = parse("w", plain(seeds=3, pictures=[picture]), "smoke", "w.yaml")
    table = [
        row(task, arm, seed, metrics={"mechanism/sign_changes": base + 0.01 * seed})
        for task, base in (("digits", 0.1), ("houses", 0.3))
        for arm in "ab"
        for seed in range(3)
    ]
    chart = declared(known, known.pictures[0], table)
    assert [list(line.x) for line in chart.marks] == [[2.0, 4.0]] * 2
    assert chart.marks[0].y == pytest.approx([0.11, 0.31])
    assert chart.marks[0].low[0] == pytest.approx(0.11 - 4.302653 * 0.01 / 3**0.5, abs=1e-6)
    assert len(list(measured(known, table))) == 2  # a heading and the gallery
    with pytest.raises(ConfigError, match=r"pictures\.0\.tasks"):
        parse("w", plain(pictures=[picture | {"tasks": {"cars": 1}}]), "smoke", "w.yaml")


def test_the_response_to_a_grid_is_shown_near_the_best_of_the_means() -> None:
    claim = {"name": "wider", "kind": "superiority", "a": "a", "b": "b", "tasks": ["houses"], "says": "Wider.",
             "over": {"optimizer.lr": [0.01, 0.1, 1.0]}, "margin": 0.5}  # fmt: skip
    known = parse("w", plain(seeds=2, claims=[claim]), "smoke", "w.yaml")
    table = [
        row("houses", arm, seed, value, role="grid", params={"optimizer.lr": rate}, metrics={})
        for arm in "ab"
        for seed in range(2)
        for rate, value in ((0.01, 50.0), (0.1, 52.0 + seed), (1.0, 1e9 if seed else math.nan))
    ]
    chart = response(known, known.tasks["houses"], known.claims[0].grid, table)
    assert (chart.y.label, chart.y.low, chart.y.high, chart.y.better) == ("val/rmse", 46.0, 80.0, "lower")
    assert list(chart.marks[0].y[:2]) == [50.0, 52.5]
    assert math.isnan(chart.marks[0].y[2])  # one run is left: no mean over seeds
    assert len(list(measured(known, table))) == 3
