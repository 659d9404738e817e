"""What a command line asks for as a sweep: which keys vary, how many trials, and what it is called."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lorelab.config.describe import flatten
from lorelab.config.trust import instantiate, targets_of
from lorelab.errors import ConfigError, Problem
from lorelab.records import VOLATILE, lies_below
from lorelab.sweeps.jobs import JOB, listed
from lorelab.sweeps.local import Composer
from lorelab.sweeps.proposals import Proposals
from lorelab.sweeps.settings import GridSampler, SearchSettings, SweepSettings
from lorelab.sweeps.space import Dimension, Value, dimension, grid
from lorelab.sweeps.trials import Direction
from lorelab.training.provenance import code_version

_NOT_ITS_OWN = ("trials", "confirm_best", "confirm_seeds", "storage")
"""Of a search: what may change when the sweep is started again."""


@dataclass(frozen=True)
class Plan:
    """One sweep, before anything of it runs."""

    name: str
    folder: Path
    fixed: tuple[str, ...]
    """Overrides that every trial has."""
    dimensions: tuple[Dimension, ...]
    combinations: tuple[Mapping[str, Value], ...]
    """Of a grid; empty for a search that samples."""
    jobs: Mapping[str, tuple[str, ...]]
    """Overrides of each named job; empty unless ``sweep.jobs`` lists some."""
    outside: Mapping[str, str]
    """Values of keys that do not vary and that a condition names."""
    total: int
    direction: Direction
    monitor: str
    seed: int
    settings: SweepSettings
    search: SearchSettings | None
    """None for a plain grid."""
    identity: Mapping[str, Any]
    """What must be the same for a command to go on with this sweep."""
    code: str
    tags: Mapping[str, str]
    """That every trial has, whole names."""
    base: DictConfig
    """Config of a first trial, without Hydra's node."""

    @property
    def proposals(self) -> Proposals:
        """For ``Search``."""
        if self.combinations or self.search is None:
            return Proposals(dimensions=self.dimensions, grid=self.combinations)
        known = self.search
        return Proposals(
            known.sampler, known.seed, known.startup_sampler, known.startup_trials, self.dimensions, self.outside
        )

    def overrides(self, params: Mapping[str, Value]) -> list[str]:
        """Of a trial with these parameters."""
        if self.jobs:
            return [*self.fixed, *self.jobs[str(params[JOB])]]
        return [*self.fixed, *(each.render(params[each.key]) for each in self.dimensions if each.key in params)]


def make_plan(arguments: Sequence[str], composer: Composer) -> Plan:
    """Reads the plan off a command line whose every value was found possible.

    Raises:
        ConfigError: a sweep that cannot be gone on with after a restart, or a grid without end.
    """
    parsed = OverridesParser.create(config_loader=composer.loader).parse_overrides(list(arguments))
    fixed = tuple(str(each.input_line) for each in parsed if not each.is_sweep_override())
    first = composer.compose(fixed)
    settings: SweepSettings = instantiate(first.sweep)
    search: SearchSettings | None = instantiate(first.search) if first.get("search") is not None else None
    swept = {each.get_key_element(): each for each in [*_of_search(search, composer), *_swept(parsed)]}
    sampled = search is not None and not _is_grid(search)
    conditions = dict(search.conditions) if search else {}
    jobs = listed(settings.jobs)
    if jobs and (swept or search):
        found = f"sweep.jobs together with {', '.join(swept) or 'a search'}"
        raise ConfigError([Problem("sweep.jobs", found, "one of the two")])
    dimensions = tuple(
        dimension(each, conditions.get(key)) if sampled else _as_choices(each, conditions.get(key))
        for key, each in swept.items()
    )
    if jobs:
        dimensions = (Dimension(JOB, "choice", tuple(jobs)),)
    outside = _fixed_values(first, dimensions)
    combinations = () if sampled else tuple(grid(dimensions, outside))
    start = {each.key: each.choices[0] if each.kind == "choice" else each.low for each in dimensions}
    of_first = {each.key: each.render(start[each.key]) for each in dimensions if not each.condition}
    hydra = composer.compose([*fixed, *(next(iter(jobs.values())) if jobs else of_first.values())])
    choices, base = hydra.hydra.runtime.choices, _without_hydra(hydra)
    options = {} if jobs else _options(composer, fixed, of_first, dimensions)
    identity = _identity(base, dimensions, search, options)
    identity |= {"jobs": {k: list(v) for k, v in jobs.items()}} if jobs else {}
    code = code_version({t for cfg in (base, *options.values()) for t in targets_of(OmegaConf.to_container(cfg))})
    what = choices.get("experiment") or f"{choices.get('data')}-{choices.get('model')}"
    name = settings.name or _name(what, choices.get("search") or "grid", {"what": identity, "code": code}, base.force)
    trials = search.trials if search else None
    if sampled:
        _must_end_and_vary(trials, dimensions)
    return Plan(
        name=name,
        folder=Path(str(base.paths.outputs)).absolute() / "sweeps" / name,
        fixed=fixed,
        dimensions=dimensions,
        combinations=combinations,
        jobs=jobs,
        outside=outside,
        total=min(trials or len(combinations), len(combinations)) if combinations else trials or 0,
        direction=_direction(base, search),
        monitor=str(base.task.monitor or "score"),
        seed=int(base.seed),
        settings=settings,
        search=search,
        identity=identity,
        code=code,
        tags={f"lorelab.{key}": str(value) for key, value in first.tags.items()},
        base=base,
    )


