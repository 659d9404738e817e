"""Checks a whole command line before Hydra runs it: every bad override at once, and every job of a multirun."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lorelab.config.origin import Origin
from lorelab.config.trust import ADVICE, targets_of
from lorelab.errors import ConfigError, Problem, nearest
from lorelab.paths import CONF

_HYDRAS_OWN = ("hydra._internal.core_plugins.", "hydra.experimental.callbacks.", "hydra_plugins.")
_MOST_GROUP_COMBINATIONS = 64
_FORMS = "KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION"


@dataclass(frozen=True)
class Composed:
    """One config that a command line would run, without Hydra's own node, and where its values come from."""

    cfg: DictConfig
    origin: Origin


def compose_all(
    overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = "config", conf: Path = CONF
) -> list[Composed]:
    """Every distinct config to look at before the command line runs.

    That is each combination of swept group choices with the first value of the other sweeps, then each further swept
    value once: the sum of the values, not their product, so that a large grid is checked in little time.

    ``conf``: the folder of the primary config; ``config_dir``: one more to look for options in.

    Raises:
        ConfigError: with all overrides that cannot be parsed, name no group, option or key; or with targets in Hydra's
            own node (callbacks, launcher) that are not trusted, because Hydra would build them unasked.
    """
    search_path = [f"hydra.searchpath=[file://{config_dir}]"] if config_dir else []
    with initialize_config_dir(config_dir=str(conf), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        parsed, problems = _parse(overrides, loader)
        groups = [o for o in parsed if _is_group(o, loader)]
        problems += [_nothing(o) for o in groups if o.value() is None and not o.is_delete()]
        groups = [o for o in groups if o.value() is not None or o.is_delete()]
        values = [o for o in parsed if not _is_group(o, loader)]
        if not config_dir:
            wrong = {o.input_line: bad for o in groups if (bad := list(_check_options(o, loader)))}
            problems += [problem for bad in wrong.values() for problem in bad]
            groups = [o for o in groups if o.input_line not in wrong]  # the rest is looked at all the same
        found: list[Composed] = []
        for choices in itertools.islice(_combinations(groups), _MOST_GROUP_COMBINATIONS):
            base = _compose(config_name, [*search_path, *choices])
            problems += [p for o in values for p in _check_key(o, base, choices)]
            if not problems:
                found += [_set(base, choices, settings, problems) for settings in _one_at_a_time(values)]
        if problems:
            raise ConfigError(dict.fromkeys(problems))
        return found


def _parse(overrides: Sequence[str], loader: ConfigLoader) -> tuple[list[Override], list[Problem]]:
    parser, parsed, problems = OverridesParser.create(config_loader=loader), [], []
    for text in overrides:
        if not text.lstrip("+~").partition("=")[0]:
            problems.append(Problem(f"override {text}", "nothing before '='", _FORMS))
            continue
        try:
            parsed += parser.parse_overrides([text])
        except HydraException as error:
            reason = str(error).splitlines()[0]
            problems.append(Problem(f"override {text}", reason, _FORMS))
    return parsed, problems


def _is_group(override: Override, loader: ConfigLoader) -> bool:
    return bool(loader.get_group_options(override.key_or_group))


def _swept(override: Override) -> list[str]:
    """The values of an override as text, one unless it is a sweep; an interval stands for its ends."""
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    if override.is_interval_sweep():
        return [str(override.value().start), str(override.value().end)]  # type: ignore[union-attr]
    return list(override.sweep_string_iterator())


def _check_options(override: Override, loader: ConfigLoader) -> Iterator[Problem]:
    group = override.key_or_group
    options = loader.get_group_options(group)
    if override.is_delete():
        return
    for value in _swept(override):
        for option in value.strip("[]").split(","):
            if option not in options and option != "null":
                where = f"override {override.input_line}"
                yield Problem(where, f"{group}={option}", f"an option of conf/{group}/", nearest(option, options))


def _rendered(override: Override, value: str) -> str:
    if override.is_delete() and override.value() is None:
        return str(override.input_line)
    text = str(override.input_line)
    return f"{text.partition('=')[0]}={value}" if override.is_sweep_override() else text


def _combinations(overrides: Sequence[Override]) -> Iterator[list[str]]:
    for values in itertools.product(*(_swept(o) for o in overrides)):
        yield [_rendered(o, v) for o, v in zip(overrides, values, strict=True)]


def _one_at_a_time(overrides: Sequence[Override]) -> Iterator[list[str]]:
    all_values = [_swept(o) for o in overrides]
    first = [_rendered(o, values[0]) for o, values in zip(overrides, all_values, strict=True)]
    yield first
    for index, (override, values) in enumerate(zip(overrides, all_values, strict=True)):
        for value in values[1:]:
            yield [*first[:index], _rendered(override, value), *first[index + 1 :]]


def _nothing(override: Override) -> Problem:
    """Hydra takes no null for a group."""
    advice = f"~{override.key_or_group} leaves the group out"
    return Problem(f"override {override.input_line}", "null", "one of the group's options", advice)


def _compose(config_name: str, overrides: Sequence[str]) -> DictConfig:
    try:
        return compose(config_name, overrides=list(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise _refused(overrides, error) from error


def _refused(overrides: Sequence[str], error: Exception) -> ConfigError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    where = "overrides " + " ".join(overrides) if overrides else "conf/config.yaml"
    return ConfigError([Problem(where, " ".join(lines), "a config that Hydra can compose")])


def _check_key(override: Override, base: DictConfig, choices: Sequence[str]) -> Iterator[Problem]:
    """An override without + must name a key that exists under these group choices."""
    if override.is_add() or override.is_force_add():
        return
    node: object = base
    parts = override.key_or_group.split(".")
    for depth, part in enumerate(parts):
        # Not `part in node`, which is false for a value that is still missing (???).
        child = (
            node._get_node(part, validate_access=False)
            if isinstance(node, DictConfig) and not node._is_none()
            else None
        )
        if child is not None:
            node = child
            continue
        keys = list(map(str, node)) if isinstance(node, DictConfig) and not node._is_none() else []
        parent = ".".join(parts[:depth])
        close = nearest(part, [key for key in keys if not key.startswith("_")])
        under = f" under '{parent}'" if parent else " at the top level"
        chosen = f" (with {' '.join(choices)})" if choices else ""
        advice = "; ".join(filter(None, [close, f"+{override.input_line} to add a new key"]))
        yield Problem(f"override {override.input_line}", f"no key '{part}'{under}{chosen}", "an existing key", advice)
        return


def _untrusted(node: DictConfig) -> Iterator[Problem]:
    """What Hydra would build or set by itself before any of our code sees the config."""
    plain: Any = OmegaConf.to_container(node, resolve=False)
    for target in sorted(targets_of(plain)):
        if not target.startswith(_HYDRAS_OWN) or "${" in target:
            found = f"'{target}' is not in a trusted module"
            yield Problem(f"hydra: _target_: {target}", found, "a launcher, sweeper or callback of Hydra's", ADVICE)
    for place in plain.get("searchpath") or []:
        if str(place).startswith("pkg://"):
            yield Problem(
                "hydra.searchpath", str(place), "folders: file://...", "a package is imported to look into it"
            )
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


def _set(base: DictConfig, choices: Sequence[str], settings: Sequence[str], problems: list[Problem]) -> Composed:
    """``base`` with further values, by Hydra's own hand but without composing it anew (0.2 s each)."""
    cfg = copy.deepcopy(base)
    try:
        ConfigLoaderImpl._apply_overrides_to_config(OverridesParser.create().parse_overrides(list(settings)), cfg)
    except (HydraException, OmegaConfBaseException) as error:
        raise _refused([*choices, *settings], error) from error
    problems += _untrusted(cfg.hydra)
    origin = Origin.of_hydra(cfg.hydra, [*choices, *settings])
    OmegaConf.set_readonly(cfg, False)
    OmegaConf.set_struct(cfg, False)
    cfg.pop("hydra")
    OmegaConf.set_struct(cfg, True)
    return Composed(cfg, origin)
