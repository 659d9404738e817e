"""What one run sends to MLflow after its start, and how each kind is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lorelab.errors import StoreError
from lorelab.tracking.mlflow_client import patiently

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAX_TAG, MAX_METRICS = 8000, 1000
"""Characters of a tag's value and points per request that MLflow accepts."""


@dataclass(frozen=True)
class Point:
    """One value of one metric; ``millis`` since the epoch. Writing the same point twice leaves one."""

    name: str
    value: float
    step: int
    millis: int


@dataclass(frozen=True)
class Tags:
    """Tags to set, in place of earlier values."""

    tags: Mapping[str, str]


@dataclass(frozen=True)
class File:
    """A file or folder to copy below the artifact path ``folder``."""

    path: Path
    folder: str


@dataclass(frozen=True)
class Text:
    """A text artifact."""

    content: str
    path: str


Item = Point | Tags | File | Text


@dataclass(frozen=True)
class RunSink:
    """Writes items to one run of MLflow; called on the writer's thread."""

    client: MlflowClient
    run_id: str

    def __call__(self, items: Sequence[Item]) -> None:
        """Tries every item, then raises ``StoreError`` with the first reason if some could not be written."""
        failures: list[str] = []
        points = [item for item in items if isinstance(item, Point)]
        for first in range(0, len(points), MAX_METRICS):
            failures += self._write_points(points[first : first + MAX_METRICS])
        for item in items:
            if not isinstance(item, Point):
                failures += self._write_other(item)
        if failures:
            more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
            raise StoreError(failures[0] + more)

    def _write_points(self, points: Sequence[Point]) -> list[str]:
        """One request; if a point in it is refused, halves, so that only that point is lost."""
        from mlflow.entities import Metric
        from mlflow.exceptions import MlflowException

        metrics = [Metric(point.name, point.value, point.millis, point.step) for point in points]
        try:
            patiently(self.client.log_batch, self.run_id, metrics=metrics, synchronous=True)
        except MlflowException as error:
            if error.error_code == "INVALID_PARAMETER_VALUE" and len(points) > 1:
                middle = len(points) // 2
                return self._write_points(points[:middle]) + self._write_points(points[middle:])
            return [f"metric '{points[0].name}' at step {points[0].step}: {_first_line(error)}"]
        except Exception as error:
            return [f"{len(points)} points from '{points[0].name}' on: {_first_line(error)}"]
        return []

    def _write_other(self, item: Tags | File | Text) -> list[str]:
        from mlflow.entities import RunTag

        try:
            if isinstance(item, Tags):
                tags = [RunTag(key, value) for key, value in clip(item.tags, MAX_TAG).items()]
                patiently(self.client.log_batch, self.run_id, tags=tags, synchronous=True)
            elif isinstance(item, Text):
                self.client.log_text(self.run_id, item.content, item.path)
            elif item.path.is_dir():
                self.client.log_artifacts(
                    self.run_id, str(item.path), "/".join(filter(None, [item.folder, item.path.name]))
                )
            else:
                self.client.log_artifact(self.run_id, str(item.path), item.folder or None)
        except Exception as error:
            what = item.path if isinstance(item, File | Text) else "tags " + ", ".join(item.tags)
            return [f"{what}: {_first_line(error)}"]
        return []


def legal_name(name: str) -> str:
    """``name`` with characters that MLflow refuses replaced by ``_``; it takes letters, digits, space and ``_-.:/``."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def clip(values: Mapping[str, str], length: int) -> dict[str, str]:
    """Legal names, and values cut to ``length`` characters; a cut one ends in ``…``."""
    texts = {legal_name(key): str(value) for key, value in values.items()}
    return {key: text if len(text) <= length else text[: length - 1] + "…" for key, text in texts.items()}


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
