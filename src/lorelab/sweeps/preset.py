"""The config that wins, as an ``experiment`` preset that is ready to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from lorelab.sweeps.local import Composer

_NOT_OF_A_RUN = ("search", "sweep", "progress", "tracker", "paths", "force", "tags", "debug", "hydra", "seed")


def preset(overrides: Sequence[str], composer: Composer, header: Sequence[str]) -> str:
    """The YAML of a preset with the choices and values of ``overrides``; ``header`` lines are its comment.

    The preset that the sweep built on, if any, becomes its first default.
    """
    parsed = OverridesParser.create(config_loader=composer.loader).parse_overrides(list(overrides))
    defaults: list[Any] = []
    values: dict[str, Any] = {}
    for each in parsed:
        key = each.key_or_group
        if key.split(".")[0].split("/")[0] in _NOT_OF_A_RUN:
            continue
        if key == "experiment":
            defaults.insert(0, str(each.value()))
        elif composer.is_group(key):
            defaults.append({f"override /{each.get_key_element().lstrip('+')}": each.value()})
        elif not each.is_delete():
            _put(values, key.split("."), each.value())
    defaults.append("_self_")
    plain = OmegaConf.to_container(OmegaConf.create(values))
    comment = "".join(f"# {line}\n" for line in header)
    body = yaml.safe_dump({"defaults": defaults, **dict(_keyed(plain))}, sort_keys=False, allow_unicode=True, width=120)
    return f"# @package _global_\n{comment}{body}"


def write_preset(folder: Path, name: str, text: str) -> str:
    """Writes ``folder/conf/experiment/NAME.yaml`` and returns the command that trains with it."""
    file = folder / "conf" / "experiment" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return f"lorelab train --config-dir {folder / 'conf'} experiment={name}"


def _put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    node = values
    for part in path[:-1]:
        node = node.setdefault(part, {})
    node[path[-1]] = value


def _keyed(values: Any) -> Mapping[str, Any]:
    return values if isinstance(values, Mapping) else {}
