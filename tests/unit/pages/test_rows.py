import math

import pytest
from test_chart import HOSTILE, drawn, of_class, places, titles

from lorelab.pages.marks import Axis, Bar, Interval, Rule
from lorelab.pages.rows import Rows

DIFFERENCE = Axis("difference", low=-1.0, high=1.0)
LEFT, MIDDLE, RIGHT = 12.0, 197.0, 382.0


def test_an_estimate_stands_between_its_ends_and_says_so() -> None:
    root = drawn(Rows("t", DIFFERENCE, [Interval("digits", 0.5, 0.0, 1.0, "good", "n = 10")], signed=True))
    assert places(root, "dot")[0][0] == pytest.approx((MIDDLE + RIGHT) / 2)
    (line,) = of_class(root, "line")
    assert line.get("d", "").startswith(f"M{MIDDLE:.2f} ")
    assert f"H{RIGHT:.2f}" in line.get("d", "")
    assert titles(root) == ["digits\nn = 10\n+0.5 [0.0, +1.0] ✓"]


def test_the_margin_is_a_band_between_two_lines() -> None:
    root = drawn(Rows("t", DIFFERENCE, [Interval("digits", 0.5, 0.0, 1.0)], margin=0.2))
    (band,) = of_class(root, "shade")
    assert float(band.get("x", "")) == pytest.approx(MIDDLE - 37.0)
    assert float(band.get("width", "")) == pytest.approx(74.0)
    assert [label.text for label in of_class(root, "rule-label")] == ["−0.2", "margin +0.2"]


def test_an_axis_that_is_not_set_shows_margin_rules_and_intervals() -> None:
    rows = Rows("t", Axis("d"), [Interval("a", 0.0, -0.1, 0.1)], margin=2.0, rules=[Rule(3.0, "elsewhere")])
    root = drawn(rows)
    ends = sorted(float(mark.find("path").get("d", "M0")[1:].split()[0]) for mark in of_class(root, "rule"))
    assert LEFT < ends[0] < ends[-1] < RIGHT


def test_an_interval_that_goes_on_has_no_cap_there() -> None:
    root = drawn(Rows("t", DIFFERENCE, [Interval("a", 0.0, -math.inf, 0.5)]))
    (line,) = of_class(root, "line")
    assert line.get("d", "").startswith(f"M{LEFT:.2f} ")
    assert line.get("d", "").count("v8") == 1


def test_a_diverged_estimate_is_a_cross_and_called_so() -> None:
    root = drawn(Rows("t", DIFFERENCE, [Interval("a", math.nan, math.nan, math.nan, "bad")]))
    assert len(of_class(root, "cross")) == 1
    assert titles(root) == ["a\ndiverged ✗"]


def test_the_overall_row_is_a_diamond_over_its_interval() -> None:
    root = drawn(Rows("t", DIFFERENCE, [Interval("all", 0.0, -0.5, 0.5, overall=True)]))
    (diamond,) = of_class(root, "dot")
    assert diamond.get("d", "").startswith(f"M{(LEFT + MIDDLE) / 2:.2f} ")
    assert diamond.get("d", "").endswith("z")


def test_bars_begin_at_zero_on_either_side() -> None:
    root = drawn(Rows("t", DIFFERENCE, [Bar("up", 0.5), Bar("down", -0.5, low=-0.6, high=-0.4)]))
    bars = [(float(bar.get("x", "")), float(bar.get("width", ""))) for bar in of_class(root, "bar")]
    assert bars == [(MIDDLE, 92.5), (MIDDLE - 92.5, 92.5)]
    assert len(of_class(root, "line")) == 1
    assert titles(root) == ["up\n0.5", "down\n−0.50 [−0.60, −0.40]"]


def test_a_bar_without_a_finite_value_has_no_length() -> None:
    root = drawn(Rows("t", Axis("share"), [Bar("a", math.nan), Bar("b", 0.5)]))
    assert [float(bar.get("width", "")) > 0 for bar in of_class(root, "bar")] == [False, True]


def test_no_rows_still_give_a_picture() -> None:
    assert "no data" in [element.text for element in drawn(Rows("t", DIFFERENCE, [])).iter("text")]


def test_hostile_rows_stay_text_and_their_links_safe() -> None:
    root = drawn(Rows(HOSTILE, Axis(HOSTILE), [Interval(HOSTILE, 0, -1, 1, title=HOSTILE), Bar(HOSTILE, 1)]))
    assert not list(root.iter("script"))
    with pytest.raises(ValueError, match="javascript"):
        Rows("t", DIFFERENCE, [Interval("a", 0, -1, 1, href="javascript:alert(1)")]).draw()
