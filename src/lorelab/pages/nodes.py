"""Elements of HTML and SVG, and how much room a text takes. Text is escaped by ElementTree, never by us."""

from __future__ import annotations

import re
import unicodedata
from xml.etree.ElementTree import Element, tostring

_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROW = frozenset("iljtfr.,:;|!'()[] /I·")
"""Widths are DejaVu Sans's, the widest of the fonts that a browser is likely to choose."""


def node(name: str, /, *content: Element | str | None, **attributes: str | float | None) -> Element:
    """An element. ``class_`` means ``class`` and ``stroke_width`` ``stroke-width``; None leaves an attribute out.

    Numbers are pixels, written to two decimals. Characters that no document may hold become U+FFFD.
    """
    element = Element(name)
    for key, value in attributes.items():
        if value is not None:
            element.set(key.rstrip("_").replace("_", "-"), clean(value) if isinstance(value, str) else pixels(value))
    for part in content:
        if isinstance(part, Element):
            element.append(part)
        elif part:
            _append_text(element, clean(part))
    return element


def markup(element: Element) -> str:
    """The element as HTML."""
    return tostring(element, encoding="unicode", method="html")


def clean(text: str) -> str:
    """``text`` without control characters and lone surrogates, which neither XML nor UTF-8 can carry."""
    return _UNWRITABLE.sub("\ufffd", text)


def pixels(value: float) -> str:
    """A coordinate: two decimals at most, no trailing zeros, no negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def safe_href(href: str) -> str:
    """``href``, if it is a web address or relative; anything else (``javascript:``) could run code and is refused."""
    # Browsers drop control characters and blanks before they look for a scheme.
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.\-]*):", re.sub(r"[\x00-\x20]", "", href))
    if scheme and scheme[1].lower() not in {"http", "https"}:
        raise ValueError(f"link {href!r}: expected http://, https:// or a relative address")
    return href


def width(text: str, size: float) -> float:
    """Estimated pixels of ``text`` in a sans-serif font of ``size`` pixels, rather too wide than too narrow."""
    return size * sum(map(_character_width, text))


def wrap(text: str, size: float, limit: float) -> list[str]:
    """``text`` in lines of at most ``limit`` pixels, broken between words; a longer word stands alone, shortened."""
    lines: list[str] = []
    for word in text.split():
        if lines and width(f"{lines[-1]} {word}", size) <= limit:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [shorten(line, size, limit) for line in lines]


def shorten(text: str, size: float, limit: float) -> str:
    """``text``, or as much of its beginning as fits ``limit`` pixels with an ellipsis."""
    if width(text, size) <= limit:
        return text
    room = limit - size
    for count, character in enumerate(text):
        room -= size * _character_width(character)
        if room < 0:
            return text[:count].rstrip() + "…"
    return text


def _character_width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return 0.38 if character in _NARROW else 0.72 if character.isupper() or character in "mw+−×" else 0.62


def _append_text(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text
