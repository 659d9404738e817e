"""Which file or override a config value comes from, so that every error can name it."""

from __future__ import annotations

import functools
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
    """Option per group: ``{"optimizer": "adam", "model/head": "linear"}``, in Hydra's order: of two options that set a
    key the first has the last word."""
    folders: Sequence[Path] = (CONF,)
    """Config folders in the order Hydra searches them."""

    @classmethod
    def of_hydra(cls, hydra: Any, overrides: Sequence[str]) -> Origin:
        """From Hydra's own node of a composed config (a ``DictConfig`` or what ``HydraConfig.get`` returns)."""
        sources = [source.path for source in hydra.runtime.config_sources if source.schema == "file"]
        choices: Mapping[str, str | None] = OmegaConf.to_container(hydra.runtime.choices)  # type: ignore[assignment]
        return cls(list(overrides), choices, tuple(map(Path, sources)) or (CONF,))

    def of(self, key: str) -> str:
        """Where the value of the dotted ``key`` was set, or the option of the part ``key`` chosen: override, else the
        chosen option that has the last word (conf/local/default.yaml, a preset), else the file of its group."""
        for override in reversed(self.overrides):
            if override.lstrip("+~").partition("=")[0] == key:
                return f"override {override}"
        part = key.replace(".", "/")
        for group, name in self.choices.items():
            path = self._file(group, name) if name else None
            if path is None or not path.is_file():
                continue
            if _chooses(path, part, self.choices[part]) if part in self.choices else _sets(path, group, key):
                return f"{_relative(path)}: {key}"
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


def _chooses(path: Path, group: str, option: str | None) -> bool:
    """Whether the file overrides the choice of ``group`` with ``option``: ``override /task@_global_.task: nce``."""
    content = _content(path, path.stat().st_mtime_ns)[1]
    entries = content.get("defaults", []) if isinstance(content, Mapping) else []
    chosen = {str(k).partition("@")[0]: v for entry in entries if isinstance(entry, Mapping) for k, v in entry.items()}
    return any(name in chosen and chosen[name] == option for name in (f"override /{group}", f"override {group}"))


def _sets(path: Path, group: str, key: str) -> bool:
    """Whether the option of ``group`` in this file itself gives ``key`` a value, below its package."""
    text, node = _content(path, path.stat().st_mtime_ns)
    header = re.search(r"^#\s*@package\s+(\S+)", text, re.MULTILINE)
    package = header[1] if header else group.replace("/", ".")
    if package != "_global_" and not key.startswith(f"{package}."):
        return False
    for part in (key if package == "_global_" else key.removeprefix(f"{package}.")).split("."):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


@functools.lru_cache(maxsize=256)
def _content(path: Path, _changed: int) -> tuple[str, Any]:
    """Text and content of a file that was last ``_changed`` then: a sweep asks of each of its configs."""
    text = path.read_text(encoding="utf-8")
    return text, yaml.safe_load(text)


def _relative(path: Path) -> str:
    for base in (ROOT, Path.cwd()):
        if path.is_relative_to(base):
            return str(path.relative_to(base))
    return str(path)
