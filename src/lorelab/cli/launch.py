"""One config, from its check to the record of its run: what train, resume and rerun share."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from omegaconf import DictConfig

from lorelab.config.origin import Origin
from lorelab.errors import DataError
from lorelab.paths import ROOT
from lorelab.tracking.protocol import StoredRun

if TYPE_CHECKING:
    from lorelab.records import RunRecord
    from lorelab.training.pruning import TrialReporter
    from lorelab.training.stacked_seat import Member

CONFIG = "resolved.yaml"
"""Beside the checkpoint that an interrupted run goes on from."""


def launch(
    cfg: DictConfig,
    origin: Origin,
    *,
    sweep: str | None = None,
    resume: StoredRun | None = None,
    tags: Mapping[str, str] | None = None,
    force: bool = False,
    reporter: TrialReporter | None = None,
) -> RunRecord:
    """Validates, builds and fits ``cfg``; or returns the record of a finished run with the same signature.

    ``resume``: the interrupted run to go on with. ``tags``: added to the run's. ``force``: train in any case.
    ``reporter``: may end the run early.

    Raises:
        LorelabError: the config, the data or the store is at fault.
    """
    from lorelab.records import RunRecord

    ready = prepare(cfg, origin, sweep=sweep, resume=resume, tags=tags, force=force, reporter=reporter)
    return ready if isinstance(ready, RunRecord) else trained(ready, cfg.progress)


def trained(ready: Member, progress: Literal["auto", "plain", "quiet"]) -> RunRecord:
    """The record of what ``prepare`` made ready, trained alone."""
    from lorelab.training.fit import fit
    from lorelab.training.progress import ProgressLine

    return fit(
        ready.learner,
        ready.data,
        ready.settings,
        tracker=ready.tracker,
        start=ready.start,
        seed=ready.seed,
        callbacks=ready.callbacks,
        progress=ProgressLine(progress),
        config=ready.config,
        checkpoints=ready.checkpoints,
        begun=ready.begun,
    )


def prepare(
    cfg: DictConfig,
    origin: Origin,
    *,
    sweep: str | None = None,
    resume: StoredRun | None = None,
    tags: Mapping[str, str] | None = None,
    force: bool = False,
    reporter: TrialReporter | None = None,
) -> Member | RunRecord:
    """What ``launch`` trains, ready to be trained alone or with others; or the record of the finished run that it
    returns instead. Raises as it does."""
    import torch

    from lorelab.config.build import build
    from lorelab.config.describe import describe, resolved
    from lorelab.config.trust import targets_of
    from lorelab.config.validate import validate
    from lorelab.training.provenance import capture, code_version
    from lorelab.training.pruning import Pruning
    from lorelab.training.stacked_seat import Member

    validate(cfg, origin)
    parts = build(cfg, origin)
    if "target_kind_because" in parts.data.splits.record.schema and cfg.progress != "quiet":
        because = parts.data.splits.record.schema["target_kind_because"]
        print(f"task: {type(parts.learner.task).__name__}, because {because}", file=sys.stderr)
    config = resolved(cfg)
    code = code_version(targets_of(config))
    start = describe(cfg, origin, capture(ROOT), parts.data.splits.record, code=code, sweep=sweep, tags=tags)
    checkpoints = Path(str(cfg.paths.outputs)).absolute() / "checkpoints"
    if resume is not None:
        _must_be_the_same(resume, start.tags, parts.data.splits.record.fingerprint)
        start = start.going_on(resume.run_id, resume.name, resume.tags)
        checkpoints = Path(resume.tags["lorelab.checkpoints"])
        torch.set_num_threads(int(resume.tags.get("lorelab.threads", torch.get_num_threads())))
    elif not (force or cfg.force):
        done = parts.tracker.finished(start.tags["lorelab.signature"])
        if done is not None:
            if sweep is not None:
                parts.tracker.join(done.run_id, {"lorelab.sweep": sweep} | _own_tags(start.tags) | dict(tags or {}))
            if cfg.progress != "quiet":
                print(
                    f"{done.name}: {done.status} before with this signature; force=true trains again", file=sys.stderr
                )
            return done
    return Member(
        parts.learner,
        parts.data,
        parts.settings,
        parts.tracker,
        start,
        seed=cfg.seed,
        callbacks=[*parts.callbacks, *([Pruning(reporter, parts.learner.task.monitor)] if reporter else [])],
        config=config,
        checkpoints=checkpoints,
        begun=lambda run_id: _keep_config(checkpoints / run_id, config),
    )


def _own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """What a study says of its runs."""
    return {key: tags[key] for key in ("lorelab.study", "lorelab.arm") if key in tags}


def _keep_config(folder: Path, config: Mapping[str, object]) -> None:
    """At once, so that a run that is killed before its first checkpoint can begin again. A disk that is full costs
    that, not the run."""
    from lorelab.config.describe import as_yaml

    new = folder / f"{CONFIG}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new.write_text(as_yaml(dict(config)), encoding="utf-8")
        new.replace(folder / CONFIG)
    except OSError as error:
        print(f"warning: if it is interrupted, this run cannot go on: {error}", file=sys.stderr)


def _must_be_the_same(before: StoredRun, tags: Mapping[str, str], fingerprint: str) -> None:
    if (recorded := before.tags.get("lorelab.data_fingerprint")) not in (None, fingerprint):
        raise DataError(
            f"{before.name}: the data have changed since it began: found fingerprint {fingerprint[:12]}, expected "
            f"{str(recorded)[:12]}. Bring the data back, or train anew without resume."
        )
    code = tags["lorelab.code"]
    if before.tags.get("lorelab.code") not in (None, code):
        print(
            f"warning: {before.name} began with other code ({before.tags['lorelab.code']}, now {code}): the steps from "
            "here on may differ from those that it would have taken",
            file=sys.stderr,
        )
