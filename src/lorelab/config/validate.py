"""Refuses a config that cannot work, all problems at once, before anything is loaded, built or started."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lorelab.config.origin import Origin
from lorelab.config.rehearse import rehearse
from lorelab.config.signatures import check_signature, fits, locate, type_name
from lorelab.config.trust import ADVICE, UntrustedTargetError, judge_name, judge_object
from lorelab.errors import ConfigError, Problem

_PLAIN: Mapping[str, Any] = {
    "seed": int,
    "progress": Literal["auto", "plain", "quiet"],
    "tags": dict[str, Any],
    "force": bool,
}
"""Keys at the top level that no ``_target_`` declares."""
_REQUIRED = frozenset(
    {"data", "task", "model", "optimizer", "scheduler", "trainer", "callbacks", "tracker", "loader", "sweep", *_PLAIN}
)


def validate(cfg: DictConfig, origin: Origin) -> None:
    """Checks one composed config.

    Every interpolation resolves, nothing is missing (``???``), every ``_target_`` can be imported and its signature
    takes the given keys and types, values lie in the ranges that the parts check themselves (``rehearse``), and data,
    task and model fit each other in kind.

    Raises:
        ConfigError: with every problem found.
    """
    removed = sorted(_REQUIRED - {str(key) for key in cfg})
    problems = [
        Problem(f"override ~{key}", f"no '{key}'", "every run needs it", f"leave out ~{key}; another: {key}=...")
        for key in removed
    ]
    problems += _unresolved(cfg, origin)
    if problems:
        raise ConfigError(problems)
    if cfg.task.get("monitor", "") is None:  # task=auto: only the data tell
        cfg = copy.deepcopy(cfg)
        cfg.task.monitor, cfg.task.mode = "val/loss", "min"
    targets: dict[str, Callable[..., Any]] = {}
    flawed: set[str] = set()
    for path, node in _targets(cfg):
        try:
            judge_name(str(node["_target_"]))
            found_target = locate(str(node["_target_"]))
            judge_object(str(node["_target_"]), found_target)
            targets[path] = found_target
        except UntrustedTargetError as error:
            where = origin.of(f"{path}._target_")
            problems.append(Problem(where, str(error), "a class of a trusted module", ADVICE))
            flawed.add(path.partition(".")[0])
            continue
        except ImportError as error:
            where = origin.of(f"{path}._target_")
            problems.append(Problem(where, str(node["_target_"]), "an importable function or class", str(error)))
            flawed.add(path.partition(".")[0])
            continue
        found = list(check_signature(path, node, targets[path], origin))
        problems += found
        flawed |= {path.partition(".")[0]} if found else set()
    problems += _check_plain(cfg, origin)
    unfit = list(_check_kinds(cfg, targets, origin))
    problems += rehearse(cfg, targets, flawed | ({"task", "model"} if unfit else set()), origin)
    if not problems:
        problems += _check_combinations(cfg, origin)
    problems += unfit
    if problems:
        raise ConfigError(problems)


def _unresolved(cfg: DictConfig, origin: Origin) -> Iterator[Problem]:
    for path, node, key in _leaves(cfg):
        try:
            if OmegaConf.is_missing(node, key):
                yield Problem(origin.of(path), "??? (nothing)", "a value", f"set it: {path}=VALUE")
            else:
                _ = node[key]
        except OmegaConfBaseException as error:
            raw = OmegaConf.to_container(node, resolve=False)[key]  # type: ignore[index,call-overload]
            yield Problem(origin.of(path), str(raw), "an interpolation that resolves", str(error).splitlines()[0])


def _leaves(node: DictConfig, prefix: str = "") -> Iterator[tuple[str, DictConfig, str]]:
    for key in node:
        path = f"{prefix}{key!s}"
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_interpolation():
            yield from _leaves(child, f"{path}.")
        else:
            yield path, node, str(key)


def _targets(node: DictConfig, path: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Every node with a ``_target_``, the outermost first."""
    if "_target_" in node:
        yield path, node
    for key in node:
        child = node[key]
        children = enumerate(child) if isinstance(child, ListConfig) else [(None, child)]
        for index, item in children:
            if isinstance(item, DictConfig):
                place = f"{path}.{key!s}" if path else str(key)
                yield from _targets(item, place if index is None else f"{place}.{index}")


def _check_plain(cfg: DictConfig, origin: Origin) -> Iterator[Problem]:
    from lorelab.data.loading import DataModule

    for key, hint in _PLAIN.items():
        if not fits(cfg[key], hint):
            yield Problem(origin.of(key), f"{cfg[key]!r} ({type(cfg[key]).__name__})", type_name(hint))
    wrong = list(check_signature("loader", cfg.loader, DataModule, origin))
    yield from wrong
    least = {"batch_size": 1, "eval_batch_size": 1, "workers": 0, "memory_limit_gb": 0}
    for key, minimum in least.items() if not wrong else ():
        if cfg.loader[key] < minimum:
            yield Problem(origin.of(f"loader.{key}"), str(cfg.loader[key]), f"a number of at least {minimum}")


def _check_kinds(cfg: DictConfig, targets: Mapping[str, Callable[..., Any]], origin: Origin) -> Iterator[Problem]:
    """Impossible combinations: a task on targets of another kind, a part on inputs it cannot read."""
    source = targets.get("data")
    for kind in ("inputs", "targets"):
        offered = getattr(source, f"provides_{kind}", None)
        for part in ("task", "model", "augment"):
            taken = getattr(targets.get(part), f"accepts_{kind}", None)
            if offered is None or taken is None or offered in taken:
                continue
            found = f"{cfg[part]['_target_']} on {cfg.data['_target_']}, whose {kind} are '{offered}'"
            expected = f"{kind} of kind " + " or ".join(f"'{name}'" for name in sorted(taken))
            yield Problem(origin.of(part), found, expected, f"another {part}=... or another data=...")


def _check_combinations(cfg: DictConfig, origin: Origin) -> Iterator[Problem]:
    """Values that are each right and do not go together."""
    import torch

    trainer = cfg.trainer
    if (
        str(trainer.precision).endswith("-mixed")
        and trainer.gradient_clip_val is not None
        and cfg.optimizer.get("fused")
    ):
        yield Problem(
            origin.of("trainer.gradient_clip_val"),
            f"precision {trainer.precision} with gradient_clip_val {trainer.gradient_clip_val} and a fused optimiser",
            "an optimiser that is not fused: Lightning cannot clip what a fused one unscales itself",
            "optimizer.fused=false",
        )
    here: dict[str, Callable[[], bool]] = {"gpu": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if trainer.accelerator in here and not here[trainer.accelerator]():
        found = f"{trainer.accelerator}, but PyTorch finds none"
        yield Problem(origin.of("trainer.accelerator"), found, "a device that is here", "trainer=cpu")
