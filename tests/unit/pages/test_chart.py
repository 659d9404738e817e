import math
import re
from xml.etree.ElementTree import Element, fromstring, tostring

import numpy as np
import pytest

from lorelab.pages.chart import Chart
from lorelab.pages.marks import Axis, Line, Point, Points, Rule
from lorelab.pages.page import Picture, picture

HOSTILE = '</title><script>alert("1")</script>&\x00\ud800\''
X, Y = Axis("x"), Axis("y")


def drawn(chart: Picture) -> Element:
    """The picture, written as a file and read again, without namespaces and style."""
    root = fromstring(picture(chart))
    root.remove(root[0])
    for element in root.iter():
        element.tag = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
    return root


def of_class(root: Element, name: str) -> list[Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def titles(root: Element) -> list[str]:
    return [element.findtext("title") or "" for element in of_class(root, "mark")]


def places(root: Element, kind: str) -> list[tuple[float, float]]:
    """Of the markers of the marks (those of the legend have no title)."""
    shapes = [shape for mark in of_class(root, "mark") for shape in of_class(mark, kind)]
    numbers = [re.findall(r"-?[\d.]+", shape.get("transform", "")) for shape in shapes]
    return [(float(across), float(down)) for across, down in numbers]


def frame(root: Element) -> tuple[float, float, float, float]:
    """Left, right, top and bottom pixel of the grid, where the outermost ticks lie on the ends of set axes."""
    paths = [element.get("d", "") for element in of_class(root, "grid")]
    rows = [re.match(r"M([\d.]+) ([\d.]+)H([\d.]+)", path) for path in paths]
    downs = [float(row[2]) for row in rows if row]
    first = next(row for row in rows if row)
    return float(first[1]), float(first[3]), min(downs), max(downs)


def test_points_stand_where_their_values_say() -> None:
    x, y = Axis("x", low=0.0, high=10.0), Axis("y", low=0.0, high=1.0)
    points = [Point(0.0, 0.0), Point(5.0, 0.5), Point(10.0, 1.0), Point(2.5, 0.75)]
    root = drawn(Chart("squares", x, y, [Points("a", points)], height=200.0))
    left, right, top, bottom = frame(root)
    assert bottom - top == pytest.approx(200.0)
    expected = [
        (left, bottom),
        ((left + right) / 2, (top + bottom) / 2),
        (right, top),
        (left + 0.25 * (right - left), bottom - 150.0),
    ]
    for found, wanted in zip(places(root, "dot"), expected, strict=True):
        assert found == pytest.approx(wanted, abs=0.02)


def test_every_mark_says_what_it_is() -> None:
    points = [Point(1.0, 0.5, "bold-hare\nseed 3"), Point(2.0, math.nan)]
    marks = [Points("runs", points), Line("mean", [1, 2], [0.5, 0.25], [0.4, 0.2], [0.6, 0.3]), Rule(1.5, "best")]
    said = titles(drawn(Chart("t", Axis("lr"), Axis("accuracy"), marks)))
    assert said == [
        "bold-hare\nseed 3\nlr: 1\naccuracy: 0.5",
        "runs\nlr: 2\naccuracy: NaN",
        "mean",
        "mean\nlr: 1\naccuracy: 0.50 [0.40, 0.60]",
        "mean\nlr: 2\naccuracy: 0.25 [0.20, 0.30]",
        "best: 1.5",
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e120])
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_diverged_point_is_a_cross_beyond_the_worse_end(value: float, better: str) -> None:
    marks = [Points("a", [Point(1.0, 0.5), Point(2.0, 0.75), Point(3.0, value)])]
    root = drawn(Chart("t", X, Axis("y", better=better), marks))
    ((_, lane),) = places(root, "cross")
    dots = [down for _, down in places(root, "dot")]
    assert len(dots) == 2
    assert lane > max(dots) + 9 if better == "higher" else lane < min(dots) - 9
    assert "diverged" in [element.text for element in of_class(root, "tick-label")]


def test_without_divergence_there_is_no_lane() -> None:
    assert not of_class(drawn(Chart("t", X, Y, [Points("a", [Point(1.0, 0.5)])])), "lane")


