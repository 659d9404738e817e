"""A study as it is declared before any run: arms, tasks, seeds, claims; read from YAML and refused whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lorelab.errors import ConfigError, LorelabError, Problem, nearest
from lorelab.studies.rules import Claim, Kind
from lorelab.studies.sequential import looks

SCALES = ("smoke", "laptop", "full")
TUNING_SEED, FRESH_SEED = 1_000, 0
"""First of the seeds that tuning trains with, and of those that decide."""


@dataclass(frozen=True)
class Search:
    """How an arm is tuned on each task: random draws, so that any order of them is as good as any other."""

    space: Mapping[str, str]
    """Key → sweep in Hydra's grammar."""
    trials: int


@dataclass(frozen=True)
class Arm:
    """One of the things compared."""

    name: str
    overrides: tuple[str, ...]
    search: Search | None
    label: str


@dataclass(frozen=True)
class StudyTask:
    """A data set, a net and a budget."""

    name: str
    overrides: tuple[str, ...]
    """The preset, then what the scale changes of it."""
    metric: str
    mode: Literal["max", "min"]
    margin: float
    """The smallest difference of ``metric`` that would matter here, in its unit."""
    worst: float | None
    """What a diverged run scores; None if the metric has no worst value."""


@dataclass(frozen=True)
class StudyClaim:
    """One sentence that ends in a verdict."""

    name: str
    kind: Kind
    a: str
    b: str
    tasks: tuple[str, ...]
    says: str
    """What is claimed, for a reader."""
    margins: Mapping[str, float]
    """By task."""

    def rule(self, task: str) -> Claim:
        """What decides it on one task."""
        return Claim(self.kind, self.margins[task])


@dataclass(frozen=True)
class Study:
    """Everything that is fixed before the first run, for one scale."""

    name: str
    question: str
    title: str
    scale: str
    arms: Mapping[str, Arm]
    tasks: Mapping[str, StudyTask]
    claims: tuple[StudyClaim, ...]
    looks: tuple[int, ...]
    """Numbers of seeds at which the claims are judged; one number where it is fixed beforehand."""
    change: str
    """What would change our mind."""

    @property
    def seeds(self) -> range:
        """All that may be needed."""
        return range(FRESH_SEED, FRESH_SEED + self.looks[-1])


