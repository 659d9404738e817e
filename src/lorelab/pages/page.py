"""One self-contained HTML file: verdict, words, figures, tables, commands; no network, readable without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Protocol
from xml.etree.ElementTree import Element, tostring

from lorelab.pages.chart import Chart
from lorelab.pages.grid import Grid
from lorelab.pages.marks import SIGNS, Tone
from lorelab.pages.nodes import markup, node, safe_href
from lorelab.pages.rows import Rows

Picture = Chart | Rows | Grid


class Part(Protocol):
    """Anything that stands in a page."""

    def draw(self) -> Element:
        """The element."""


@dataclass(frozen=True)
class Verdict:
    """The box at the top: what was claimed, what came of it, and the numbers that decided."""

    claim: str
    word: str
    """Supported, refuted, inconclusive; or the value that a sweep found."""
    tone: Tone
    facts: Sequence[tuple[str, str]] = ()
    """Name and value: effect, interval, margin, number of seeds."""
    picture: Picture | None = None

    def draw(self) -> Element:
        """A coloured box with the verdict's sign before its word."""
        word = node("p", node("span", f"{SIGNS[self.tone]} ") if SIGNS[self.tone] else None, self.word, class_="word")
        facts = [node("div", node("dt", name), node("dd", value)) for name, value in self.facts]
        listed = node("dl", *facts) if facts else None
        picture = self.picture.draw() if self.picture else None
        return node(
            "section", node("p", self.claim, class_="claim"), word, listed, picture, class_=f"verdict {self.tone}"
        )


@dataclass(frozen=True)
class Heading:
    """The title of what follows."""

    text: str

    def draw(self) -> Element:
        """A heading of the second rank."""
        return node("h2", self.text)


@dataclass(frozen=True)
class Paragraph:
    """Plain words, with a link after them if there is one."""

    text: str
    href: str = ""
    link: str = ""
    """What the link says; the address itself if nothing else."""

    def draw(self) -> Element:
        """A paragraph."""
        if not self.href:
            return node("p", self.text)
        return node(
            "p", f"{self.text} " if self.text else None, node("a", self.link or self.href, href=safe_href(self.href))
        )


@dataclass(frozen=True)
class Figure:
    """A picture with words that say how to read it."""

    picture: Picture
    caption: str = ""

    def draw(self) -> Element:
        """Picture and caption, side by side where there is room."""
        caption = node("figcaption", self.caption) if self.caption else None
        return node("figure", self.picture.draw(), caption)


@dataclass(frozen=True)
class Gallery:
    """Figures to be compared, side by side where there is room."""

    figures: Sequence[Figure]

    def draw(self) -> Element:
        """A grid of figures."""
        return node("div", *(figure.draw() for figure in self.figures), class_="gallery")


@dataclass(frozen=True)
class Code:
    """Commands, word for word."""

    text: str

    def draw(self) -> Element:
        """A block that keeps its line breaks."""
        return node("pre", node("code", self.text), tabindex="0")


@dataclass(frozen=True)
class Details:
    """Parts that stay folded until asked for; they are printed all the same."""

    summary: str
    parts: Sequence[Part]

    def draw(self) -> Element:
        """A block that opens on its summary."""
        return node("details", node("summary", self.summary), *(part.draw() for part in self.parts))


def page(title: str, parts: Sequence[Part], subtitle: str = "", footer: str = "") -> str:
    """The whole document. The same parts give the same bytes: nothing in it depends on time, place or chance.

    A content security policy forbids every request and every script but our own, whatever the texts may hold.
    """
    styles, script = _asset("chart.css") + _asset("page.css"), _asset("page.js")
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{_digest(script)}'"
    meta = [
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=policy),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
    ]
    head = node("head", *meta, node("title", title), node("style", styles))
    lead = node("header", node("h1", title), node("p", subtitle, class_="subtitle") if subtitle else None)
    body = node("main", lead, *(part.draw() for part in parts))
    end = node("footer", footer) if footer else None
    return (
        "<!doctype html>\n"
        + markup(node("html", head, node("body", body, end, node("script", script)), lang="en"))
        + "\n"
    )


def picture(drawing: Picture) -> str:
    """A picture as an SVG file of its own, dark or light by the reader's preference, e.g. for a README."""
    element = drawing.draw()
    element.insert(0, node("style", _asset("chart.css")))
    return tostring(element, encoding="unicode") + "\n"


@cache
def _asset(name: str) -> str:
    return (files("lorelab.pages") / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