def test_what_lies_outside_a_set_axis_stands_hollow_at_its_edge() -> None:
    points = [Point(1.0, 0.5), Point(2.0, 500.0), Point(math.nan, 0.5)]
    root = drawn(Chart("t", X, Axis("y", low=0.0, high=1.0), [Points("a", points)]))
    left, _, top, _ = frame(root)
    above, nowhere = places(root, "outside")
    assert above[1] == pytest.approx(top)
    assert nowhere[0] == pytest.approx(left)
    assert "y: 500" in titles(root)[1]


def test_arrays_are_drawn_as_lists_are() -> None:
    columns = [[0.0, 1.0, 2.0], [1.0, 2.0, 4.0], [0.5, 1.5, 3.5], [1.5, 2.5, 4.5]]
    lists = Chart("t", X, Y, [Line("a", *columns), Points("b", [Point(1.0, 2.0)])])
    arrays = Chart("t", X, Y, [Line("a", *map(np.array, columns)), Points("b", [Point(np.float64(1), np.int64(2))])])
    assert picture(arrays) == picture(lists)


def test_a_line_breaks_where_its_value_is_not_finite() -> None:
    line = Line("a", [0, 1, 2, 3, 4], [1.0, 2.0, math.nan, 2.0, 1.0], [0.5, 1.5, 1.5, 1.5, 0.5], [1.5] * 5)
    root = drawn(Chart("t", X, Y, [line]))
    (path,) = of_class(root, "line")
    assert path.get("d", "").count("M") == 2
    (band,) = of_class(root, "band")
    assert band.get("d", "").count("M") == 1


def test_a_step_line_turns_only_at_right_angles() -> None:
    root = drawn(Chart("t", X, Y, [Line("best", [0, 1, 2], [3.0, 2.0, 2.0], step=True)]))
    (path,) = of_class(root, "line")
    assert re.fullmatch(r"M[\d.]+ [\d.]+(H[\d.]+V[\d.]+)+", path.get("d", ""))


def test_series_share_colour_with_their_points_and_differ_from_each_other() -> None:
    marks = [Points("a", [Point(1, 1)]), Points("b", [Point(1, 2)]), Line("a", [1, 2], [1, 2])]
    root = drawn(Chart("t", X, Y, marks))
    classes = [element.get("class") for element in of_class(root, "mark")]
    assert classes == ["mark s0", "mark s1", "mark s0"]
    shapes = [of_class(element, "dot")[0].get("d") for element in of_class(root, "mark")[:2]]
    assert shapes[0] != shapes[1]
    legend = [group for group in root if group.tag == "g" and group.find("text") is not None]
    assert [group.findtext("text") for group in legend] == ["a", "b"]


def test_thirty_series_are_all_different() -> None:
    marks = [Points(f"series {index}", [Point(index, index)]) for index in range(30)]
    root = drawn(Chart("t", X, Y, marks))
    looks = {(mark.get("class"), of_class(mark, "dot")[0].get("d")) for mark in of_class(root, "mark")}
    assert len(looks) == 30


def test_one_series_needs_no_legend() -> None:
    root = drawn(Chart("t", X, Y, [Points("a", [Point(1, 1)])]))
    assert not [group for group in root if group.tag == "g" and group.find("text") is not None]


def test_labels_of_rules_never_overlap() -> None:
    from lorelab.pages.frame import SMALL
    from lorelab.pages.nodes import width

    rules = [Rule(10.0 ** (-3 + 0.1 * index), f"reference number {index}") for index in range(6)]
    root = drawn(Chart("t", Axis("lr", log=True), Axis("validation accuracy"), [Points("a", [Point(1e-5, 1)]), *rules]))
    boxes = [
        (float(text.get("y", "")), float(text.get("x", "")), float(text.get("x", "")) + width(text.text or "", SMALL))
        for text in of_class(root, "rule-label")
    ]
    assert len(boxes) == 6
    for index, (line, left, right) in enumerate(boxes):
        assert 0 <= left < right <= 400
        assert all(line != other or right < start or end < left for other, start, end in boxes[index + 1 :])


