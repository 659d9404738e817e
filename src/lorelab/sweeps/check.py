"""What a search would vary, as command lines that can be checked like any other before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf


def varied(search: Any, overrides: Sequence[str]) -> list[list[str]]:
    """Command lines that together hold every key of the space of ``search`` (the config node) beside ``overrides``:
    one with the keys that vary in any case, and one for each condition, with the first value that fulfils it."""
    plain: Any = OmegaConf.to_container(search, resolve=True)
    space: Mapping[str, Any] = plain.get("space") or {}
    conditions: Mapping[str, Any] = plain.get("conditions") or {}
    typed = {word.lstrip("+~").partition("=")[0] for word in overrides}
    free = {key: f"{key}={value}" for key, value in space.items() if key not in typed}
    always = [line for key, line in free.items() if key not in conditions]
    lines = [[*overrides, *always]]
    for key, condition in conditions.items():
        other, _, values = str(condition).partition("=")
        first = f"{other.strip()}={values.split(',')[0].strip()}"
        rest = [line for line in lines[0] if line.lstrip("+~").partition("=")[0] != other.strip()]
        lines.append([*rest, first, *([free[key]] if key in free else [])])
    return lines
