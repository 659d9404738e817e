"""Where a primary config has Hydra look for further configs, judged before Hydra looks: a package would be imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from lorelab.errors import ConfigError, Problem


def judge_primary(folders: Sequence[Path], name: str) -> None:
    """Raises ``ConfigError`` if a config ``name`` in ``folders`` has a search path of anything but folders.

    Read from the file itself; values that are interpolated are refused, because where they lead only Hydra could tell.
    """
    names = [name] if name.endswith((".yaml", ".yml")) else [f"{name}.yaml", f"{name}.yml"]
    files = [path for folder in folders for each in names if (path := folder / each).is_file()]
    problems = [problem for file in files for problem in _problems(file)]
    if problems:
        raise ConfigError(problems)


def not_folders(search_path: Any) -> Iterator[str]:
    """Places that are no folders, or may turn out to be none."""
    if not isinstance(search_path, list):
        yield str(search_path)
        return
    for place in map(str, search_path):
        if place.startswith("${") or ("://" in place and not place.startswith("file://")):
            yield place


def problem(where: str, place: str) -> Problem:
    """What is wrong with ``place`` in a search path."""
    return Problem(where, place, "folders: file://...", "a package is imported to look into it")


def _problems(file: Path) -> Iterator[Problem]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):  # Hydra says so better
        return
    node = content.get("hydra") if isinstance(content, dict) else None
    if isinstance(node, str):
        yield problem(f"{file}: hydra", node)
    elif isinstance(node, dict) and (found := node.get("searchpath")):
        yield from (problem(f"{file}: hydra.searchpath", place) for place in not_folders(found))
