"""A run's model, rebuilt from its checkpoint alone: no data set is loaded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf
from torch import nn

from lorelab.config.trust import instantiate
from lorelab.errors import LorelabError
from lorelab.records import DataSpec
from lorelab.tasks.protocol import Task
from lorelab.tracking.protocol import RunStore
from lorelab.training.checkpoint import Checkpoint, load_checkpoint

BEST = "checkpoints/best.ckpt"


@dataclass(frozen=True)
class Restored:
    """A trained net in evaluation mode, its task, and the facts of the data it was trained on."""

    net: nn.Module
    task: Task
    data: DataSpec
    checkpoint: Checkpoint


def restore(path: Path) -> Restored:
    """Builds task and net from the config in the checkpoint and loads the best weights.

    Raises:
        LorelabError: the file is no checkpoint, or was written without its config.
    """
    checkpoint = load_checkpoint(path)
    if not {"model", "task"} <= checkpoint.config.keys():
        raise LorelabError(f"{path}: holds no config of model and task; expected one written by `lorelab train`")
    cfg = OmegaConf.create(dict(checkpoint.config))
    task = instantiate(cfg.task)(data=checkpoint.data)
    net = instantiate(cfg.model)(input_shape=checkpoint.data.input_shape, out_features=task.out_features)
    net.load_state_dict(checkpoint.weights)
    return Restored(net.eval(), task, checkpoint.data, checkpoint)


def restore_run(store: RunStore, run: str) -> Restored:
    """The same for a run in the store, by id, id prefix or name.

    Raises:
        LorelabError: there is no such run, or it has no checkpoint.
    """
    with tempfile.TemporaryDirectory(prefix="lorelab-") as folder:
        return restore(store.download(store.get(run).run_id, BEST, Path(folder)))
