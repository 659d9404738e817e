"""``lorelab train``: the only ``hydra.main``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from lorelab.config.origin import Origin
from lorelab.config.overrides import compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.errors import ConfigError, LorelabError, Problem
from lorelab.paths import CONF, ROOT

if TYPE_CHECKING:
    from lorelab.records import RunRecord

_LOOKS_ONLY = ("-h", "--help", "--hydra-help", "--cfg", "-c", "--info", "-i", "--shell-completion", "-sc", "--version")


def main(argv: Sequence[str]) -> int:
    """Checks the whole command line, then hands it to Hydra."""
    from lorelab.training.interrupts import Interrupted, interruptible

    register_resolvers()
    completing = any(word in ("-sc", "--shell-completion") for word in argv)
    sys.argv = ["lorelab" if completing else "lorelab train", *argv]  # a shell completes for the name of the program
    decorate = hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    try:
        with interruptible():
            if not any(word.partition("=")[0] in _LOOKS_ONLY for word in argv):
                _check(argv)
            decorate(run_job)()
    except Interrupted as stop:
        print(f"lorelab train: {stop}", file=sys.stderr)
        return stop.exit_code
    return 0


def run_job(cfg: DictConfig) -> float | None:
    """One run, as Hydra calls it, in this process or in a launcher's worker. Returns the score, for a sweeper."""
    register_resolvers()
    try:
        record = train(cfg)
    except LorelabError as error:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise  # the other jobs go on; Hydra reports this one at the end
        print(f"lorelab train: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    return record.score


def train(cfg: DictConfig) -> RunRecord:
    """Validates, builds and fits the config of one Hydra job, and says where the result lies."""
    from lorelab.config.build import build
    from lorelab.config.describe import describe, resolved
    from lorelab.config.validate import validate
    from lorelab.training.fit import fit
    from lorelab.training.progress import ProgressLine
    from lorelab.training.provenance import capture

    job = HydraConfig.get()
    origin = Origin.of_hydra(job, job.overrides.task)
    validate(cfg, origin)
    parts = build(cfg, origin)
    many = job.mode is RunMode.MULTIRUN
    sweep = "-".join(Path(job.sweep.dir).parts[-2:]) if many else None
    start = describe(cfg, origin, capture(ROOT), parts.data.splits.record, sweep)
    record = fit(
        parts.learner,
        parts.data,
        parts.settings,
        tracker=parts.tracker,
        start=start,
        seed=cfg.seed,
        callbacks=parts.callbacks,
        progress=ProgressLine(cfg.progress),
        config=resolved(cfg),
    )
    if cfg.progress != "quiet" and not many:
        from lorelab.cli.outcome import print_outcome

        print_outcome(record)
    return record


def _check(argv: Sequence[str]) -> None:
    """Composes and validates every config the command line would run."""
    overrides, options = [], {}
    words = iter(argv)
    for word in words:
        name, has_value, value = word.partition("=")
        if name in ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--package", "-p"):
            options[name] = value if has_value else next(words, "")
        elif not word.startswith("-"):
            overrides.append(word)
    if {"--config-path", "-cp"} & options.keys():  # another tree altogether: Hydra's own messages must do
        return
    folder = options.get("--config-dir", options.get("-cd"))
    composed = compose_all(
        overrides,
        config_dir=str(Path(folder).absolute()) if folder else None,
        config_name=options.get("--config-name", options.get("-cn", "config")),
    )
    from lorelab.config.validate import validate

    problems: list[Problem] = []
    for each in composed:
        try:
            validate(each.cfg, each.origin)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(dict.fromkeys(problems))
