"""Decisions as plain containers for strict JSON, which knows no NaN and no infinity: those become the words "nan",
"inf" and "-inf", and numbers again on the way back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lorelab.studies.decision import Decision, Interval
from lorelab.studies.rules import Kind, Verdict

WORDS = ("nan", "inf", "-inf")


def to_plain(decision: Decision) -> dict[str, Any]:
    """Dicts, lists, strings and finite numbers only."""
    plain: dict[str, Any] = worded(asdict(decision))
    return plain


def from_plain(plain: Mapping[str, Any]) -> Decision:
    """The decision that ``to_plain`` was given, also after a round through JSON."""
    values = numbered(dict(plain))
    return Decision(
        **values
        | {
            "kind": Kind(values["kind"]),
            "verdict": Verdict(values["verdict"]),
            "interval": Interval(**values["interval"]),
            "others": tuple(Interval(**other) for other in values["others"]),
            "disagree": tuple(values["disagree"]),
            "diverged": tuple(values["diverged"]),
        }
    )


def worded(value: Any) -> Any:
    """Containers of any depth, with words for what JSON does not know."""
    if isinstance(value, Mapping):
        return {key: worded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [worded(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, str) else value


def numbered(value: Any) -> Any:
    """The reverse."""
    if isinstance(value, Mapping):
        return {key: numbered(each) for key, each in value.items()}
    if isinstance(value, list):
        return [numbered(each) for each in value]
    return float(value) if value in WORDS else value
