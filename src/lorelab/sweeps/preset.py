"""The config that wins, as an ``experiment`` preset that is ready to use."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from lorelab.sweeps.local import Composer

_NOT_OF_A_RUN = ("search", "sweep", "progress", "tracker", "paths", "force", "tags", "debug", "hydra", "seed")
_COMMAND = "# Command: "


def preset(overrides: Sequence[str], composer: Composer) -> str:
    """The YAML of a preset with the choices and values of ``overrides``.

    The preset that the sweep built on, if any, becomes its first default. A preset cannot say which keys are taken
    away, nor set ``debug``, which comes after it: ``write_preset`` has them in its command.
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
            word = "" if each.is_add() else "override "
            defaults.append({f"{word}/{each.get_key_element().lstrip('+~')}": each.value()})
        elif not each.is_delete():
            _put(values, key.split("."), each.value())
    defaults.append("_self_")
    plain = OmegaConf.to_container(OmegaConf.create(values))
    return yaml.safe_dump({"defaults": defaults, **dict(_keyed(plain))}, sort_keys=False, allow_unicode=True, width=120)


def write_preset(
    folder: Path, name: str, overrides: Sequence[str], composer: Composer, header: Sequence[str] = ()
) -> str:
    """Writes ``folder/conf/experiment/NAME.yaml`` and returns the command that trains with it; ``header`` lines are its
    comment."""
    file = _file(folder, name)
    words = [
        word
        for word in overrides
        if word.startswith("debug=") or (word.startswith("~") and not composer.is_group(word[1:].partition("=")[0]))
    ]
    own = [source.path for source in composer.master.hydra.runtime.config_sources if source.provider == "command-line"]
    command = shlex.join(
        ["lorelab", "train", "--config-dir", *(own or [str(folder / "conf")]), f"experiment={name}", *words]
    )
    if own:  # what it builds on is there, and Hydra takes one folder
        there = shlex.quote(f"{own[0]}/experiment")
        command = f"mkdir -p {there} && cp {shlex.quote(str(file))} {there} && {command}"
    comment = "".join(f"# {line}\n" for line in header)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"# @package _global_\n{comment}{_COMMAND}{command}\n{preset(overrides, composer)}", encoding="utf-8"
    )
    return command


def preset_command(folder: Path, name: str) -> str:
    """The command that trains with the preset in ``folder``; "" if there is none."""
    if not _file(folder, name).is_file():
        return ""
    lines = _file(folder, name).read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix(_COMMAND) for line in lines if line.startswith(_COMMAND)), "")


def _file(folder: Path, name: str) -> Path:
    return folder / "conf" / "experiment" / f"{name}.yaml"


def _put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    node = values
    for part in path[:-1]:
        node = node.setdefault(part, {})
    node[path[-1]] = value


def _keyed(values: Any) -> Mapping[str, Any]:
    return values if isinstance(values, Mapping) else {}
