"""The model a run leaves: weights, config and data facts in one file that opens without running code."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lorelab.errors import LorelabError
from lorelab.records import DataSpec, RunRecord


@dataclass(frozen=True)
class Checkpoint:
    """What ``load_checkpoint`` returns."""

    weights: Mapping[str, Tensor]
    """State of the net at its best evaluation, on the CPU."""
    config: Mapping[str, Any]
    """The run's resolved config; empty if ``fit`` was given none."""
    data: DataSpec
    run_id: str
    monitor: str
    score: float | None
    step: int | None


def digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 (first 16 hex digits) over names, types, shapes and bytes of ``weights``."""
    found = hashlib.sha256()
    for name, value in sorted(weights.items()):
        plain = value.detach().cpu().contiguous()
        found.update(f"{name} {plain.dtype} {tuple(plain.shape)} ".encode())
        found.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


def save_checkpoint(
    path: Path, record: RunRecord, weights: Mapping[str, Tensor], config: Mapping[str, Any], data: DataSpec
) -> None:
    """Writes plain containers and tensors only, so that ``torch.load(path, weights_only=True)`` opens the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.cpu() for name, value in weights.items()}
    about = {"monitor": record.monitor, "score": record.score, "step": record.best_step, "run_id": record.run_id}
    torch.save({"state_dict": state, "config": dict(config), "data": asdict(data), **about}, path)


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads what ``save_checkpoint`` wrote; executes nothing from the file.

    Raises:
        LorelabError: the file is absent, damaged, or no checkpoint of Lorelab's.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        known = {key: content[key] for key in ("config", "run_id", "monitor", "score", "step")}
        return Checkpoint(weights=content["state_dict"], data=DataSpec(**content["data"]), **known)
    except Exception as error:
        found = reason(error)
        raise LorelabError(f"{path}: cannot be read as a checkpoint of a run ({found}); expected best.ckpt") from error


def reason(error: Exception) -> str:
    """Why a file cannot be read; not in the words of PyTorch, which advises to run what is in it."""
    if isinstance(error, pickle.UnpicklingError):
        return "it is damaged, or holds more than values and tensors, which could run code"
    return (str(error) or type(error).__name__).splitlines()[0]
