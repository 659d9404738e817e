"""Refuses a config that cannot work, all problems at once, before anything is loaded, built or started."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from typing import Any, Literal, cast

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lorelab.config.origin import Origin
from lorelab.config.overrides import Survey
from lorelab.config.rehearse import rehearse
from lorelab.config.signatures import Plain, check_signature, fits, locate, type_name
from lorelab.config.trust import ADVICE, UntrustedTargetError, judge_name, judge_object
from lorelab.errors import ConfigError, Problem, nearest
from lorelab.paths import CONF

_PLAIN: Mapping[str, Any] = {
    "seed": int,
    "progress": Literal["auto", "plain", "quiet"],
    "tags": dict[str, Any],
    "force": bool,
}
"""Keys at the top level that no ``_target_`` declares."""
_REQUIRED = frozenset(
    {
        *("data", "task", "model", "optimizer", "scheduler", "trainer", "callbacks", "tracker", "loader", "paths"),
        *("sweep", *_PLAIN),
    }
)

_PRESETS = ("experiment", "debug", "local")
"""Groups whose options set keys of other parts."""
_HEADER = "begin the file with the line  # @package _global_"


def validate_all(seen: Survey) -> None:
    """Checks every config of a command line.

    Raises:
        ConfigError: with every problem found, of the overrides and of what can be composed without the wrong ones.
    """
    problems = list(seen.problems)
    for each in seen.configs:
        problems += _unread(each.cfg, each.origin)
        try:
            validate(each.cfg, each.origin, each.unknown)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(dict.fromkeys(problems))


def validate(cfg: DictConfig, origin: Origin, unknown: Set[str] = frozenset()) -> None:
    """Checks one composed config, but for its ``unknown`` parts.

    Every interpolation resolves, nothing is missing (``???``), every ``_target_`` can be imported and its signature
    takes the given keys and types, values lie in the ranges that the parts check themselves (``rehearse``), and data,
    task and model fit each other in kind.

    Raises:
        ConfigError: with every problem found.
    """
    plain = _plain(cfg)
    unresolved = dict(_unresolved(cfg, origin)) if plain is None else {}
    absent = dict(_absent(cfg, origin, unresolved))
    unknown = unknown | absent.keys()
    problems = [*absent.values(), *(p for path, p in unresolved.items() if path.partition(".")[0] not in unknown)]
    completed = _completed(cfg, unknown, unresolved)
    if plain is None or completed is not cfg:
        plain = cast("Plain", OmegaConf.to_container(completed, resolve=True))
    targets: dict[str, Callable[..., Any]] = {}
    flawed = set(unknown) | {path.partition(".")[0] for path in unresolved}
    for path, node in _targets(plain):
        found = _locate(path, node, targets, origin)
        if path in targets:
            said = {f"no '{missing}'" for missing in unresolved}
            found = [p for p in check_signature(path, node, targets[path], origin) if p.found not in said]
        problems += found
        flawed |= {path.partition(".")[0]} if found else set()
    problems += _check_plain(plain, origin, flawed)
    unfit = dict(_check_kinds(plain, targets, origin))
    problems += rehearse(plain, targets, flawed | unfit.keys(), origin)
    if "trainer" not in flawed:
        problems += _check_combinations(plain, flawed, origin)
    problems += unfit.values()
    if problems:
        raise ConfigError(problems)


def _unread(cfg: DictConfig, origin: Origin) -> Iterator[Problem]:
    """Keys at the top level, of a preset or conf/local/default.yaml, that no part and no interpolation reads."""
    primary = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))
    groups = {str(name).split()[-1] for entry in primary["defaults"] if isinstance(entry, dict) for name in entry}
    known = {*primary, *groups, "trusted"} - set(_PRESETS)
    typed = {text.lstrip("+").partition("=")[0].partition(".")[0] for text in origin.overrides if text.startswith("+")}
    raw = repr(OmegaConf.to_container(cfg, resolve=False))
    for key in sorted({str(key) for key in cfg} - known - typed):
        if key in _PRESETS:
            first = next(iter(cfg[key]), "") if isinstance(cfg[key], DictConfig) else ""
            yield Problem(origin.of(f"{key}.{first}"), "keys that nothing reads", "keys of the whole config", _HEADER)
        elif not re.search(rf"\$\{{[^}}]*\b{re.escape(key)}\b", raw):
            yield Problem(origin.of(key), f"'{key}', which nothing reads", "an existing key", nearest(key, known))


def _absent(cfg: DictConfig, origin: Origin, unresolved: Collection[str]) -> Iterator[tuple[str, Problem]]:
    """What every run needs and is not there, or is one value instead of a part."""
    keys = {str(key) for key in cfg}
    for key in sorted(_REQUIRED.difference(unresolved)):
        if key not in keys:
            advice = f"leave out ~{key}; another: {key}=..."
            yield key, Problem(f"override ~{key}", f"no '{key}'", "every run needs it", advice)
        elif key not in _PLAIN and not isinstance(cfg[key], DictConfig):
            yield key, Problem(origin.of(key), f"{key}={cfg[key]}", "a part with keys of its own")


def _locate(path: str, node: Plain, targets: dict[str, Callable[..., Any]], origin: Origin) -> list[Problem]:
    """Adds what the node's ``_target_`` names to ``targets``, or says why it cannot be had."""
    name = str(node["_target_"])
    try:
        judge_name(name)
        found = locate(name)
        judge_object(name, found)
    except UntrustedTargetError as error:
        return [Problem(origin.of(f"{path}._target_"), str(error), "a class of a trusted module", ADVICE)]
    except ImportError as error:
        return [Problem(origin.of(f"{path}._target_"), name, "an importable function or class", str(error))]
    targets[path] = found
    return []


