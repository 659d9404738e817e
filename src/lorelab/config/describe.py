"""What a config says of a run before it starts: its name, its parameters, its signature."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from lorelab.config.origin import Origin
from lorelab.config.signatures import RESERVED
from lorelab.records import VOLATILE, DatasetRecord, RunStart, lies_below
from lorelab.training.provenance import Provenance

_CHOICES = (
    "experiment",
    "data",
    "augment",
    "corruption",
    "task",
    "model",
    "model/head",
    "optimizer",
    "scheduler",
    "callbacks",
)


def describe(
    cfg: DictConfig,
    origin: Origin,
    provenance: Provenance,
    dataset: DatasetRecord,
    *,
    code: str,
    sweep: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunStart:
    """All that is known of a run before its first step. ``code``: its version, for the signature. ``sweep`` is shared
    by the runs of one multirun; ``tags`` are further ones, whole names."""
    config = resolved(cfg)
    params = {group.replace("/", "."): str(origin.choices[group]) for group in _CHOICES if origin.choices.get(group)}
    params |= {key: str(value) for key, value in flatten(config).items() if value != {} and _is_parameter(key)}
    own = {f"lorelab.{key}": str(value) for key, value in config["tags"].items()} | dict(tags or {})
    own |= {f"lorelab.{group}": params[group] for group in ("task", "data") if group in params}
    own |= {"lorelab.signature": signature(config, dataset.fingerprint, code), "lorelab.code": code}
    own |= provenance.tags() | {"lorelab.checkpoints": str(Path(config["paths"]["outputs"]).absolute() / "checkpoints")}
    if sweep:
        own["lorelab.sweep"] = sweep
    files = {
        "config/resolved.yaml": as_yaml(config),
        "config/overrides.yaml": as_yaml(list(origin.overrides)),
        "provenance/provenance.json": json.dumps(provenance.to_dict(), indent=2),
    }
    if provenance.patch:
        files["provenance/uncommitted.patch"] = provenance.patch
    return RunStart(_name(cfg, origin), params, own, files, dataset)


def as_yaml(content: Any) -> str:
    """Plain containers as ``OmegaConf.load`` reads them back, written by libyaml where it is there."""
    return yaml.dump(content, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    """What OmegaConf takes for a number and YAML itself does not (``1e-3``) in quotes."""
    try:
        float(text.replace("_", ""))
    except ValueError:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'")


_Dumper.add_representer(str, _text)


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """The config as plain containers, every interpolation resolved."""
    return OmegaConf.to_container(cfg, resolve=True)  # type: ignore[return-value]


def signature(config: Mapping[str, Any], fingerprint: str, code: str) -> str:
    """SHA-256 (first 16 hex digits) over a resolved config without its ``VOLATILE`` keys, in any key order, the data's
    fingerprint and the version of the code: runs that agree in it would repeat each other."""
    kept = {key: value for key, value in flatten(config).items() if not lies_below(key, VOLATILE)}
    whole = {"config": kept, "data": fingerprint, "code": code}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()[:16]


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` as ``{"a.b": 1}``; lists and empty mappings stay values."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _is_parameter(key: str) -> bool:
    first, last = key.split(".", maxsplit=1)[0], key.rsplit(".", maxsplit=1)[-1]
    return (
        first not in ("paths", "tracker", "progress", "tags", "force", "resume", "search", "sweep")
        and last not in RESERVED
    )


def _name(cfg: DictConfig, origin: Origin) -> str:
    """Readable and unique; drawn from the system, never from the training seed's random state."""
    choices = origin.choices
    what = choices.get("experiment") or f"{choices.get('data')}-{choices.get('model')}"
    return f"{what}-{choices.get('optimizer')}-s{cfg.seed}-{secrets.token_hex(3)}".replace("_", "-").replace("/", "-")
