"""What a run says of itself when it starts and when it ends, as MLflow stores it."""

from __future__ import annotations

import getpass
import json
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lorelab.records import DatasetRecord, RunRecord, RunStart, RunStatus
from lorelab.tracking.items import End, Item, Tags, Text
from lorelab.tracking.liveness import marks
from lorelab.tracking.mlflow_client import patiently
from lorelab.tracking.mlflow_items import clip

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

MAX_PARAM, MAX_PARAMS, MAX_DIGEST = 6000, 100, 36
"""What MLflow accepts: characters of a parameter's value, parameters per request, characters of a digest."""
MLFLOW_STATUS = {RunStatus.FAILED: "FAILED", RunStatus.KILLED: "KILLED"}
"""Of runs that ended without a result; every other end (diverged and pruned too) is one, hence FINISHED."""
_AT_THE_END = (
    "status",
    "monitor",
    "mode",
    "score",
    "best_step",
    "steps",
    "examples",
    "seconds",
    "diverged_at",
    "weights",
)


def start_tags(start: RunStart) -> dict[str, str]:
    """The tags of a run that begins or goes on: its own, whose process writes it, and what its data are."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        user = f"uid {os.getuid()}"
    origin = {"mlflow.source.name": "lorelab train", "mlflow.source.type": "LOCAL", "mlflow.user": user}
    tags = origin | marks() | with_parent(start.tags) | {"lorelab.status": str(RunStatus.RUNNING)}
    if start.dataset is not None:
        tags["lorelab.data_fingerprint"] = start.dataset.fingerprint
    return tags


def with_parent(tags: Mapping[str, str]) -> dict[str, str]:
    """``tags``, the parent that they name (``lorelab.parent``) as MLflow knows it, too."""
    return {**tags} | ({"mlflow.parentRunId": tags["lorelab.parent"]} if tags.get("lorelab.parent") else {})


def write_facts(client: MlflowClient, run_id: str, start: RunStart) -> None:
    """Stores parameters and the data set."""
    from mlflow.entities import Param

    params = [Param(key, value) for key, value in clip(start.params, MAX_PARAM).items()]
    for first in range(0, len(params), MAX_PARAMS):
        patiently(client.log_batch, run_id, params=params[first : first + MAX_PARAMS], synchronous=True)
    if start.dataset is not None:
        patiently(client.log_inputs, run_id, datasets=[_dataset_input(start.dataset)])


def end_items(record: RunRecord) -> list[Item]:
    """What closes a run: tags, its record, what went wrong."""
    facts = {f"lorelab.{name}": getattr(record, name) for name in _AT_THE_END}
    items: list[Item] = [Tags({name: str(value) for name, value in facts.items() if value not in (None, "")})]
    items.append(Text(json.dumps(record.to_dict(), indent=2), "record.json"))
    if record.error and record.status is RunStatus.FAILED:
        items.append(Text(record.error, "traceback.txt"))
    elif record.error:
        items.append(Tags({"lorelab.reason": record.error}))
    return [*items, End(MLFLOW_STATUS.get(record.status, "FINISHED"), now_millis())]


def now_millis() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _dataset_input(data: DatasetRecord) -> DatasetInput:
    """MLflow's view of the data. Its digest holds 36 characters: the whole fingerprint is in the profile."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=data.name,
        digest=data.fingerprint[:MAX_DIGEST],
        source_type="local",
        source=json.dumps({"source": data.source}),
        schema=json.dumps(dict(data.schema), default=str),
        profile=json.dumps({"fingerprint": data.fingerprint, "sizes": dict(data.sizes)}),
    )
    return DatasetInput(dataset, tags=[InputTag("mlflow.data.context", "train, validation and test")])
