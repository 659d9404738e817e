"""What a ``_target_`` may name: a config from elsewhere, or one inside a checkpoint, must not run what it likes.

Importing a module runs it, so a name is judged before anything is imported; and what a name leads to is judged again,
because ``lorelab.some.module.subprocess.run`` leads elsewhere.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

import hydra.utils
import yaml
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from lorelab.errors import ConfigError, LorelabError, Problem
from lorelab.paths import CONF

TRUSTED = (
    *("lorelab.data", "lorelab.nets", "lorelab.tasks", "lorelab.training.schedules", "lorelab.training.settings"),
    *("lorelab.training.mechanism", "lorelab.training.suggested_rate"),
    *("lorelab.tracking.memory", "lorelab.tracking.mlflow_tracker"),
    *("lorelab.sweeps.settings", "optuna.samplers", "optuna.pruners"),
    *("torch.nn", "torch.optim", "torchvision.models", "torchvision.transforms", "torchvision.ops", "torchmetrics"),
    "pytorch_lightning.callbacks",
)
"""Packages that build parts of a run. Of torch and Lightning only these: others start processes or load pickles."""
LOCAL = CONF / "local" / "default.yaml"
VARIABLE = "LORELAB_TRUST"
ADVICE = (
    f"if you trust that code, name its module in conf/local/default.yaml (trusted: [module]) or in the environment "
    f"({VARIABLE}=module)"
)


class UntrustedTargetError(ImportError):
    """A ``_target_`` outside the trusted modules; nothing of it was imported."""


def trusted() -> tuple[str, ...]:
    """Dotted names of the modules and packages that a ``_target_`` may come from: ``TRUSTED`` and the user's own.

    The user's come from conf/local/default.yaml and ``LORELAB_TRUST`` alone, never from the config that is judged.
    """
    named = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    if LOCAL.is_file():
        content = yaml.safe_load(LOCAL.read_text(encoding="utf-8"))
        extra = content.get("trusted", []) if isinstance(content, Mapping) else []
        named += [str(name) for name in ([extra] if isinstance(extra, str) else extra)]
    return (*TRUSTED, *filter(None, named))


def judge_name(target: str) -> None:
    """Raises ``UntrustedTargetError`` unless the dotted path ``target`` lies in a trusted module and is public."""
    parts = target.split(".")
    if not any(_lies_in(target, module) for module in trusted()):
        raise UntrustedTargetError(f"'{target}' is not in a trusted module")
    if any(part.startswith("_") for part in parts):
        raise UntrustedTargetError(f"'{target}' is private")


def judge_object(target: str, found: Any) -> None:
    """Raises ``UntrustedTargetError`` if what ``target`` leads to is defined elsewhere, is a method, or is a function
    that makes no part: of ours data sources and ``task=auto`` do, of libraries torchvision's models."""
    home = getattr(found, "__module__", None) or ""
    if "." in getattr(found, "__qualname__", ".") or home == "torchvision.models._api":
        raise UntrustedTargetError(f"'{target}' is a method or a helper, not a part")
    if not any(_lies_in(f"{home}.x", module) for module in trusted()):
        raise UntrustedTargetError(f"'{target}' leads to {home or 'something'}, which is not trusted")
    users = not any(_lies_in(target, module) for module in TRUSTED)
    source = hasattr(found, "provides_inputs") or hasattr(found, "accepts_targets")
    net = target.startswith("torchvision.models.")
    if not (users or inspect.isclass(found) or (source and target.startswith("lorelab.")) or net):
        raise UntrustedTargetError(f"'{target}' is not a class")


def instantiate(node: Any) -> Any:
    """``hydra.utils.instantiate`` of a config node whose every ``_target_``, at any depth, is trusted.

    Raises:
        ConfigError: one is not; nothing is imported or called.
        LorelabError: a constructor raised it; of what else one raises Hydra makes an ``InstantiationException``.
    """
    plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    problems = []
    if _has_weights(plain):
        found = "weights of a torchvision model"
        problems.append(Problem("_target_: torchvision.models", found, "weights: null", "their files are pickles"))
    for target in sorted(targets_of(plain)):
        try:
            judge_name(target)
            judge_object(target, hydra.utils.get_object(target))
        except UntrustedTargetError as error:
            problems.append(Problem(f"_target_: {target}", str(error), "a class of a trusted module", ADVICE))
    if problems:
        raise ConfigError(problems)
    try:
        return hydra.utils.instantiate(plain) if plain is not None else None  # what was judged, not what it came from
    except InstantiationException as error:
        if isinstance(error.__cause__, LorelabError):
            raise error.__cause__ from None
        raise


def targets_of(config: Any) -> set[str]:
    """Every ``_target_`` in plain containers, at any depth."""
    if isinstance(config, Mapping):
        own = {str(config["_target_"])} if "_target_" in config else set()
        return own.union(*map(targets_of, config.values()))
    return set().union(*map(targets_of, config)) if isinstance(config, list | tuple) else set()


def _has_weights(config: Any) -> bool:
    if isinstance(config, Mapping):
        here = str(config.get("_target_", "")).startswith("torchvision.models.")
        wanted = here and any("weights" in str(key) and value is not None for key, value in config.items())
        return wanted or any(map(_has_weights, config.values()))
    return isinstance(config, list | tuple) and any(map(_has_weights, config))


def _lies_in(target: str, module: str) -> bool:
    return target.startswith(f"{module}.")