def test_labels_of_near_levels_stand_side_by_side() -> None:
    rules = [Rule(0.5, "best", "y"), Rule(0.501, "margin", "y"), Rule(1.0, "top", "y"), Rule(0.0, "floor", "y")]
    root = drawn(Chart("t", X, Axis("y", low=0.0, high=1.0), [Points("a", [Point(1, 0.2)]), *rules]))
    spots = {text.text: (float(text.get("x", "")), float(text.get("y", ""))) for text in of_class(root, "rule-label")}
    assert spots["margin"][0] == spots["top"][0] == spots["floor"][0] > spots["best"][0] + 30
    _, _, top, bottom = frame(root)
    assert all(top < down < bottom for _, down in spots.values())


def test_a_rule_shades_its_side() -> None:
    root = drawn(
        Chart("t", Axis("x", low=0.0, high=10.0), Y, [Points("a", [Point(1, 1)]), Rule(4.0, "edge", shade="above")])
    )
    (area,) = of_class(root, "shade")
    left, right, _, _ = frame(root)
    assert float(area.get("x", "")) == pytest.approx(left + 0.4 * (right - left), abs=0.02)
    assert float(area.get("width", "")) == pytest.approx(0.6 * (right - left), abs=0.02)


def test_links_are_web_addresses_or_refused() -> None:
    chart = Chart("t", X, Y, [Points("a", [Point(1, 1, href="http://127.0.0.1:5000/#/runs/1?a=1&b=2")])])
    root = drawn(chart)
    assert [element.get("href") for element in root.iter("a")] == ["http://127.0.0.1:5000/#/runs/1?a=1&b=2"]
    assert root.get("role") == "group"
    with pytest.raises(ValueError, match="expected http://, https:// or a relative address"):
        Chart("t", X, Y, [Points("a", [Point(1, 1, href=" JavaScript:alert(1)")])]).draw()


@pytest.mark.parametrize(
    "marks",
    [
        [],
        [Points("a", [])],
        [Line("a", [], [])],
        [Line("a", [1.0, 2.0], [math.nan, math.nan])],
        [Points("a", [Point(math.nan, math.nan), Point(math.inf, -math.inf)])],
        [Points("a", [Point(1e-3, 0.5)]), Rule(math.nan, "no edge")],
        [Points("a", [Point(0.0, 0.0), Point(-1.0, 1e-320)])],
    ],
)
@pytest.mark.parametrize("log", [False, True])
def test_empty_and_degenerate_input_still_gives_a_picture(marks: list, log: bool) -> None:
    root = drawn(Chart("t", Axis("x", log=log), Axis("y", log=log), marks))
    text = tostring(root, encoding="unicode")
    assert "nan" not in text.replace("NaN", "")
    assert "inf" not in text
    assert of_class(root, "tick-label")


def test_an_empty_picture_says_so() -> None:
    assert "no data" in [element.text for element in drawn(Chart("t", X, Y, [])).iter("text")]


def test_hostile_labels_stay_text() -> None:
    marks = [
        Points(HOSTILE, [Point(1, 1, HOSTILE)]),
        Line(HOSTILE + "2", [1], [1]),
        Rule(1, HOSTILE),
        Rule(1, HOSTILE, "y"),
    ]
    root = drawn(Chart(HOSTILE, Axis(HOSTILE), Axis(HOSTILE), marks))
    assert not list(root.iter("script"))
    assert "<script>" in (root.get("aria-label") or "")


def test_whole_axes_label_whole_numbers_only() -> None:
    root = drawn(Chart("t", Axis("trial", whole=True), Y, [Points("a", [Point(0, 1), Point(1, 2)])]))
    labels = [element for element in of_class(root, "tick-label") if element.get("text-anchor") == "middle"]
    assert [label.text for label in labels] == ["0", "1"]


def test_impossible_axes_and_lines_are_refused() -> None:
    with pytest.raises(ValueError, match="ends of a log axis must be above 0"):
        Axis("lr", log=True, low=0.0)
    with pytest.raises(ValueError, match=r"low 2\.0 is not below high 1\.0"):
        Axis("y", low=2.0, high=1.0)
    with pytest.raises(ValueError, match="expected one count"):
        Line("a", [1, 2], [1])
    with pytest.raises(ValueError, match="expected one count"):
        Line("a", [1, 2], [1, 2], low=[0, 1])
