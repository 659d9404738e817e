"""The body of ``hydra/launcher=local``: jobs in this process, without composing each config from its files."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict


class Composer:
    """Configs of a sweep's jobs. Hydra takes 0.2 s to compose one; of those that choose the same options of the groups
    (and set the same keys of Hydra's own node) only the first is composed, and its values are set in a copy by Hydra's
    own hand."""

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader, self.master = loader, master
        self._parser = OverridesParser.create(config_loader=loader)
        self._bases: dict[tuple[str, ...], bytes] = {}
        """Pickled: OmegaConf loads a config in a tenth of the time that it takes to copy it."""
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}

    def is_group(self, key: str) -> bool:
        """Whether ``key`` (``optimizer``, ``optimizer@here``) names a config group."""
        name = key.partition("@")[0]
        if name not in self._groups:  # the loader looks through all its folders each time
            self._groups[name] = bool(self.loader.get_group_options(name))
        return self._groups[name]

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The config with Hydra's own node, as ``ConfigLoader.load_sweep_config`` gives it."""
        parsed = [self._parse(override) for override in overrides]
        groups = [each for each in parsed if each.is_hydra_override() or self.is_group(each.key_or_group)]
        key = tuple(str(each.input_line) for each in groups)
        if key not in self._bases:
            self._bases[key] = pickle.dumps(self.loader.load_sweep_config(self.master, list(key)))
        cfg: DictConfig = pickle.loads(self._bases[key])
        ConfigLoaderImpl._apply_overrides_to_config([each for each in parsed if each not in groups], cfg)
        own = [each for each in parsed if not each.is_hydra_override()]
        with open_dict(cfg.hydra):
            cfg.hydra.overrides.task = [each.input_line for each in own]
            style = cfg.hydra.job.config.override_dirname
            cfg.hydra.job.override_dirname = get_overrides_dirname(
                own, list(style.exclude_keys), style.item_sep, style.kv_sep
            )
        OmegaConf.copy_cache(from_config=self.master, to_config=cfg)
        return cfg

    def _parse(self, override: str) -> Override:
        """Most words of a sweep's jobs are the same."""
        if override not in self._parsed:
            (self._parsed[override],) = self._parser.parse_overrides([override])
        return self._parsed[override]


@dataclass
class Job:
    """One job of a sweep; trial number = job number."""

    number: int
    cfg: DictConfig | None
    """With Hydra's own node; None if it cannot be composed."""
    returned: JobReturn
    """What came of it, ``UNKNOWN`` until then."""
    own: DictConfig | None = None
    """Without Hydra's node, once somebody asked for it."""


def composed(composer: Composer, overrides: Sequence[str], number: int) -> Job:
    """The job ``number`` of a sweep; one that cannot be composed has failed."""
    try:
        cfg = composer.compose(overrides)
    except Exception as error:
        failed = JobReturn(overrides=list(overrides), status=JobStatus.FAILED, _return_value=error)
        return Job(number, None, failed)
    with open_dict(cfg):
        cfg.hydra.job.id, cfg.hydra.job.num = number, number
    return Job(number, cfg, JobReturn(overrides=list(overrides)))


def run_here(job: Job, context: HydraContext, task_function: TaskFunction) -> JobReturn:
    """Has ``task_function`` called with the job's config, as Hydra does it; what it raises is its return value."""
    assert job.cfg is not None
    return run_job(
        hydra_context=context,
        task_function=task_function,
        config=job.cfg,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def launch(
    job_overrides: Sequence[Sequence[str]],
    first: int,
    composer: Composer,
    context: HydraContext,
    task_function: TaskFunction,
) -> list[JobReturn]:
    """Runs the jobs numbered from ``first`` on; what one raises is its return value, and the others go on."""
    setup_globals()
    found = []
    for number, overrides in enumerate(job_overrides, start=first):
        job = composed(composer, overrides, number)
        found.append(job.returned if job.cfg is None else run_here(job, context, task_function))
    return found
