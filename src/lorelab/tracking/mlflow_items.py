"""How each kind of item is written to MLflow, and what becomes of those that are not."""

from __future__ import annotations

import re
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from lorelab.tracking.delivery import Undelivered
from lorelab.tracking.items import End, File, Item, Point, Tags, Text
from lorelab.tracking.mlflow_client import patiently

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

MAX_TAG, MAX_METRICS = 8000, 1000
"""Characters of a tag's value and points per request that MLflow accepts."""
_AT_ONCE: dict[type[Item], int] = {Text: 100, File: 1, Point: MAX_METRICS, Tags: 5, End: 1}
_OF_AN_ITEM = "INVALID_PARAMETER_VALUE"
"""A refusal that other items of the same request need not share; the rest are about the run."""
_REFUSALS = frozenset({_OF_AN_ITEM, "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE"})
"""Answers of MLflow that will be the same next time."""


@dataclass(frozen=True)
class RunSink:
    """Writes items to one run of MLflow; called on the writer's thread. ``place``: the run's artifact URI, which is
    asked for if it is not given."""

    client: MlflowClient
    run_id: str
    place: str = ""

    def __call__(self, items: Sequence[Item]) -> Undelivered:
        """Writes ``items``, in order but for what MLflow takes together. Once the store does not answer, the rest is
        not tried; a file that cannot be stored (a full disk, a folder that may not be written) does not keep others
        from being stored, nor does an item that MLflow refuses."""
        result = Undelivered()
        gone = False
        groups = deque(_requests(items))
        while groups:
            group = groups.popleft()
            if gone:
                result.away += group
                continue
            try:
                self._write(group)
            except Exception as error:
                if len(group) > 1 and getattr(error, "error_code", None) == _OF_AN_ITEM:  # only that shall be lost
                    middle = len(group) // 2
                    groups.extendleft((group[middle:], group[:middle]))
                    continue
                if _refused(error):
                    result.refused.append(f"{_what(group[0])}: {_first_line(error)}")
                    continue
                result.away += group
                result.reason = result.reason or _first_line(error)
                gone = not (isinstance(error, OSError) and isinstance(group[0], File | Text)) or _is_network(error)
        away = set(map(id, result.away))
        result.away = [item for item in items if id(item) in away]  # as they came
        return result

    @cached_property
    def _files(self) -> ArtifactRepository:
        """Where the run's files are: the client would look the run up in the store to find out, for each run."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        place = self.place or patiently(self.client.get_run, self.run_id).info.artifact_uri
        return get_artifact_repository(place, tracking_uri=self.client.tracking_uri)

    def _write(self, group: Sequence[Item]) -> None:
        """Items of one kind, of which MLflow takes several at once."""
        from mlflow.entities import Metric, RunTag

        points = [Metric(each.name, each.value, each.millis, each.step) for each in group if isinstance(each, Point)]
        tags = {key: value for each in group if isinstance(each, Tags) for key, value in each.tags.items()}
        item = group[0]
        if points or tags:
            clipped = [RunTag(key, value) for key, value in clip(tags, MAX_TAG).items()]
            patiently(self.client.log_batch, self.run_id, metrics=points, tags=clipped, synchronous=True)
        elif isinstance(item, Text):
            self._write_texts([each for each in group if isinstance(each, Text)])
        elif isinstance(item, End):
            patiently(self.client.set_terminated, self.run_id, item.status, item.millis)
        elif isinstance(item, File) and item.path.is_dir():
            self._files.log_artifacts(str(item.path), "/".join(filter(None, [item.folder, item.path.name])))
        elif isinstance(item, File):
            self._files.log_artifact(str(item.path), item.folder or None)

    def _write_texts(self, texts: Sequence[Text]) -> None:
        from mlflow.store.artifact.artifact_repo import verify_artifact_path

        with tempfile.TemporaryDirectory(prefix="lorelab-") as folder:
            for text in texts:
                verify_artifact_path(text.path)  # it stays within
                path = Path(folder, text.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text.content, encoding="utf-8")
            self._files.log_artifacts(folder)


def _requests(items: Sequence[Item]) -> Iterator[list[Item]]:
    """What MLflow takes at once: of what is queued before the run's end, all texts, then files, points and tags."""
    for _, run in groupby(items, key=lambda item: isinstance(item, End)):
        group = list(run)
        for kind, most in _AT_ONCE.items():
            mine = [item for item in group if isinstance(item, kind)]
            yield from (mine[first : first + most] for first in range(0, len(mine), most))


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
