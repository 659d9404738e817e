"""A study's declaration: read, then held against the configs of every run that it asks for, before any of them runs."""

from __future__ import annotations

import functools
import itertools
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from lorelab.cli.study_identities import flaws
from lorelab.config.composing import composing_once
from lorelab.config.describe import resolved
from lorelab.config.overrides import Composed, compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.config.signatures import locate
from lorelab.config.trust import instantiate, targets_of
from lorelab.config.validate import validate
from lorelab.errors import ConfigError, LorelabError, Problem, nearest
from lorelab.paths import CONF
from lorelab.seeds import derive_seed
from lorelab.studies.jobs import Params, points_of_grids
from lorelab.studies.reading import parse
from lorelab.studies.spec import Search, Study, StudyTask
from lorelab.sweeps.space import Dimension, dimension, spread
from lorelab.training.provenance import code_version

STUDIES = CONF / "study"


@dataclass(frozen=True)
class Grounds:
    """What the runs of a study have in common."""

    outputs: Path
    tracker: Mapping[str, Any]
    """The config's node."""
    code: str
    """Version of the code that has a part in their results, the user's own modules included."""
    data: tuple[str, ...]
    """Each config of a data set, as JSON."""

    @functools.cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the data as they are now: they are loaded for it, once. Raises DataError."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # each run says it again
            return tuple(str(instantiate(OmegaConf.create(json.loads(each))).record.fingerprint) for each in self.data)


def path_of(name: str) -> Path:
    """The file that declares a study: ``conf/study/NAME.yaml``, or ``name`` itself if it is a path to a YAML file.

    Raises:
        LorelabError: it is not there.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else STUDIES / f"{name}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in path.parent.glob("*.yaml"))
        advice = nearest(path.stem, known) or "lorelab study new writes one"
        raise LorelabError(f"study '{name}': found no {path}; {advice}")
    return path


def load(path: Path, scale: str, name: str = "") -> Study:
    """The study that a YAML file declares, called like the file unless ``name`` says otherwise.

    Raises:
        ConfigError: with all that is wrong with it.
    """
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError([Problem(str(path), " ".join(str(error).split()), "YAML")]) from error
    if not isinstance(plain, dict):
        raise ConfigError([Problem(str(path), type(plain).__name__, "a mapping: question, tasks, arms, seeds, claims")])
    return parse(name or path.stem, plain, scale, str(path))


def check(study: Study, overrides: Sequence[str] = ()) -> Grounds:
    """Composes and validates every arm on every task, at the ends of its space; trains nothing.

    Raises:
        ConfigError: with all that is wrong.
    """
    register_resolvers()
    problems: list[Problem] = []
    found: list[Composed] = []
    own = [word for word in overrides if not word.startswith(("hydra/", "hydra.", "sweep."))]
    with composing_once():
        for task, arm in itertools.product(study.tasks.values(), study.arms.values()):
            space = [f"{key}={value}" for key, value in arm.search.space.items()] if arm.search else []
            place = f"study {study.name}, arm {arm.name} on {task.name}"
            asked = [*task.overrides, *arm.overrides, *space, *own]
            points = points_of_grids(study, task.name, arm.name)
            values = [f"{key}={value}" for point in (points[:1] + points[-1:]) for key, value in point.items()]
            try:
                for each in (
                    *compose_all(asked),
                    *(e for value in values for e in compose_all(with_value(asked, value))),
                ):
                    validate(each.cfg, each.origin)
                    problems += _measured(study, task, each)
                    found.append(each)
            except ConfigError as error:
                problems += [Problem(f"{place}: {p.where}", p.found, p.expected, p.advice) for p in error.problems]
    problems += flaws(study)
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    plain = [resolved(each.cfg) for each in found]
    code = code_version(sorted({target for each in plain for target in targets_of(each)}))
    data = dict.fromkeys(json.dumps(each["data"], sort_keys=True) for each in plain)
    return Grounds(Path(str(plain[0]["paths"]["outputs"])).absolute(), plain[0]["tracker"], code, tuple(data))


def with_value(words: Sequence[str], value: str) -> list[str]:
    """A key at one value, in place of what else is said of it."""
    key = value.partition("=")[0]
    return [*(word for word in words if word.partition("=")[0] != key), value]


def draws(search: Search) -> list[Params]:
    """The configurations of a tuning search: draws that cover the space evenly, the same for equal spaces."""
    dimensions = dimensions_of(search)
    seed = derive_seed(0, "tuning", *(f"{key}={value}" for key, value in sorted(search.space.items())))
    return list(spread(dimensions, {}, search.trials, seed))


def dimensions_of(search: Search) -> list[Dimension]:
    """The space of a tuning search."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    lines = [f"{key}={value}" for key, value in sorted(search.space.items())]
    return [dimension(each) for each in OverridesParser.create().parse_overrides(lines)]


def _measured(study: Study, task: StudyTask, each: Composed) -> Iterator[Problem]:
    """Whether the task kind measures the study's metric, and which way it is better, as far as the kind says so."""
    target = locate(str(each.cfg.task._target_))
    known = {**getattr(target, "better", {}), **getattr(target, "better_at_test", {})}
    mine = [claim for claim in study.claims if task.name in claim.tasks]
    asked = {f"tasks.{task.name}.metric": (task.metric, task.mode)}
    asked |= {f"claims.{each.name}.metric": (each.measure.metric, each.measure.mode) for each in mine if each.measure}
    asked |= {f"claims.{each.name}.against": (each.against, each.measured(task).mode) for each in mine if each.against}
    for part, (metric, mode) in asked.items() if known else ():
        name, place = metric.removeprefix("test/"), f"study {study.name}: {part}"
        if name not in known:
            measured = [f"test/{other}" for other in known]
            expected = f"what {target.__name__} measures: {', '.join(measured)}"
            yield Problem(place, metric, expected, nearest(metric, measured))
        elif known[name] != mode:
            yield Problem(place.removesuffix(".metric") + ".mode", mode, f"{known[name]}: that way {metric} is better")
