"""One override at a time: can it be parsed, and do its group, option or key exist?"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig

from lorelab.errors import Problem, nearest

_FORMS = "KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION"


def parse_all(overrides: Sequence[str], loader: ConfigLoaderImpl) -> tuple[list[Override], list[Problem]]:
    """What can be parsed of them, and problems of the rest."""
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


def is_group(override: Override, loader: ConfigLoaderImpl) -> bool:
    """Whether it names a config group, so that its value is an option of it."""
    return bool(options_of(override.key_or_group, loader))


def options_of(group: str, loader: ConfigLoaderImpl) -> list[str]:
    """The options of a group where the loader's sources are; Hydra's own way copies all of them first."""
    return list(loader.repository.get_group_options(group, ObjectType.CONFIG))


def swept(override: Override) -> list[str]:
    """The values of an override as text, one unless it is a sweep; an interval stands for its ends."""
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    if override.is_interval_sweep():
        return [str(override.value().start), str(override.value().end)]  # type: ignore[union-attr]
    return list(override.sweep_string_iterator())


def check_options(override: Override, loader: ConfigLoaderImpl, meant: dict[str, str]) -> Iterator[Problem]:
    """Options that do not exist; ``meant`` gets the choice with the nearest ones instead, "" where none is near."""
    group = override.key_or_group
    options = options_of(group, loader)
    where = f"override {override.input_line}"
    if override.is_delete():
        return
    if not swept(override):
        yield Problem(where, "a pattern that no option fits", f"an option of conf/{group}/", nearest("", options))
    for value in swept(override):
        for option in value.strip("[]").split(","):
            if option not in options:  # nor does Hydra take null
                advice = f"~{group} leaves the group out" if option == "null" else nearest(option, options)
                yield Problem(where, f"{group}={option}", f"an option of conf/{group}/", advice)
                close = difflib.get_close_matches(option, options, n=1)
                choice = rendered(override, value)
                instead = meant.get(choice, choice).replace(option, close[0]) if close else ""
                meant[choice] = instead if meant.get(choice) != "" else ""


def rendered(override: Override, value: str) -> str:
    """The override as text with one ``value`` of its sweep."""
    if override.is_delete() and override.value() is None:
        return str(override.input_line)
    text = str(override.input_line)
    return f"{text.partition('=')[0]}={value}" if override.is_sweep_override() else text


def check_key(override: Override, base: DictConfig, choices: Sequence[str]) -> Iterator[Problem]:
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
        tops = {choice: choice.lstrip("+~").partition("=")[0].partition("/")[0] for choice in choices}
        about = [choice for choice, top in tops.items() if top in (parts[0], "data") or top not in base]
        chosen = f" (with {' '.join(about)})" if about else ""
        advice = "; ".join(filter(None, [close, f"+{override.input_line} to add a new key"]))
        yield Problem(f"override {override.input_line}", f"no key '{part}'{under}{chosen}", "an existing key", advice)
        return
