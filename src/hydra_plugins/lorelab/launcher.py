"""``hydra/launcher=local``: jobs one after the other in this process, composed fast. ``stacked``: those that differ
only in numbers trained as one. ``auto``: whichever way promises to take the least time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
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


class StackedLauncher(LocalLauncher):
    """The body is ``lorelab.cli.stacked``.

    ``memory_gb``: what stacks may take (10⁹ bytes; workers share it), null for half of what is free. ``batch``: trials
    of a search that are proposed at once; ``sweep.batch`` has the last word. With ``sweep.workers`` each of them trains
    stacks.
    """

    def __init__(self, memory_gb: float | None = None, batch: int = 8) -> None:
        self.memory_gb, self.batch, self._left = memory_gb, batch, 0

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Makes what launches. Raises ``ConfigError`` if a setting is out of range."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self._check()
        from lorelab.cli.stacked import Stacker

        self.body: Any = Stacker(self.composer, hydra_context, task_function, self.memory_gb, self.say)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Jobs that are not begun, because they are not stacked here, are returned as ``UNKNOWN``."""
        return self.launch_numbered(job_overrides, range(initial_job_idx, initial_job_idx + len(job_overrides)))

    def launch_numbered(self, job_overrides: Sequence[Sequence[str]], numbers: Sequence[int]) -> Sequence[JobReturn]:
        """The same with the number of each job: those of a stack need not follow each other."""
        found: list[JobReturn] = self.body.launch(job_overrides, numbers)
        self._left = sum(job.status is JobStatus.UNKNOWN for job in found)
        return found

    @property
    def stacks(self) -> Sequence[Sequence[int]]:
        """Numbers of the jobs, of those launched last, that one worker each shall train as one."""
        stacks: list[list[int]] = self.body.stacks
        return stacks

    @property
    def crew(self) -> str | None:
        """The launcher that workers need who do what is left; None where this process goes on."""
        from lorelab.sweeps.workers import is_worker

        several = (self.config.sweep.workers or 1) > 1 and self._left > 1 and not is_worker()
        return "stacked" if several or self.stacks else None

    def _check(self) -> None:
        from lorelab.errors import ConfigError, Problem

        problems = []
        if not isinstance(self.batch, int) or self.batch < 1:
            problems.append(Problem("hydra.launcher.batch", repr(self.batch), "trials, at least 1"))
        if self.memory_gb is not None and not (isinstance(self.memory_gb, int | float) and self.memory_gb > 0):
            expected = "10⁹ bytes, above 0, or null for half of what is free"
            problems.append(Problem("hydra.launcher.memory_gb", repr(self.memory_gb), expected))
        if problems:
            raise ConfigError(problems)

    def say(self, line: str) -> None:
        """To the user, unless progress=quiet."""
        import sys

        if "progress=quiet" not in self.config.hydra.overrides.task:
            print(f"lorelab train: {line}", file=sys.stderr)


class AutoLauncher(StackedLauncher):
    """The body is ``lorelab.cli.auto``."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Makes what launches. Raises ``ConfigError`` if a setting is out of range."""
        LocalLauncher.setup(self, hydra_context=hydra_context, task_function=task_function, config=config)
        self._check()
        from lorelab.cli.auto import Chooser

        self.body = Chooser(self.composer, hydra_context, task_function, self.memory_gb, self.say)

    @property
    def crew(self) -> str | None:
        """Also for jobs that are not stacked, and where workers shall choose."""
        if self.body.stacker.for_workers:
            return "auto"
        return "stacked" if self.stacks else "local" if self.body.handed_over else None


_STACKS = {"memory_gb": None, "batch": 8}
for _name, _class, _settings in (
    ("local", LocalLauncher, {}),
    ("stacked", StackedLauncher, _STACKS),
    ("auto", AutoLauncher, _STACKS),
):
    ConfigStore.instance().store(
        group="hydra/launcher",
        name=_name,
        node={"_target_": f"hydra_plugins.lorelab.launcher.{_class.__name__}", **_settings},
        provider="lorelab",
    )
