"""``hydra/sweeper=lorelab``: grids and Optuna searches that go on where they stopped."""

from __future__ import annotations

import sys
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LorelabSweeper(Sweeper):
    """The body is ``lorelab.sweeps.sweep``."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what ``sweep`` needs."""
        self.sweep_parts = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        """Runs what is missing of the sweep that the command line describes."""
        from lorelab.errors import LorelabError
        from lorelab.sweeps.sweep import run

        try:
            run(arguments, *self.sweep_parts)
        except LorelabError as error:  # Hydra would show where in our code it was raised
            print(f"lorelab train: {error}", file=sys.stderr)
            raise SystemExit(2) from error


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="lorelab",
    node={"_target_": "hydra_plugins.lorelab.sweeper.LorelabSweeper"},
    provider="lorelab",
)
