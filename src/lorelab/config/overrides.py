"""Checks a whole command line before Hydra runs it: every bad override at once, and every job of a multirun."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lorelab.config.composing import base_config, copied, refused
from lorelab.config.origin import Origin
from lorelab.config.search_path import judge_primary, not_folders, problem
from lorelab.config.spelling import check_key, check_options, is_group, parse_all, rendered, swept
from lorelab.config.trust import ADVICE, targets_of
from lorelab.errors import ConfigError, Problem
from lorelab.paths import CONF

_HYDRAS_OWN = ("hydra._internal.core_plugins.", "hydra.experimental.callbacks.", "hydra_plugins.")
_MOST_GROUP_COMBINATIONS = 64
_BRINGS: Mapping[str, Set[str]] = {"data": {"data", "task", "model", "augment"}}
"""Parts that hang on the option of a group, where these are more than the one of its name."""


@dataclass(frozen=True)
class Composed:
    """One config that a command line would run, without Hydra's own node, and where its values come from."""

    cfg: DictConfig
    origin: Origin
    unknown: Set[str] = frozenset()
    """Parts (``"model"``) of which nothing can be said, because an option named for them does not exist."""


@dataclass(frozen=True)
class Survey:
    """What there is to look at before a command line runs."""

    configs: Sequence[Composed]
    problems: Sequence[Problem]
    """Of the overrides themselves. Then ``configs`` are what can be composed all the same: with the nearest option in
    place of one that does not exist, and without what cannot be had."""
    later: int = 0
    """Combinations of group options that are not among ``configs``: each is looked at when it is its turn."""


def compose_all(
    overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = "config", conf: Path = CONF
) -> Sequence[Composed]:
    """The configs of ``survey``.

    Raises:
        ConfigError: with all overrides that are wrong.
    """
    seen = survey(overrides, config_dir=config_dir, config_name=config_name, conf=conf)
    if seen.problems:
        raise ConfigError(seen.problems)
    return seen.configs


