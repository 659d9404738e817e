"""How each kind of item is written to MLflow, and what becomes of those that are not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from lorelab.tracking.delivery import Undelivered
from lorelab.tracking.items import End, File, Item, Point, Tags, Text
from lorelab.tracking.mlflow_client import patiently

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAX_TAG, MAX_METRICS = 8000, 1000
"""Characters of a tag's value and points per request that MLflow accepts."""
_REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE"})
"""Answers of MLflow that will be the same next time."""


@dataclass(frozen=True)
class RunSink:
    """Writes items to one run of MLflow; called on the writer's thread."""

    client: MlflowClient
    run_id: str

    def __call__(self, items: Sequence[Item]) -> Undelivered:
        """Writes ``items`` in order. Once the store does not answer, the rest is not tried; a file that cannot be
        stored (a full disk, a folder that may not be written) does not keep others from being stored."""
        result = Undelivered()
        gone = False
        for group in _requests(items):
            if gone:
                result.away += group
                continue
            try:
                self._write(group, result.refused)
            except Exception as error:
                if _refused(error):
                    result.refused.append(f"{_what(group[0])}: {_first_line(error)}")
                    continue
                result.away += group
                result.reason = result.reason or _first_line(error)
                gone = not (isinstance(error, OSError) and isinstance(group[0], File | Text)) or _is_network(error)
        return result

    def _write(self, group: Sequence[Item], refused: list[str]) -> None:
        from mlflow.entities import RunTag

        item = group[0]
        if isinstance(item, Point):
            refused += self._write_points([point for point in group if isinstance(point, Point)])
        elif isinstance(item, Tags):
            tags = [RunTag(key, value) for key, value in clip(item.tags, MAX_TAG).items()]
            patiently(self.client.log_batch, self.run_id, tags=tags, synchronous=True)
        elif isinstance(item, Text):
            self.client.log_text(self.run_id, item.content, item.path)
        elif isinstance(item, End):
            patiently(self.client.set_terminated, self.run_id, item.status, item.millis)
        elif item.path.is_dir():
            folder = "/".join(filter(None, [item.folder, item.path.name]))
            self.client.log_artifacts(self.run_id, str(item.path), folder)
        else:
            self.client.log_artifact(self.run_id, str(item.path), item.folder or None)

    def _write_points(self, points: Sequence[Point]) -> list[str]:
        """One request; if a point in it is refused, halves, so that only that point is lost."""
        from mlflow.entities import Metric
        from mlflow.exceptions import MlflowException

        metrics = [Metric(point.name, point.value, point.millis, point.step) for point in points]
        try:
            patiently(self.client.log_batch, self.run_id, metrics=metrics, synchronous=True)
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            if len(points) > 1:
                middle = len(points) // 2
                return self._write_points(points[:middle]) + self._write_points(points[middle:])
            return [f"{_what(points[0])}: {_first_line(error)}"]
        return []


def _requests(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Neighbouring points together, as many as MLflow takes at once; everything else by itself."""
    for is_points, run in groupby(items, key=lambda item: isinstance(item, Point)):
        group = list(run)
        size = MAX_METRICS if is_points else 1
        yield from (group[first : first + size] for first in range(0, len(group), size))


def _refused(error: Exception) -> bool:
    return getattr(error, "error_code", None) in _REFUSALS or isinstance(error, FileNotFoundError)


def _is_network(error: Exception) -> bool:
    """No answer at all; one that refuses a file does not keep other items from being taken."""
    return getattr(error, "response", None) is None and type(error).__module__.partition(".")[0] in {
        "requests",
        "urllib3",
    }


def _what(item: Item) -> str:
    if isinstance(item, Point):
        return f"metric '{item.name}' at step {item.step}"
    if isinstance(item, Tags):
        return "tags " + ", ".join(item.tags)
    return str(item.path) if isinstance(item, File | Text) else "the end of the run"


def legal_name(name: str) -> str:
    """``name`` with characters that MLflow refuses replaced by ``_``; it takes letters, digits, space and ``_-.:/``."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def clip(values: Mapping[str, str], length: int) -> dict[str, str]:
    """Legal names, and values cut to ``length`` characters; a cut one ends in ``…``."""
    texts = {legal_name(key): str(value) for key, value in values.items()}
    return {key: text if len(text) <= length else text[: length - 1] + "…" for key, text in texts.items()}


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
