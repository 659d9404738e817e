import base64
import hashlib
import re
from html.parser import HTMLParser
from xml.etree.ElementTree import fromstring

import pytest
from test_chart import HOSTILE
from worked_pages import examples, response_curve

from lorelab.pages.page import Code, Details, Figure, Heading, Paragraph, Verdict, page, picture
from lorelab.pages.table import Cell, Table

VOID = {"meta"}


class Reader(HTMLParser):
    """Every start tag with its attributes, the text by tag; insists that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def document() -> str:
    return examples()


def test_the_worked_example_is_well_formed_and_can_be_written(document: str, tmp_path) -> None:
    file = tmp_path / "report.html"
    file.write_text(document, encoding="utf-8")
    reader = Reader(file.read_text(encoding="utf-8"))
    assert len(reader.all("figure")) == 7
    assert len([1 for attributes in reader.all("svg") if attributes.get("class") == "chart"]) == 8
    assert document.startswith('<!doctype html>\n<html lang="en">')


def test_the_same_parts_give_the_same_bytes(document: str) -> None:
    assert examples() == document


def test_nothing_is_fetched_and_only_our_script_may_run(document: str) -> None:
    reader = Reader(document)
    assert not [
        name for name, found in reader.tags if {"src", "srcset", "data", "style"} & set(found) or name == "link"
    ]
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp", document)
    (script,) = [data for tag, data in reader.texts if tag == "script"]
    (policy,) = [found["content"] for found in reader.all("meta") if "http-equiv" in found]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy
    assert not [name for _, found in reader.tags for name in found if name.startswith("on")]


def test_every_mark_of_every_figure_has_a_title(document: str) -> None:
    marks = re.findall(r'<g class="mark[^"]*">(.{7})', document)
    assert len(marks) > 200
    assert set(marks) == {"<title>"}


def test_hostile_text_is_nowhere_markup() -> None:
    parts = [
        Verdict(HOSTILE, HOSTILE, "good", [(HOSTILE, HOSTILE)]),
        Heading(HOSTILE),
        Paragraph(HOSTILE, "runs.csv", HOSTILE),
        Table([HOSTILE], [[HOSTILE], [Cell(1.0, HOSTILE, title=HOSTILE)]], HOSTILE),
        Code(HOSTILE),
        Details(HOSTILE, [Paragraph(HOSTILE)]),
        Figure(response_curve(), HOSTILE),
    ]
    document = page(HOSTILE, parts, HOSTILE, HOSTILE)
    document.encode("utf-8")
    assert len(Reader(document).all("script")) == 1
    assert "<script>alert" not in document
    assert "\x00" not in document


@pytest.mark.parametrize(("tone", "sign"), [("good", "✓ "), ("bad", "✗ "), ("open", "? ")])
def test_a_verdict_is_never_told_by_colour_alone(tone: str, sign: str) -> None:
    document = page("t", [Verdict("claim", "Word", tone)])
    assert f'<section class="verdict {tone}">' in document
    assert f"<span>{sign}</span>Word" in document


def test_commands_keep_their_line_breaks() -> None:
    assert "<code>lorelab a\n  b</code>" in page("t", [Code("lorelab a\n  b")])


def test_links_that_could_run_code_are_refused() -> None:
    for part in (Paragraph("x", "javascript:alert(1)"), Table(["a"], [[Cell("x", href="data:text/html,x")]])):
        with pytest.raises(ValueError, match="expected http://, https:// or a relative address"):
            page("t", [part])


def test_a_picture_alone_is_an_svg_file_with_its_own_colours() -> None:
    root = fromstring(picture(response_curve()))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in (root[0].text or "")