def survey(
    overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = "config", conf: Path = CONF
) -> Survey:
    """Every distinct config to look at before the command line runs, and what is wrong with the overrides.

    That is each combination of swept group choices (of more than 64, so many that each pair of options is among them)
    with the first value of the other sweeps, then each further swept value once: the sum of the values, not their
    product, so that a large grid is checked in little time.

    ``conf``: the folder of the primary config; ``config_dir``: one more to look for options in. Problems are overrides
    that cannot be parsed, name no group, option or key; and targets in Hydra's own node (callbacks, launcher) that are
    not trusted, because Hydra would build them unasked.
    """
    absent = []
    if config_dir and not Path(config_dir).is_dir():
        expected = "a folder with groups of options, such as data/mine.yaml"
        absent = [Problem(f"--config-dir {config_dir}", f"no folder {Path(config_dir).absolute()}", expected)]
        config_dir = None
    elif config_dir:
        config_dir = str(Path(config_dir).absolute())
    judge_primary([conf, *([Path(config_dir)] if config_dir else [])], config_name)
    with initialize_config_dir(config_dir=str(conf), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        parsed, problems = parse_all(overrides, loader)
        problems = [*absent, *problems]
        places = [f"file://{config_dir}"] * bool(config_dir)
        for override in parsed:
            if override.key_or_group == "hydra.searchpath" and isinstance(typed := override.value(), list):
                places += [place for place in map(str, typed) if place not in {*not_folders(typed)}]
        for place in places:  # as Hydra does
            loader.config_search_path.prepend("command-line", place, SearchPathQuery(provider="schema"))
        loader.repository.initialize_sources(loader.config_search_path)
        groups, values = list[Override](), list[Override]()
        for override in parsed:
            (groups if is_group(override, loader) else values).append(override)
        meant: dict[str, str] = {}
        for override in groups:
            problems += check_options(override, loader, meant)
        found: list[Composed] = []
        combinations, later = _combinations(groups)
        for choices in combinations:
            try:
                found += _look(config_name, choices, values, meant, problems)
            except ConfigError as error:
                problems += error.problems
        return Survey(found, list(dict.fromkeys(problems)), later)


def sweeps(overrides: Sequence[str]) -> list[str]:
    """Those of ``overrides`` that stand for several values; what cannot be parsed is left to ``compose_all``."""
    found, parser = [], OverridesParser.create()
    for text in overrides:
        with contextlib.suppress(HydraException):
            found += [text] * any(each.is_sweep_override() for each in parser.parse_overrides([text]))
    return found


def _look(
    config_name: str,
    choices: Sequence[str],
    values: Sequence[Override],
    meant: Mapping[str, str],
    problems: list[Problem],
) -> Iterator[Composed]:
    """The configs under one combination of group options. Those that do not exist are in ``meant``."""
    base = base_config(config_name, list(filter(None, (meant.get(choice, choice) for choice in choices))))
    lost = {choice.lstrip("+").partition("=")[0] for choice in choices if meant.get(choice) == ""}
    unknown = frozenset().union(*(_BRINGS.get(group, {group.partition("/")[0]}) for group in lost))
    if not unknown <= {str(key) for key in base}:  # a preset: it may set anything
        return
    wrong = set()
    for override in values:
        if override.key_or_group.partition(".")[0] not in unknown:
            for problem in check_key(override, base, choices):
                wrong.add(override.input_line)
                if problem.where not in {known.where for known in problems}:  # once, not for each combination
                    problems.append(problem)
    rest = [o for o in values if o.input_line not in wrong and o.key_or_group.partition(".")[0] not in unknown]
    for settings in _one_at_a_time(rest):
        yield _set(base, choices, settings, unknown, problems)


def _combinations(overrides: Sequence[Override]) -> tuple[list[tuple[str, ...]], int]:
    """Combinations of group options to look at, and how many there are beside."""
    texts = [[rendered(o, value) for value in swept(o)] for o in overrides if swept(o)]
    total = math.prod(map(len, texts))
    if total <= _MOST_GROUP_COMBINATIONS:
        return list(itertools.product(*texts)), 0
    first = [each[0] for each in texts]
    pairs: dict[tuple[str, ...], None] = {}
    for one, two in itertools.combinations(range(len(texts)), 2):
        for here, there in itertools.product(texts[one], texts[two]):
            chosen = [*first]
            chosen[one], chosen[two] = here, there
            pairs[tuple(chosen)] = None
    return list(pairs), total - len(pairs)


def _one_at_a_time(overrides: Sequence[Override]) -> Iterator[list[str]]:
    all_values = [swept(o) for o in overrides]
    first = [rendered(o, values[0]) for o, values in zip(overrides, all_values, strict=True)]
    yield first
    for index, (override, values) in enumerate(zip(overrides, all_values, strict=True)):
        for value in values[1:]:
            yield [*first[:index], rendered(override, value), *first[index + 1 :]]


def _untrusted(node: DictConfig) -> Iterator[Problem]:
    """What Hydra would build or set by itself before any of our code sees the config."""
    plain: Any = OmegaConf.to_container(node, resolve=False)
    for target in sorted(targets_of(plain)):
        if not target.startswith(_HYDRAS_OWN) or "${" in target:
            found = f"'{target}' is not in a trusted module"
            yield Problem(f"hydra: _target_: {target}", found, "a launcher, sweeper or callback of Hydra's", ADVICE)
    yield from (problem("hydra.searchpath", place) for place in not_folders(plain.get("searchpath") or []))
    if plain.get("job", {}).get("env_set"):
        found = ", ".join(plain["job"]["env_set"])
        yield Problem("hydra.job.env_set", found, "nothing: it could make any program run", "set it in your shell")
    for key in ("job_logging", "hydra_logging"):
        if "'()'" in repr(plain.get(key)) or any(not name.startswith("logging.") for name in _classes(plain.get(key))):
            yield Problem(f"hydra.{key}", "a class of its own", "handlers of Python's logging", "leave it as it is")


def _classes(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if "class" in config:
            yield str(config["class"])
        for value in config.values():
            yield from _classes(value)


def _set(
    base: DictConfig, choices: Sequence[str], settings: Sequence[str], unknown: Set[str], problems: list[Problem]
) -> Composed:
    """``base`` with further values, by Hydra's own hand but without composing it anew (0.2 s each)."""
    cfg, parser = copied(base), OverridesParser.create()
    for setting in settings:
        try:
            ConfigLoaderImpl._apply_overrides_to_config(parser.parse_overrides([setting]), cfg)
        except (HydraException, OmegaConfBaseException) as error:
            problems.append(refused(f"override {setting}", error))
    problems += _untrusted(cfg.hydra)
    origin = Origin.of_hydra(cfg.hydra, [*choices, *settings])
    OmegaConf.set_readonly(cfg, False)
    OmegaConf.set_struct(cfg, False)
    cfg.pop("hydra")
    OmegaConf.set_struct(cfg, True)
    return Composed(cfg, origin, unknown)