def _plain(cfg: DictConfig) -> Plain | None:
    """None if there is something that has no value."""
    try:
        return cast("Plain", OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True))
    except OmegaConfBaseException:
        return None


def _unresolved(cfg: DictConfig, origin: Origin) -> Iterator[tuple[str, Problem]]:
    for path, node, key in _leaves(cfg):
        try:
            if OmegaConf.is_missing(node, key):
                yield path, Problem(origin.of(path), "??? (nothing)", "a value", f"set it: {path}=VALUE")
            else:
                _ = node[key]
        except OmegaConfBaseException as error:
            raw = OmegaConf.to_container(node, resolve=False)[key]  # type: ignore[index]
            reason = str(error).splitlines()[0]
            yield path, Problem(origin.of(path), str(raw), "an interpolation that resolves", reason)


def _leaves(node: DictConfig | ListConfig, prefix: str = "") -> Iterator[tuple[str, DictConfig | ListConfig, Any]]:
    keys: Iterable[Any] = range(len(node)) if isinstance(node, ListConfig) else node
    for key in keys:
        child = node._get_node(key)
        if isinstance(child, DictConfig | ListConfig) and not child._is_none() and not child._is_interpolation():
            yield from _leaves(child, f"{prefix}{key!s}.")
        else:
            yield f"{prefix}{key!s}", node, key


def _completed(cfg: DictConfig, unknown: Set[str], unresolved: Iterable[str]) -> DictConfig:
    """A config that can be read throughout: ``unknown`` parts are empty, and where there is no value is nothing."""
    open_monitor = "task" not in {*unknown, *unresolved} and cfg.task.get("monitor", "") is None
    if not (unknown or unresolved or open_monitor):
        return cfg
    cfg = copy.deepcopy(cfg)
    OmegaConf.set_struct(cfg, False)
    for path in reversed(list(unresolved)):  # of a list, the last first
        parent, _, key = path.rpartition(".")
        node: Any = OmegaConf.select(cfg, parent) if parent else cfg
        del node[int(key) if isinstance(node, ListConfig) else key]
    if unknown:
        OmegaConf.resolve(cfg)  # others may refer to them
        for key in unknown:
            cfg[key] = {}
    if open_monitor:  # task=auto: only the data tell
        cfg.task.monitor, cfg.task.mode = "val/loss", "min"
    return cfg


def _targets(node: Plain, path: str = "") -> Iterator[tuple[str, Plain]]:
    """Every node with a ``_target_``, the outermost first."""
    if "_target_" in node:
        yield path, node
    for key, child in node.items():
        children = enumerate(child) if isinstance(child, list) else [(None, child)]
        for index, item in children:
            if isinstance(item, Mapping):
                place = f"{path}.{key!s}" if path else str(key)
                yield from _targets(item, place if index is None else f"{place}.{index}")


def _check_plain(cfg: Plain, origin: Origin, flawed: Set[str]) -> Iterator[Problem]:
    from lorelab.data.loading import DataModule

    for key, hint in _PLAIN.items():
        if key not in flawed and not fits(cfg[key], hint):
            yield Problem(origin.of(key), f"{cfg[key]!r} ({type(cfg[key]).__name__})", type_name(hint))
    for key, value in cfg["paths"].items() if "paths" not in flawed else ():
        if not isinstance(value, str):
            yield Problem(origin.of(f"paths.{key}"), f"{value!r} ({type(value).__name__})", "str")
    if "loader" in flawed:
        return
    wrong = list(check_signature("loader", cfg["loader"], DataModule, origin))
    yield from wrong
    least = {"batch_size": 1, "eval_batch_size": 1, "workers": 0, "memory_limit_gb": 0}
    for key, minimum in least.items() if not wrong else ():
        if (found := cfg["loader"].get(key, minimum)) < minimum:
            yield Problem(origin.of(f"loader.{key}"), str(found), f"a number of at least {minimum}")


def _check_kinds(
    cfg: Plain, targets: Mapping[str, Callable[..., Any]], origin: Origin
) -> Iterator[tuple[str, Problem]]:
    """Impossible combinations, by part: a task on targets of another kind, a part on inputs it cannot read."""
    source = targets.get("data")
    for kind in ("inputs", "targets"):
        offered = getattr(source, f"provides_{kind}", None)
        for part in ("task", "model", "augment", "corruption"):
            taken = getattr(targets.get(part), f"accepts_{kind}", None)
            if offered is None or taken is None or offered in taken:
                continue
            found = f"{cfg[part]['_target_']} on {cfg['data']['_target_']}, whose {kind} are '{offered}'"
            expected = f"{kind} of kind " + " or ".join(f"'{name}'" for name in sorted(taken))
            yield part, Problem(origin.of(part), found, expected, f"another {part}=... or another data=...")


def _check_combinations(cfg: Plain, flawed: Set[str], origin: Origin) -> Iterator[Problem]:
    """Values that are each right and do not go together."""
    import torch

    precision, clipped, accelerator = map(cfg["trainer"].get, ("precision", "gradient_clip_val", "accelerator"))
    fused = "optimizer" not in flawed and cfg["optimizer"].get("fused")
    if str(precision).endswith("-mixed") and clipped is not None and fused:
        yield Problem(
            origin.of("trainer.gradient_clip_val"),
            f"precision {precision} with gradient_clip_val {clipped} and a fused optimiser",
            "an optimiser that is not fused: Lightning cannot clip what a fused one unscales itself",
            "optimizer.fused=false",
        )
    here: dict[str, Callable[[], bool]] = {"gpu": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if accelerator in here and not here[accelerator]():
        found = f"{accelerator}, but PyTorch finds none"
        yield Problem(origin.of("trainer.accelerator"), found, "a device that is here", "trainer=cpu")