def _swept(parsed: Sequence[Override]) -> list[Override]:
    return [each for each in parsed if each.is_sweep_override()]


def _of_search(search: SearchSettings | None, composer: Composer) -> list[Override]:
    lines = [f"{key}={value}" for key, value in search.space.items()] if search else []
    return OverridesParser.create(config_loader=composer.loader).parse_overrides(lines)


def _is_grid(search: SearchSettings) -> bool:
    sampler = search.sampler
    return isinstance(sampler, functools.partial) and sampler.func is GridSampler


def _as_choices(override: Override, condition: str | None) -> Dimension:
    """In a grid every value stands as it was written, as Hydra's own sweeper passes it on."""
    found = dimension(override, condition)
    if not found.finite or not override.is_discrete_sweep():
        return found
    return Dimension(found.key, "choice", tuple(override.sweep_string_iterator()), condition=found.condition)


def _fixed_values(cfg: DictConfig, dimensions: Sequence[Dimension]) -> dict[str, str]:
    """What conditions may name and does not vary: values of keys, options of groups."""
    others = {each.condition[0] for each in dimensions if each.condition} - {each.key for each in dimensions}
    known = {key: str(OmegaConf.select(cfg, key)) for key in others}
    choices = cfg.hydra.runtime.choices
    return known | {key: str(choices[key]) for key in others if key in choices}


def _without_hydra(cfg: DictConfig) -> DictConfig:
    OmegaConf.set_readonly(cfg, False)
    OmegaConf.set_struct(cfg, False)
    cfg.pop("hydra")
    OmegaConf.set_struct(cfg, True)
    return cfg


def _options(
    composer: Composer, fixed: Sequence[str], first: Mapping[str, str], dimensions: Sequence[Dimension]
) -> dict[str, DictConfig]:
    """The config with each option of the groups that vary, the other keys at their ``first`` values."""
    found = {}
    for each in dimensions:
        for choice in each.choices if composer.is_group(each.key.lstrip("+")) else ():
            word = each.render(choice)
            with contextlib.suppress(HydraException, OmegaConfBaseException):  # they do not all go together
                found[word] = _without_hydra(composer.compose([*fixed, *{**first, each.key: word}.values()]))
    return found


def _identity(
    base: DictConfig,
    dimensions: Sequence[Dimension],
    search: SearchSettings | None,
    options: Mapping[str, DictConfig],
) -> dict[str, Any]:
    config = _kept(base)
    found: dict[str, Any] = {"config": config, "space": [each.to_dict() for each in dimensions]}
    if options:
        others = {word: _kept(cfg).items() - config.items() for word, cfg in options.items()}
        found["options"] = {f"{word}: {key}": value for word, held in others.items() for key, value in held}
    if search is not None:
        plain: Any = OmegaConf.to_container(base.search, resolve=True)
        own = {key: value for key, value in flatten(plain).items() if not lies_below(key, (*_NOT_ITS_OWN, "space"))}
        found["search"] = {key: str(value) for key, value in own.items()}
    return json.loads(json.dumps(found))


def _kept(cfg: DictConfig) -> dict[str, str]:
    """What of a config the results depend on."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    return {key: str(value) for key, value in flatten(plain).items() if not lies_below(key, VOLATILE)}


def _must_end_and_vary(trials: int | None, dimensions: Sequence[Dimension]) -> None:
    if trials is None:
        expected = "a number of trials: only a grid has an end of its own"
        raise ConfigError([Problem("search.trials", "null", expected, "search.trials=20, or search/sampler=grid")])
    if not dimensions:
        advice = "optimizer.lr=tag(log,interval(1e-5,1)), or search=lr"
        raise ConfigError([Problem("search", "nothing that varies", "a key with several values", advice)])


def _name(what: str, kind: str, identity: Mapping[str, Any], force: bool) -> str:
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    mark = f"-{secrets.token_hex(2)}" if force else ""
    return f"{what}-{kind}-{digest}{mark}".replace("_", "-").replace("/", "-")


def _direction(base: DictConfig, search: SearchSettings | None) -> Direction:
    if search is not None and search.direction != "auto":
        return search.direction
    mode = base.task.get("mode")
    if mode is None:  # task=auto: the data tell
        mode = instantiate(base.task)(data=instantiate(base.data).spec).mode
    return "minimize" if mode == "min" else "maximize"