def parse(name: str, plain: Mapping[str, Any], scale: str, where: str) -> Study:
    """The study that ``plain`` (a YAML file's content) declares, at one scale.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    reader = _Reader(where, scale)
    study = reader.study(name, plain)
    if reader.problems:
        raise ConfigError(reader.problems)
    assert study is not None
    return study


class _Reader:
    """Collects what is wrong while it reads."""

    def __init__(self, where: str, scale: str) -> None:
        self.where, self.scale = where, scale
        self.problems: list[Problem] = []
        if scale not in SCALES:
            self._wrong("scale", scale, " or ".join(SCALES), nearest(scale, SCALES))

    def study(self, name: str, plain: Mapping[str, Any]) -> Study | None:
        self._known("", plain, ("question", "title", "tasks", "arms", "seeds", "claims", "change"))
        for key in ("tasks", "arms", "seeds", "claims"):
            if not plain.get(key):
                self._wrong(key, "nothing", f"some {key}")
        if self.problems:
            return None
        tasks = dict(self._tasks(plain["tasks"]))
        arms = dict(self._arms(plain["arms"]))
        if len(arms) < 2:
            self._wrong("arms", ", ".join(arms) or "none", "two or more: something and what it is compared with")
        claims = tuple(self._claims(plain["claims"], arms, tasks))
        counts = self._looks(plain["seeds"])
        return Study(
            name,
            str(plain.get("question", "")),
            str(plain.get("title", name)),
            self.scale,
            arms,
            tasks,
            claims,
            counts,
            str(plain.get("change", "")),
        )

    def _tasks(self, plain: Mapping[str, Any]) -> Iterator[tuple[str, StudyTask]]:
        for name, node in plain.items():
            place = f"tasks.{name}"
            self._known(place, node, ("overrides", "metric", "mode", "margin", "worst", "scale"))
            metric, mode, margin = node.get("metric", ""), node.get("mode", ""), node.get("margin")
            if not str(metric).startswith("test/"):
                self._wrong(f"{place}.metric", metric, "a metric of the test split, e.g. test/accuracy")
            if mode not in ("max", "min"):
                self._wrong(f"{place}.mode", mode, "max or min: which way the metric is better")
            if not isinstance(margin, int | float) or isinstance(margin, bool) or not margin > 0:
                self._wrong(f"{place}.margin", margin, "the smallest difference that would matter, above 0")
            own = [*node.get("overrides", []), *self._scaled(f"{place}.scale", node.get("scale", {}), [])]
            yield str(name), StudyTask(str(name), tuple(map(str, own)), str(metric), mode, margin, node.get("worst"))

    def _arms(self, plain: Mapping[str, Any]) -> Iterator[tuple[str, Arm]]:
        for name, node in plain.items():
            place, known = f"arms.{name}", node or {}
            self._known(place, known, ("overrides", "search", "label"))
            search = self._search(f"{place}.search", known["search"]) if known.get("search") else None
            own = tuple(map(str, known.get("overrides") or []))
            yield str(name), Arm(str(name), own, search, str(known.get("label", name)))

    def _search(self, place: str, node: Mapping[str, Any]) -> Search:
        self._known(place, node, ("space", "trials"))
        space = {str(key): str(value) for key, value in (node.get("space") or {}).items()}
        trials = self._scaled(f"{place}.trials", node.get("trials"), None)
        if not space:
            self._wrong(f"{place}.space", "nothing", "KEY: SWEEP in Hydra's grammar")
        if not isinstance(trials, int) or trials < 1:
            self._wrong(f"{place}.trials", trials, "a number of trials, at least 1")
            trials = 1
        return Search(space, trials)

    def _claims(
        self, plain: Sequence[Mapping[str, Any]], arms: Mapping[str, Arm], tasks: Mapping[str, StudyTask]
    ) -> Iterator[StudyClaim]:
        for index, node in enumerate(plain):
            place = f"claims.{node.get('name', index)}"
            self._known(place, node, ("name", "kind", "a", "b", "tasks", "says", "margins"))
            kinds = [str(kind) for kind in Kind if kind is not Kind.EXACT]
            kind, named = str(node.get("kind", "")), [str(task) for task in node.get("tasks") or tasks]
            if kind not in kinds:
                self._wrong(f"{place}.kind", kind or "nothing", " or ".join(kinds), nearest(kind, kinds))
                kind = kinds[0]
            for arm in ("a", "b"):
                if node.get(arm) not in arms:
                    self._wrong(f"{place}.{arm}", node.get(arm), "one of the arms", nearest(str(node.get(arm)), arms))
            if node.get("a") == node.get("b"):
                self._wrong(f"{place}.b", node.get("b"), "another arm than a")
            for task in named:
                if task not in tasks:
                    self._wrong(f"{place}.tasks", task, "one of the tasks", nearest(task, tasks))
            own = dict(node.get("margins") or {})
            margins = {task: float(own.get(task, tasks[task].margin)) for task in named if task in tasks}
            says = str(node.get("says", "")).strip()
            if not says:
                self._wrong(f"{place}.says", "nothing", "the sentence that is put to the test")
            yield StudyClaim(
                str(node.get("name", index)),
                Kind(kind),
                str(node.get("a")),
                str(node.get("b")),
                tuple(named),
                says,
                margins,
            )

    def _looks(self, plain: Any) -> tuple[int, ...]:
        wanted = self._scaled("seeds", plain, None)
        if isinstance(wanted, Mapping):  # seeds: auto
            try:
                return looks(int(wanted["min"]), int(wanted["max"]), int(wanted["block"]))
            except (KeyError, ValueError, LorelabError) as error:
                self._wrong("seeds", dict(wanted), "auto: {min: 5, max: 20, block: 5}", str(error))
                return (2,)
        if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 2:
            self._wrong("seeds", wanted, "two or more: one run says nothing of the next")
            return (2,)
        return (wanted,)

    def _scaled(self, place: str, node: Any, default: Any) -> Any:
        """What a node says for this scale; a node that is no mapping of scales says the same for all."""
        if isinstance(node, Mapping) and node and set(node) <= set(SCALES):
            if self.scale not in node:
                self._wrong(place, f"only {', '.join(map(str, node))}", f"a value for scale={self.scale}")
            return node.get(self.scale, default)
        return default if node is None or node == {} else node

    def _known(self, place: str, node: Any, keys: Sequence[str]) -> None:
        if not isinstance(node, Mapping):
            self._wrong(place, node, f"a mapping with {', '.join(keys)}")
            return
        for key in node:
            if key not in keys:
                self._wrong(
                    f"{place}.{key}".lstrip("."), f"no key '{key}' here", ", ".join(keys), nearest(str(key), keys)
                )

    def _wrong(self, place: str, found: object, expected: str, advice: str = "") -> None:
        self.problems.append(Problem(f"{self.where}: {place}", str(found), expected, advice))
