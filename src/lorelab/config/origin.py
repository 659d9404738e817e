"""Which file or override a config value comes from, so that every error can name it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from lorelab.paths import CONF, ROOT


@dataclass(frozen=True)
class Origin:
    """The choices and overrides one config was composed from."""

    overrides: Sequence[str] = ()
    """As typed: ``optimizer.lr=0.1``, ``optimizer=sgd``."""
    choices: Mapping[str, str | None] = field(default_factory=dict)
    """Option per group: ``{"optimizer": "adam", "model/head": "linear"}``."""
    folders: Sequence[Path] = (CONF,)
    """Config folders in the order Hydra searches them."""

    @classmethod
    def of_hydra(cls, hydra: Any, overrides: Sequence[str]) -> Origin:
        """From Hydra's own node of a composed config (a ``DictConfig`` or what ``HydraConfig.get`` returns)."""
        sources = [source.path for source in hydra.runtime.config_sources if source.schema == "file"]
        choices: Mapping[str, str | None] = OmegaConf.to_container(hydra.runtime.choices)  # type: ignore[assignment]
        return cls(list(overrides), choices, tuple(map(Path, sources)) or (CONF,))

    def of(self, key: str) -> str:
        """Where the value of the dotted ``key`` was set, the last word first: override, preset, group, config.yaml."""
        for override in reversed(self.overrides):
            if override.lstrip("+~").partition("=")[0] == key:
                return f"override {override}"
        for preset in ("debug", "experiment"):
            name = self.choices.get(preset)
            if name and _sets(self._file(preset, name), key):
                return f"{_relative(self._file(preset, name))}: {key}"
        group_file = self._group_file(key)
        return f"{_relative(group_file) if group_file else 'conf/config.yaml'}: {key}"

    def of_message(self, path: str, node: Mapping[str, object], message: str) -> str:
        """Origin of the key of ``node`` (at ``path``) that an error message mentions, else of the whole node; of
        several, the one that the command line set."""
        mentioned = [key for key in map(str, node) if not key.startswith("_") and re.search(rf"\b{key}\b", message)]
        if mentioned:
            places = [self.of(f"{path}.{key}") for key in mentioned]
            return next((place for place in places if place.startswith("override ")), places[0])
        for override in self.overrides:  # torch says "Invalid learning rate: -1.0" and not lr
            key, _, value = override.lstrip("+~").partition("=")
            if key.startswith(f"{path}.") and value and value in message:
                return f"override {override}"
        return self.of(path)

    def _group_file(self, key: str) -> Path | None:
        """File of the innermost group that holds ``key``: ``model.head.bias`` lies in ``model/head/linear.yaml``."""
        parts = key.split(".")
        for length in range(len(parts), 0, -1):
            group = "/".join(parts[:length])
            name = self.choices.get(group)
            if name:
                return self._file(group, name)
        return None

    def _file(self, group: str, name: str) -> Path:
        candidates = [folder / group / f"{name}.yaml" for folder in self.folders]
        return next((path for path in candidates if path.is_file()), candidates[0])


def _sets(path: Path, key: str) -> bool:
    if not path.is_file():
        return False
    node = yaml.safe_load(path.read_text(encoding="utf-8"))
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def _relative(path: Path) -> str:
    for base in (ROOT, Path.cwd()):
        if path.is_relative_to(base):
            return str(path.relative_to(base))
    return str(path)
