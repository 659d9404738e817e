"""Builds the parts of a run from a validated config."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback

from lorelab.config.origin import Origin
from lorelab.config.trust import instantiate
from lorelab.data.corruption import corrupted
from lorelab.data.loading import DataModule
from lorelab.data.splits import DataSplits
from lorelab.errors import ConfigError, LorelabError, Problem
from lorelab.seeds import derive_seed
from lorelab.tracking.protocol import Tracker
from lorelab.training.learner import Learner
from lorelab.training.settings import TrainerSettings

_KEPT: list[dict[str, tuple[DataSplits, list[int]]]] = []


@dataclass(frozen=True)
class Parts:
    """What ``fit`` takes, complete and not yet started."""

    learner: Learner
    data: DataModule
    settings: TrainerSettings
    tracker: Tracker
    callbacks: tuple[Callback, ...]


def build(cfg: DictConfig, origin: Origin) -> Parts:
    """Loads the data, then builds task, net and the rest to fit them.

    ``cfg`` gets the monitor that the task chose, if it leaves that open. The net's initial weights depend on ``seed``
    and the net's config alone.

    Raises:
        DataError: the data cannot be had.
        ConfigError: a part refuses what the data are (an image too small for the net, a task without its target).
    """
    settings: TrainerSettings = instantiate(cfg.trainer)
    if settings.cpu_threads is not None:
        torch.set_num_threads(settings.cpu_threads)
    splits = _splits(cfg, origin)
    if cfg.get("corruption"):
        splits = corrupted(splits, instantiate(cfg.corruption), cfg.seed)
    augment = instantiate(cfg.augment) if cfg.get("augment") else None
    data = DataModule(splits, seed=cfg.seed, augment=augment, **cfg.loader)
    spec = splits.spec
    task = _fitted(cfg, "task", lambda: instantiate(cfg.task)(data=spec), origin)
    if "monitor" in cfg.task and cfg.task.monitor is None:  # task=auto: callbacks refer to it
        cfg.task.monitor, cfg.task.mode = task.monitor, task.mode
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(cfg.seed, "weights"))
        make_net = instantiate(cfg.model)
        shape = {"input_shape": spec.input_shape, "out_features": task.out_features}
        net = _fitted(cfg, "model", lambda: make_net(**shape), origin)
    learner = Learner(net, task, instantiate(cfg.optimizer), instantiate(cfg.scheduler), spec.class_names)
    callbacks = tuple(instantiate(part) for part in cfg.callbacks.values() if part is not None)
    return Parts(learner, data, settings, _made(cfg, "tracker", origin), callbacks)


@contextlib.contextmanager
def keeping_data() -> Iterator[None]:
    """Inside, data that two builds in a row ask for in the same words are loaded once."""
    _KEPT.append({})
    try:
        yield
    finally:
        _KEPT.pop()


def _splits(cfg: DictConfig, origin: Origin) -> DataSplits:
    if not _KEPT:
        return _made(cfg, "data", origin)
    kept, words = _KEPT[-1], json.dumps(OmegaConf.to_container(cfg.data, resolve=True), sort_keys=True, default=str)
    splits, versions = kept.get(words, (None, None))
    if splits is None or versions != _versions(splits):  # or a part of an earlier run wrote into them
        kept.clear()  # before the next are loaded: there may not be room for both
        splits = _made(cfg, "data", origin)
        kept[words] = splits, _versions(splits)
    return splits


def _versions(splits: DataSplits) -> list[int]:
    """PyTorch counts how often each tensor was changed in place."""
    return [tensor._version for split in splits.by_name().values() for tensor in (split.inputs, split.targets)]


def _made(cfg: DictConfig, path: str, origin: Origin) -> Any:
    """The object at ``path``; a value out of range is a config error."""
    try:
        return instantiate(cfg[path])
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError):
            reason = str(error.__cause__)
            where = origin.of_message(path, cfg[path], reason)
            raise ConfigError([Problem(where, reason, "values in range")]) from error
        raise


def _fitted(cfg: DictConfig, path: str, make: Callable[[], Any], origin: Origin) -> Any:
    """A part built to the data, or the config error that says why it does not fit them."""
    try:
        return make()
    except LorelabError:
        raise
    except ValueError as error:
        where = origin.of_message(path, cfg[path], str(error))
        raise ConfigError([Problem(where, str(error), f"a {path} that fits the data")]) from error
