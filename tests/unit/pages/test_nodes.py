import pytest

from lorelab.pages.nodes import markup, node, safe_href, shorten, width, wrap


def test_content_and_attributes_are_escaped() -> None:
    assert markup(node("p", "a < b & c", node("b", ">"), "tail", title='say "x"')) == (
        '<p title="say &quot;x&quot;">a &lt; b &amp; c<b>&gt;</b>tail</p>'
    )


def test_names_that_python_cannot_write_and_absent_values() -> None:
    assert markup(node("path", class_="a", stroke_width=1.50, x=-0.001, id=None)) == (
        '<path class="a" stroke-width="1.5" x="0"></path>'
    )


def test_characters_that_no_document_may_hold_are_replaced() -> None:
    assert markup(node("p", "a\x00b\ud800c\td")) == "<p>a\ufffdb\ufffdc\td</p>"


@pytest.mark.parametrize("href", ["https://x.org/a:b", "runs/1", "#top", "../a:b", "?a=1:2"])
def test_addresses_that_are_safe(href: str) -> None:
    assert safe_href(href) == href


@pytest.mark.parametrize("href", ["javascript:x", " JAVASCRIPT:x", "data:text/html,x", "java\nscript:x", "file:///x"])
def test_addresses_that_are_not(href: str) -> None:
    with pytest.raises(ValueError, match="expected http"):
        safe_href(href)


def test_texts_are_broken_between_words_and_shortened_within() -> None:
    lines = wrap("one two three four five six seven", 12.0, 80.0)
    assert " ".join(lines) == "one two three four five six seven"
    assert len(lines) > 2
    assert all(width(line, 12.0) <= 80.0 for line in lines)
    long = shorten("a" * 100, 12.0, 80.0)
    assert long.endswith("…")
    assert 70.0 < width(long, 12.0) <= 85.0
    assert wrap("", 12.0, 80.0) == []
