"""Delivers to MLflow what a run kept in its outbox, also a whole run that began without a store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorelab.errors import StoreError
from lorelab.records import DatasetRecord, RunStart
from lorelab.tracking.items import End, Point
from lorelab.tracking.liveness import is_gone
from lorelab.tracking.mlflow_client import connect, store_errors
from lorelab.tracking.mlflow_facts import write_facts
from lorelab.tracking.mlflow_items import RunSink
from lorelab.tracking.outbox import Outbox

OFFLINE_ID = "lorelab.offline_id"
CHECKPOINTS = "lorelab.checkpoints"
"""Tag: where a run keeps what it goes on from, in a folder by its id."""


@dataclass(frozen=True)
class Report:
    """What became of one run's outbox."""

    done: bool
    text: str


def sync(folder: Path) -> Report:
    """Delivers the outbox in ``folder`` in order; what the store does not take stays there. Each point is stored once,
    however often this is interrupted: a point that is stored already is the same point."""
    box = Outbox(folder)
    try:
        box.lock()
        about = box.about()
    except FileNotFoundError:
        return Report(True, f"{folder.name}: delivered by another process in the meantime.")
    except (OSError, StoreError) as error:
        return Report(False, str(error))
    try:
        return _deliver(box, about)
    finally:
        box.unlock()


def _deliver(box: Outbox, about: dict[str, Any]) -> Report:
    name = about.get("start", {}).get("name") or about["run_id"]
    items = box.items() if box else []
    ended = any(isinstance(item, End) for item in items)
    try:
        if not (ended or is_gone(about["process"]) or _is_closed(about)):
            return Report(False, f"{name}: still running; it delivers by itself, or after its end.")
        run_id = _run(about)
        left = RunSink(connect(about["uri"]), run_id)(items)
    except StoreError as error:
        return Report(False, f"{name}: {error}")
    box.replace(left.away)
    points = sum(isinstance(item, Point) for item in items) - sum(isinstance(item, Point) for item in left.away)
    told = f"{name}: {len(items) - len(left.away)} items delivered to {about['uri']}, {points} points among them"
    refused = f"; refused for good: {'; '.join(left.refused)}" if left.refused else ""
    if left.away:
        return Report(False, f"{told}; {len(left.away)} still wait: {left.reason}{refused}")
    return Report(not left.refused, f"{told}{refused}.")


def _is_closed(about: Mapping[str, Any]) -> bool:
    """In the store: its end was delivered, and only files wait."""
    if "start" in about:
        return False
    with store_errors(about["uri"]):
        return str(connect(about["uri"]).get_run(about["run_id"]).info.status) != "RUNNING"


def _run(about: dict[str, Any]) -> str:
    """Id of the run in the store; one that began offline is made, once."""
    if "start" not in about:
        return str(about["run_id"])
    from lorelab.tracking.mlflow_store import MLflowStore
    from lorelab.tracking.mlflow_tracker import MLflowTracker

    offline = str(about["run_id"])
    known = MLflowStore(about["uri"], about["experiment"]).runs(filters={OFFLINE_ID: offline}, limit=1)
    facts = about["start"]
    dataset = DatasetRecord(**facts.pop("dataset")) if facts.get("dataset") else None
    tags = facts.pop("tags") | {OFFLINE_ID: offline}
    start = RunStart(**(facts | {"dataset": dataset, "tags": tags}))
    if known:  # made by an earlier try, which may have ended before these were written
        run_id = known[0].run_id
        write_facts(connect(about["uri"]), run_id, start)
    else:
        run_id = MLflowTracker(about["uri"], about["experiment"], about["artifacts"]).create(start, about["began"])
    if CHECKPOINTS in tags:
        with suppress(OSError):  # nothing kept, or not on this machine
            Path(tags[CHECKPOINTS], offline).rename(Path(tags[CHECKPOINTS], run_id))
    return run_id
