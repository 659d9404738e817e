"""Named jobs in place of a grid: what a study asks for."""

from __future__ import annotations

import json
from pathlib import Path

from lorelab.errors import ConfigError, Problem

JOB = "job"
"""What varies in a sweep of named jobs."""


def listed(path: str | None) -> dict[str, tuple[str, ...]]:
    """Name → overrides, of the file that ``sweep.jobs`` names; {} for None.

    Raises:
        ConfigError: there is no such file, or it lists no jobs.
    """
    if path is None:
        return {}
    try:
        found = {
            str(job["name"]): tuple(map(str, job["overrides"])) for job in json.loads(Path(path).read_text("utf-8"))
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{path}: {type(error).__name__}: {error}"
        expected = 'a JSON list of {"name": ..., "overrides": [...]}'
        raise ConfigError([Problem("sweep.jobs", problem, expected)]) from error
    if not found:
        raise ConfigError([Problem("sweep.jobs", f"{path}: an empty list", "at least one job")])
    return found
