"""Reads a study from what its YAML holds, and refuses it whole: everything that is wrong, at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lorelab.errors import ConfigError, LorelabError
from lorelab.studies import declared
from lorelab.studies.reader import Reader
from lorelab.studies.rules import Kind
from lorelab.studies.sequential import looks
from lorelab.studies.spec import (
    RATE,
    SCALES,
    Arm,
    Identity,
    Picture,
    Search,
    Study,
    StudyClaim,
    StudyTask,
    Suggestions,
)

KEYS = {
    "": ("question", "title", "tasks", "arms", "seeds", "claims", "change", "pictures", "suggestions"),
    "task": ("overrides", "metric", "mode", "margin", "worst", "scale"),
    "arm": ("overrides", "search", "label"),
    "search": ("space", "trials"),
    "claim": (
        *("name", "kind", "a", "b", "against", "tasks", "says"),
        *("margin", "margins", "metric", "mode", "worst", "over"),
    ),
    "exact": ("name", "kind", "says", "identity", "tolerances"),
    "picture": ("title", "metric", "x", "tasks", "says"),
    "suggestions": ("arm", "optimum"),
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


class _Reader(Reader):
    """Of a study; what it returns when something is wrong is good for nothing but to look further."""

    def study(self, name: str, plain: Mapping[str, Any]) -> Study:
        self._mapping("", plain, KEYS[""])
        self._named("the file's name", name)
        arms = dict(self._arms(self._some("arms", plain)))
        tasks = dict(self._tasks(self._some("tasks", plain)))
        found = list(self._claims(plain.get("claims"), arms, tasks))
        if len(arms) == 1 and not any(isinstance(each, StudyClaim) and each.against for each in found):
            self._wrong("arms", ", ".join(arms), "two or more: something and a baseline that it is compared with")
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
            suggestions=self._suggestions(plain.get("suggestions"), arms),
        )

    def _pictures(self, plain: Any, tasks: Mapping[str, StudyTask]) -> Iterator[Picture]:
        for index, given in enumerate(plain if isinstance(plain, list) else [plain]):
            place = f"pictures.{index}"
            yield declared.picture(self._mapping(place, given, KEYS["picture"]), tasks, self._below(place))

    def _suggestions(self, plain: Any, arms: Mapping[str, Arm]) -> Suggestions | None:
        if plain is None:
            return None
        node = self._mapping("suggestions", plain, KEYS["suggestions"])
        arm, optimum = (str(node.get(key, "nothing")) for key in KEYS["suggestions"])
        for key, name in (("arm", arm), ("optimum", optimum)):
            self._one_of(f"suggestions.{key}", name, arms)
        search = arms[optimum].search if optimum in arms else None
        if search is None or RATE not in search.space:
            self._wrong("suggestions.optimum", optimum, f"an arm with a search over {RATE}")
        return Suggestions(arm, optimum)

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
        against = str(node.get("against", ""))
        sides = {side: str(node.get(side, "nothing")) for side in ("a" if against else "ab")}
        for side, arm in sides.items():
            self._one_of(f"{place}.{side}", arm, arms)
        a, b = sides["a"], sides.get("b", "")
        if a == b:
            self._wrong(f"{place}.b", b, "another arm than a")
        if against and (not against.startswith("test/") or set(node) & {"b", "over"}):
            expected = "a metric of the test split that a's runs also measure, with no b and no over"
            self._wrong(f"{place}.against", against, expected)
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
        return StudyClaim(name, ruled, a, b, named, says, margins, measure, grid, against)

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


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
