"""Errors a user can act on: each says where, what was found, what was expected and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class LorelabError(Exception):
    """Base of every error that is the user's to mend; shown without a traceback by the command line."""


class DataError(LorelabError):
    """A data set is absent, damaged or not what it claims to be; the message names the file and, if any, the row."""


class StoreError(LorelabError):
    """The run store cannot be opened, read or written."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a config, in the four parts that every message of ours has."""

    where: str
    """File or command-line override the value comes from, e.g. ``conf/optimizer/adam.yaml: optimizer.lr``."""
    found: str
    expected: str
    advice: str = ""

    def __str__(self) -> str:
        lines = [self.where, f"  found:    {self.found}", f"  expected: {self.expected}"]
        if self.advice:
            lines.append(f"  try:      {self.advice}")
        return "\n".join(lines)


class ConfigError(LorelabError):
    """A config is refused, before anything is built. Carries every problem at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        title = "1 problem" if count == 1 else f"{count} problems"
        super().__init__(
            "\n\n".join([f"The configuration has {title}; nothing was started.", *map(str, self.problems)])
        )


def nearest(name: str, valid: Iterable[str]) -> str:
    """Advice that names the valid names closest to ``name`` ("did you mean 'lr'?"), or all if none is close."""
    names = sorted(set(valid))
    close = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(f"'{match}'" for match in close) + "?"
    return "one of: " + ", ".join(names) if names else ""
