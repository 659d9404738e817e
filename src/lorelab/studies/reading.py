"""Reads a study from what its YAML holds, and refuses it whole: everything that is wrong, at once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lorelab.errors import ConfigError, LorelabError, Problem, nearest
from lorelab.studies import declared
from lorelab.studies.rules import Kind
from lorelab.studies.sequential import looks
from lorelab.studies.spec import SCALES, Arm, Identity, Picture, Search, Study, StudyClaim, StudyTask

KEYS = {
    "": ("question", "title", "tasks", "arms", "seeds", "claims", "change", "pictures"),
    "task": ("overrides", "metric", "mode", "margin", "worst", "scale"),
    "arm": ("overrides", "search", "label"),
    "search": ("space", "trials"),
    "claim": ("name", "kind", "a", "b", "tasks", "says", "margin", "margins", "metric", "mode", "worst", "over"),
    "exact": ("name", "kind", "says", "identity", "tolerances"),
    "picture": ("title", "metric", "x", "tasks", "says"),
    "seeds": ("min", "max", "block"),
}
"""What may stand where."""
AUTO = {"min": 5, "max": 20, "block": 5}
"""What ``seeds: auto`` stands for."""


def parse(name: str, plain: Mapping[str, Any], scale: str, where: str) -> Study:
    """The study that ``plain`` (a YAML file's content) declares, at one scale.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    reader = _Reader(where, scale)
    study = reader.study(name, plain)
    if reader.problems:
        raise ConfigError(reader.problems)
    return study


class _Reader:
    """Collects what is wrong while it reads; what it returns then is good for nothing but to look further."""

    def __init__(self, where: str, scale: str) -> None:
        self.where, self.scale = where, scale
        self.problems: list[Problem] = []
        if scale not in SCALES:
            self._wrong("scale", scale, " or ".join(SCALES), nearest(scale, SCALES))
            self.scale = ""

    def study(self, name: str, plain: Mapping[str, Any]) -> Study:
        self._mapping("", plain, KEYS[""])
        self._named("the file's name", name)
        arms = dict(self._arms(self._some("arms", plain)))
        tasks = dict(self._tasks(self._some("tasks", plain)))
        if len(arms) == 1:
            self._wrong("arms", ", ".join(arms), "two or more: something and a baseline that it is compared with")
        found = list(self._claims(plain.get("claims"), arms, tasks))
        return Study(
            name=name,
            question=str(plain.get("question", "")),
            title=str(plain.get("title", name)),
            scale=self.scale,
            arms=arms,
            tasks=tasks,
            claims=tuple(each for each in found if isinstance(each, StudyClaim)),
            looks=self._looks(plain.get("seeds")),
            change=str(plain.get("change", "")),
            identities=tuple(each for each in found if isinstance(each, Identity)),
            pictures=tuple(self._pictures(plain.get("pictures") or [], tasks)),
        )

    def _pictures(self, plain: Any, tasks: Mapping[str, StudyTask]) -> Iterator[Picture]:
        for index, given in enumerate(plain if isinstance(plain, list) else [plain]):
            place = f"pictures.{index}"
            yield declared.picture(self._mapping(place, given, KEYS["picture"]), tasks, self._below(place))

    def _tasks(self, plain: Mapping[str, Any]) -> Iterator[tuple[str, StudyTask]]:
        for name, given in plain.items():
            place = f"tasks.{name}"
            node = self._mapping(place, given, KEYS["task"])
            self._named(place, name)
            metric, mode, worst = str(node.get("metric", "")), node.get("mode"), node.get("worst")
            if not metric.startswith("test/"):
                self._wrong(f"{place}.metric", metric, "a metric of the test split, e.g. test/accuracy")
            if mode not in ("max", "min"):
                self._wrong(f"{place}.mode", mode, "max or min: which way the metric is better")
            scaled = self._mapping(f"{place}.scale", node.get("scale") or {}, SCALES)
            scaled = {key: value for key, value in scaled.items() if key in SCALES}
            own = (
                *self._lines(f"{place}.overrides", node.get("overrides")),
                *self._lines(f"{place}.scale", self._scaled(f"{place}.scale", scaled)),
            )
            margin = self._number(f"{place}.margin", node.get("margin"), "the smallest difference that would matter")
            lowest = None if worst is None else self._number(f"{place}.worst", worst, "a score, or null", least=None)
            yield str(name), StudyTask(str(name), own, metric, "min" if mode == "min" else "max", margin, lowest)

    def _arms(self, plain: Mapping[str, Any]) -> Iterator[tuple[str, Arm]]:
        for name, given in plain.items():
            place = f"arms.{name}"
            node = self._mapping(place, given or {}, KEYS["arm"])
            self._named(place, name)
            search = self._search(f"{place}.search", node["search"]) if node.get("search") else None
            own = self._lines(f"{place}.overrides", node.get("overrides"))
            yield str(name), Arm(str(name), own, search, str(node.get("label", name)))

    def _search(self, place: str, given: Any) -> Search:
        node = self._mapping(place, given, KEYS["search"])
        space = self._mapping(f"{place}.space", node.get("space") or {}, None)
        trials = self._scaled(f"{place}.trials", node.get("trials"))
        if not space:
            self._wrong(f"{place}.space", "nothing", "KEY: SWEEP in Hydra's grammar")
        if not _is_whole(trials) or trials < 1:
            self._wrong(f"{place}.trials", trials, "a number of trials, at least 1")
        return Search({str(key): str(value) for key, value in space.items()}, trials)

    def _claims(
        self, plain: Any, arms: Mapping[str, Arm], tasks: Mapping[str, StudyTask]
    ) -> Iterator[StudyClaim | Identity]:
        if not isinstance(plain, list) or not plain:
            self._wrong("claims", plain or "nothing", "a list of claims")
            return
        seen: set[str] = set()
        for index, given in enumerate(plain):
            exact = isinstance(given, Mapping) and given.get("kind") == Kind.EXACT
            node = self._mapping(f"claims.{index}", given, KEYS["exact" if exact else "claim"])
            name = str(node.get("name", index))
            self._named(f"claims.{name}", name)
            if name in seen:
                self._wrong(f"claims.{name}", "two claims of this name", "a name of its own for each")
            seen.add(name)
            below = self._below(f"claims.{name}")
            yield declared.identity(name, node, below) if exact else self._claim(name, node, arms, tasks)

    def _claim(
        self, name: str, node: Mapping[str, Any], arms: Mapping[str, Arm], tasks: Mapping[str, StudyTask]
    ) -> StudyClaim:
        place = f"claims.{name}"
        kinds = [str(kind) for kind in Kind]
        kind = str(node.get("kind", "nothing"))
        self._one_of(f"{place}.kind", kind, kinds)
        a, b = (str(node.get(side, "nothing")) for side in ("a", "b"))
        for side, arm in (("a", a), ("b", b)):
            self._one_of(f"{place}.{side}", arm, arms)
        if a == b:
            self._wrong(f"{place}.b", b, "another arm than a")
        named = tuple(map(str, node.get("tasks") or tasks))
        own = self._mapping(f"{place}.margins", node.get("margins") or {}, None)
        for task in named:
            self._one_of(f"{place}.tasks", task, tasks)
        for task in own:
            self._one_of(f"{place}.margins", str(task), named)
        below = self._below(place)
        measure = declared.measure(node, below)
        grid = declared.grid(node.get("over"), lambda key, given: self._scaled(f"{place}.{key}", given), below)
        margins = {task: tasks[task].margin for task in named if task in tasks}
        if node.get("margin") is not None or grid:
            margin = self._number(f"{place}.margin", node.get("margin"), "the smallest difference that would matter")
            margins = dict.fromkeys(margins, margin)
        margins |= {
            str(task): self._number(f"{place}.margins.{task}", margin, "the smallest difference that would matter")
            for task, margin in own.items()
        }
        if not (says := str(node.get("says", "")).strip()):
            self._wrong(f"{place}.says", "nothing", "the sentence that is put to the test")
        ruled = Kind(kind) if kind in kinds else Kind.SUPERIORITY
        return StudyClaim(name, ruled, a, b, named, says, margins, measure, grid)

    def _looks(self, plain: Any) -> tuple[int, ...]:
        wanted = self._scaled("seeds", AUTO if plain == "auto" else plain)
        wanted = AUTO if wanted == "auto" else wanted
        if isinstance(wanted, Mapping):
            given = self._mapping("seeds", wanted, KEYS["seeds"])
            try:
                return looks(*(int(given[key]) for key in KEYS["seeds"]))
            except (KeyError, ValueError, TypeError, LorelabError) as error:
                self._wrong("seeds", dict(wanted), f"a number, auto, or e.g. {AUTO}", str(error))
                return (2,)
        if not _is_whole(wanted) or wanted < 2:
            self._wrong("seeds", wanted, "two or more: one run says nothing of the next")
            return (2,)
        return (wanted,)

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

    def _below(self, place: str) -> declared.Wrong:
        return lambda key, found, expected: self._wrong(f"{place}.{key}", found, expected)

    def _wrong(self, place: str, found: object, expected: str, advice: str = "") -> None:
        where = f"{self.where}: {place}" if place else self.where
        self.problems.append(Problem(where, "nothing" if found is None else str(found), expected, advice))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
