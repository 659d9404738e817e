"""``lorelab train``: the only ``hydra.main``."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lorelab.config.origin import Origin
from lorelab.config.overrides import Composed, Survey, survey, sweeps
from lorelab.config.resolvers import register_resolvers
from lorelab.errors import ConfigError, LorelabError, Problem, nearest
from lorelab.paths import CONF
from lorelab.sweeps.fork_server import prepare_fork_server

if TYPE_CHECKING:
    from lorelab.records import RunRecord

_NO_CONFIG = ("--hydra-help", "--shell-completion", "-sc", "--version")
_HELP = ("-h", "--help")
WORKER = "LORELAB_WORKER"
"""Set for a worker of a sweep, whose command line was checked already."""
_MANY = ("-m", "--multirun")
_LOOKS_ONLY = ("--cfg", "-c", "--info", "-i")
_FLAGS = ("--multirun", "-m", "--run", "-r", "--resolve")
_WITH_A_VALUE = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--package", "-p", *_LOOKS_ONLY)


def main(argv: Sequence[str]) -> int:
    """Checks the whole command line, then hands it to Hydra."""
    from lorelab.training.interrupts import Interrupted, interruptible

    register_resolvers()
    run = next((word.partition("=")[2] for word in argv if word.startswith("resume=")), "null")
    completing = any(word in ("-sc", "--shell-completion") for word in argv)
    sys.argv = ["lorelab" if completing else "lorelab train", *argv]  # a shell completes for the name of the program
    decorate = hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    try:
        with interruptible():
            if run not in ("", "null"):
                _resume(argv, run)
                return 0
            if WORKER not in os.environ and not any(word.partition("=")[0] in _NO_CONFIG for word in argv):
                _check(argv)
            decorate(run_job)()
    except Interrupted as stop:
        print(f"lorelab train: {stop}", file=sys.stderr)
        return stop.exit_code
    return 0


def run_job(cfg: DictConfig) -> float | None:
    """One run, as Hydra calls it, in this process or in a launcher's worker. Returns the score, for a sweeper."""
    from lorelab.cli.launch import launch

    origin = settle()
    job = HydraConfig.get()
    many = job.mode is RunMode.MULTIRUN
    sweep = "-".join(Path(job.sweep.dir).parts[-2:]) if many else None
    if cfg.sweep.trial is not None:
        from lorelab.cli.trial import run_trial

        return run_trial(cfg, origin)
    try:
        record = launch(cfg, origin, sweep=sweep)
    except LorelabError as error:
        if many:
            raise  # the other jobs go on; Hydra reports this one at the end
        print(f"lorelab train: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    _show(record, cfg.progress)
    return record.score


def settle() -> Origin:
    """What every job begins with: our resolvers and the process's own threads. Returns where its config comes from."""
    import torch

    register_resolvers()
    torch.set_num_threads(_threads())
    job = HydraConfig.get()
    return Origin.of_hydra(job, job.overrides.task)


@functools.cache
def _threads() -> int:
    """PyTorch's own choice: a job of a multirun that sets another number must not set it for the next."""
    import torch

    return torch.get_num_threads()


def _show(record: RunRecord, progress: str) -> None:
    if progress == "quiet":
        return
    from lorelab.cli.outcome import print_outcome

    print_outcome(record)


def _resume(argv: Sequence[str], run: str) -> None:
    from lorelab.cli.resume import resume

    overrides = [word for word in argv if not word.startswith("resume=")]
    if flags := [word for word in overrides if word.startswith("-")]:
        raise LorelabError(f"resume={run}: found {' '.join(flags)}; expected one run and no options.")
    progress = next((word.partition("=")[2] for word in overrides if word.startswith("progress=")), "auto")
    _show(resume(run, overrides), progress)


def _check(argv: Sequence[str]) -> None:
    """Composes and validates every config the command line would run."""
    overrides, options = [], {}
    words = iter(argv)
    for word in words:
        name, has_value, value = word.partition("=")
        if name in _WITH_A_VALUE:
            options[name] = value if has_value else next(words, "")
        elif not word.startswith("-"):
            overrides.append(word)
        elif name not in (*_FLAGS, *_HELP):  # Hydra takes abbreviations, and an option that unpickles a file
            found, known = "no option of lorelab train", (*_FLAGS, *_HELP, *_NO_CONFIG, *_WITH_A_VALUE)
            raise ConfigError([Problem(f"option {name}", found, "an option of --help", nearest(name, known))])
    other = options.get("--config-path", options.get("-cp"))
    folder = options.get("--config-dir", options.get("-cd"))
    look = functools.partial(
        survey,
        config_dir=folder or None,
        conf=(Path(__file__).parent / other).resolve() if other else CONF,  # as Hydra understands a relative path
        config_name=options.get("--config-name", options.get("-cn", "config")),
    )
    seen = look(overrides)
    seen = replace(seen, problems=[*_misplaced(argv, overrides), *seen.problems])
    if {*options, *argv} & {*_LOOKS_ONLY, *_HELP}:  # a config that cannot run can be looked at
        if seen.problems:
            raise ConfigError(seen.problems)
        return
    if seen.later:
        print(
            f"lorelab train: {seen.later:,} combinations of groups are checked when it is their turn; before the start "
            f"{len(seen.configs):,} configs are, with each pair of options among them",
            file=sys.stderr,
        )
    if set(argv) & set(_MANY) and not seen.problems:
        _prepare_workers(overrides, seen.configs[0])
    from lorelab.config.validate import validate_all

    search = seen.configs[0].cfg.get("search") if seen.configs else None
    if search is not None and not set(argv) & set(_MANY):
        where, found = seen.configs[0].origin.of("search"), "a search of one run"
        raise ConfigError([Problem(where, found, "many runs", "lorelab train -m ..., or leave out search")])
    if search is not None:
        from lorelab.sweeps.check import varied

        several = [look(line) for line in varied(search, overrides)]
        problems = [*seen.problems, *(p for one in several for p in one.problems)]
        seen = Survey([c for one in several for c in one.configs], problems)
    validate_all(seen)


def _prepare_workers(overrides: Sequence[str], first: Composed) -> None:
    """Makes ready what workers are forked from, if the sweep may have some: before any net is built, after which this
    process could not any more. As far as can be told, for nothing is checked yet."""
    launchers = ["auto", *(word.partition("=")[2] for word in overrides if word.startswith("hydra/launcher="))]
    cfg = OmegaConf.to_container(first.cfg)
    sweep, trainer = (cfg.get(key) if isinstance(cfg, dict) else None for key in ("sweep", "trainer"))
    workers = sweep.get("workers") if isinstance(sweep, dict) else None
    several = isinstance(workers, int) and workers > 1
    if launchers[-1] in ("local", "stacked", "auto") and (several or (workers is None and launchers[-1] == "auto")):
        prepare_fork_server(trainer.get("accelerator") if isinstance(trainer, dict) else None)


def _misplaced(argv: Sequence[str], overrides: Sequence[str]) -> Iterator[Problem]:
    """What each override alone does not tell: several values for one run."""
    if not set(argv) & set(_MANY) and not any(text.startswith("hydra.mode=") for text in overrides):
        for text in sweeps(overrides):
            key, _, value = text.partition("=")
            advice = f"lorelab train -m ...; a list: {key}=[{value}]"
            yield Problem(f"override {text}", "several values for one run", "one value, or a multirun", advice)
