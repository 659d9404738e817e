"""Reads values out of YAML and collects what is wrong with them, each with its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lorelab.errors import Problem, nearest
from lorelab.studies.declared import Wrong
from lorelab.studies.spec import SCALES


class Reader:
    """Goes on past a mistake, so that all of them are told at once."""

    def __init__(self, where: str, scale: str) -> None:
        """``where``: the file, for messages; ``scale``: the one whose values are taken."""
        self.where, self.scale = where, scale
        self.problems: list[Problem] = []
        if scale not in SCALES:
            self._wrong("scale", scale, " or ".join(SCALES), nearest(scale, SCALES))
            self.scale = ""

    def _scaled(self, place: str, node: Any) -> Any:
        """What a node says for this scale; a node that is no mapping of scales says the same for all."""
        if isinstance(node, Mapping) and node and set(node) <= set(SCALES):
            if self.scale and self.scale not in node:
                self._wrong(place, f"only {', '.join(map(str, node))}", f"a value for scale={self.scale}")
            return node.get(self.scale, next(iter(node.values())))
        return node

    def _some(self, key: str, plain: Mapping[str, Any]) -> Mapping[str, Any]:
        if not plain.get(key):
            self._wrong(key, "nothing", f"some {key}, by name")
            return {}
        return self._mapping(key, plain[key], None)

    def _mapping(self, place: str, node: Any, keys: Sequence[str] | None) -> Mapping[str, Any]:
        """``node``, or an empty mapping in its place; ``keys``: what it may hold, None for anything."""
        if not isinstance(node, Mapping):
            self._wrong(place, node, f"a mapping with {', '.join(keys)}" if keys else "a mapping of names")
            return {}
        for key in node if keys is not None else ():
            if key not in keys:  # type: ignore[operator]
                where = f"{place}.{key}".lstrip(".")
                self._wrong(where, f"no key '{key}' here", ", ".join(keys), nearest(str(key), keys))  # type: ignore[arg-type]
        return node

    def _lines(self, place: str, node: Any) -> tuple[str, ...]:
        if node is None or node == {}:
            return ()
        if not isinstance(node, list) or any(isinstance(each, list | Mapping) for each in node):
            self._wrong(place, node, "a list of overrides, each as lorelab train takes it", "[key=value, ...]")
            return ()
        return tuple(map(str, node))

    def _number(self, place: str, node: Any, expected: str, least: float | None = 0.0) -> float:
        """Also from text: YAML takes 1e-3 for a word."""
        try:
            found = math.nan if isinstance(node, bool) else float(node)
        except (TypeError, ValueError):
            found = math.nan
        if not math.isfinite(found) or (least is not None and found <= least):
            self._wrong(place, node, expected if least is None else f"{expected}, above {least:g}")
        return found

    def _named(self, place: str, name: object) -> None:
        """Names stand in tags, folders and overrides."""
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", str(name), re.ASCII):
            self._wrong(place, name, "a name of letters, digits, '_', '-' and '.'")

    def _one_of(self, place: str, found: str, valid: Iterable[str]) -> None:
        known = list(valid)
        if found not in known:
            self._wrong(place, found, "one of " + ", ".join(known), nearest(found, known) if known else "")

    def _below(self, place: str) -> Wrong:
        return lambda key, found, expected: self._wrong(f"{place}.{key}", found, expected)

    def _wrong(self, place: str, found: object, expected: str, advice: str = "") -> None:
        where = f"{self.where}: {place}" if place else self.where
        self.problems.append(Problem(where, "nothing" if found is None else str(found), expected, advice))
