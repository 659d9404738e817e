"""``lorelab train resume=RUN``: an interrupted run goes on, as the same run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lorelab.config.origin import Origin
from lorelab.errors import ConfigError, LorelabError, Problem
from lorelab.records import VOLATILE, RunRecord, RunStatus, lies_below
from lorelab.tracking.outbox import OUTBOX, begun_offline, sync_command
from lorelab.tracking.protocol import StoredRun

if TYPE_CHECKING:
    from lorelab.training.pruning import TrialReporter
    from lorelab.training.stacked_seat import Member

TAG = "lorelab.checkpoints"
"""Where the run keeps what it needs to go on."""


def resume(run: str, overrides: Sequence[str]) -> RunRecord:
    """Goes on with ``run`` (id, id prefix or name) from its last checkpoint, or from its beginning if there is none.

    ``overrides`` may set what does not change the result (``records.VOLATILE``). A run that is finished is not trained
    again: its record is returned.

    Raises:
        ConfigError: another override.
        LorelabError: the run is not there, still runs, or kept nothing to go on from.
    """
    from lorelab.tracking.mlflow_store import record_of

    found = _stored(run, overrides)
    if found.status in (RunStatus.FINISHED, RunStatus.DIVERGED, RunStatus.PRUNED):
        return record_of(found)
    if found.status == RunStatus.RUNNING:
        host = found.tags.get("lorelab.host", "an unknown host")
        raise LorelabError(
            f"resume={run}: {found.name} is still running on {host}; stop it first, or wait for its end."
        )
    return go_on(found, overrides)


def go_on(found: StoredRun, overrides: Sequence[str] = (), *, reporter: TrialReporter | None = None) -> RunRecord:
    """Goes on with an interrupted run; see ``resume``. ``reporter``: may end it early."""
    cfg = _config(found)
    apply_overrides(cfg, overrides)
    from lorelab.cli.launch import launch

    with going_on_with(found):
        return launch(cfg, Origin(overrides=list(overrides)), resume=found, reporter=reporter)


def prepare_again(found: StoredRun, *, reporter: TrialReporter | None = None) -> Member | RunRecord:
    """An interrupted run as ``go_on`` would train it, ready to be trained. Raises ``LorelabError`` as that does."""
    from lorelab.cli.launch import prepare

    return prepare(_config(found), Origin(overrides=[]), resume=found, reporter=reporter)


@contextlib.contextmanager
def going_on_with(found: StoredRun) -> Iterator[None]:
    """Inside, no other process goes on with that run. Raises ``LorelabError`` if one does."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(Path(found.tags[TAG]) / f"{found.run_id}.lock", timeout=0):
            yield
    except Timeout as error:
        raise LorelabError(f"resume={found.run_id}: another process is going on with {found.name} already.") from error


def _stored(run: str, overrides: Sequence[str]) -> StoredRun:
    """Also by the id that a run had before it was delivered."""
    from lorelab.tracking.mlflow_store import MLflowStore
    from lorelab.tracking.mlflow_sync import OFFLINE_ID

    outputs = next((word.partition("=")[2] for word in overrides if word.startswith("paths.outputs=")), OUTBOX.parent)
    outbox = Path(outputs).absolute() / "outbox"
    if begun_offline(outbox, run):
        raise LorelabError(
            f"resume={run}: it began offline and its store does not know it yet. First: {sync_command(outbox)}"
        )
    store = MLflowStore(experiment=None)
    known = store.runs(filters={OFFLINE_ID: run}, limit=1) if run.startswith("offline-") else ()
    return known[0] if known else store.get(run)


def _config(run: StoredRun) -> DictConfig:
    from lorelab.cli.launch import CONFIG

    file = Path(run.tags.get(TAG, "")) / run.run_id / CONFIG
    if TAG not in run.tags or not file.is_file():
        raise LorelabError(
            f"resume: {run.name} ({run.status}) kept nothing to go on from: expected {file}. Train it anew with "
            f"lorelab rerun {run.run_id[:12]}."
        )
    return OmegaConf.load(file)  # type: ignore[return-value]


def apply_overrides(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Sets what does not change a result in the config of a recorded run. Raises ``ConfigError`` for anything else."""
    problems = []
    for override in overrides:
        key, _, value = override.partition("=")
        if lies_below(key, VOLATILE):
            try:
                OmegaConf.update(cfg, key, OmegaConf.create(f"v: {value}").v)
                continue
            except OmegaConfBaseException as error:
                problems.append(Problem(f"override {override}", str(error).splitlines()[0], "KEY=VALUE"))
                continue
        advice = "leave it out, or start a new run"
        expected = "of a recorded run only what does not change the result: " + ", ".join(VOLATILE)
        problems.append(Problem(f"override {override}", f"{key} would change the run", expected, advice))
    if problems:
        raise ConfigError(problems)
