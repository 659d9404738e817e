"""``hydra/launcher=local``: jobs one after the other in this process, composed fast."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LocalLauncher(Launcher):
    """The body is ``lorelab.sweeps.local``."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what ``launch`` needs."""
        from lorelab.sweeps.local import Composer

        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.composer = Composer(hydra_context.config_loader, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs each job; what one raises is in its return value."""
        from lorelab.sweeps.local import launch

        return launch(job_overrides, initial_job_idx, self.composer, self.hydra_context, self.task_function)


ConfigStore.instance().store(
    group="hydra/launcher",
    name="local",
    node={"_target_": "hydra_plugins.lorelab.launcher.LocalLauncher"},
    provider="lorelab",
)
