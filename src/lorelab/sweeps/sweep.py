"""The body of ``hydra/sweeper=lorelab``: opens the sweep, has what is missing of it trained, and sums it up."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from lorelab.config.trust import instantiate
from lorelab.errors import ConfigError, Problem
from lorelab.records import RunStatus
from lorelab.sweeps import folder as folders
from lorelab.sweeps.folder import About
from lorelab.sweeps.display import Display
from lorelab.sweeps.local import Composer
from lorelab.sweeps.loop import Loop
from lorelab.sweeps.parent import Parent
from lorelab.sweeps.plan import Plan, make_plan
from lorelab.sweeps.report import files_of, show
from lorelab.sweeps.workers import Crew, follow_the_sweep, is_worker

LOCAL = "hydra_plugins.lorelab.launcher.LocalLauncher"


def run(arguments: Sequence[str], context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
    """Runs what is missing of the sweep that the command line describes, alone, with workers, or with others who
    joined it; prints what came of it.

    Raises:
        LorelabError: the sweep cannot be gone on with.
        SystemExit: 1, if a trial failed.
    """
    plan = make_plan(arguments, Composer(context.config_loader, config))
    about = _about(plan)
    alone = config.hydra.launcher._target_ == LOCAL
    workers, gpus = _workers(plan, alone)
    with ExitStack() as stack:
        leader = folders.leadership(plan.folder)
        with folders.lock(plan.folder):
            about = folders.join(plan.folder, about)
            (plan.folder / folders.STOP).unlink(missing_ok=True) if not is_worker() else None
            leads = not is_worker() and _try(leader, stack)
            parent = _open_parent(plan, about) if leads else None
            if parent is not None:
                about = folders.read(plan.folder)
        loop = Loop(plan, about, None if workers > 1 else _launcher(plan, context, task_function, config), alone)
        if is_worker():
            follow_the_sweep()
            loop.work()
            return
        status = RunStatus.FINISHED
        try:
            with Display(plan.name, loop.trials, plan.total, plan.direction, str(plan.base.progress)):
                if workers > 1:
                    command = [*_without_name(about.command), f"sweep.name={plan.name}"]
                    Crew(workers, command, plan.folder, about.cwd, gpus, loop.ended).work(loop.finished)
                else:
                    loop.work()
            status = RunStatus.FINISHED if loop.complete() else RunStatus.KILLED
        except BaseException as error:
            status = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED
            raise
        finally:
            parent = parent or _take_over(plan, stack, leader)
            if parent is not None:
                _sum_up(plan, about, loop, parent, status)
        if plan.base.progress != "quiet":
            show(plan, about, loop)
        loop.raise_failures()


def _workers(plan: Plan, alone: bool) -> tuple[int, int]:
    """Processes to start (1: none but this one), and the GPUs that they share."""
    if is_worker():
        return 1, 0
    wanted, share = plan.settings.workers, plan.settings.gpu_share
    if not alone:
        if wanted not in (None, 1):
            found = f"sweep.workers={wanted} with another launcher than hydra/launcher=local"
            raise ConfigError([Problem("sweep.workers", found, "one of the two", "leave out hydra/launcher=...")])
        return 1, 0
    import torch

    gpus = 0 if plan.base.trainer.accelerator == "cpu" else torch.cuda.device_count()
    return wanted or max(1, gpus * int(1 / share)), gpus


def _launcher(
    plan: Plan, context: HydraContext, task_function: TaskFunction, config: DictConfig
) -> Launcher:
    """Hydra's, told where the sweep's folder is."""
    quoted = str(plan.folder).replace("\\", "\\\\").replace("'", "\\'")
    config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")
    config.hydra.sweep.dir = str(plan.folder)
    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task_function, config=config)


def _try(leader: BaseFileLock, stack: ExitStack) -> bool:
    try:
        leader.acquire(timeout=0)
    except Timeout:
        return False
    stack.callback(leader.release)
    return True


def _open_parent(plan: Plan, about: About) -> Parent:
    parent = Parent(instantiate(plan.base.tracker), about, plan.dimensions)
    folders.write(plan.folder, replace(about, parent=parent.run_id))
    return parent


def _about(plan: Plan) -> About:
    search = plan.search
    tracker = OmegaConf.to_container(plan.base.tracker, resolve=True)
    return About(
        name=plan.name,
        identity=plan.identity,
        code=plan.code,
        direction=plan.direction,
        monitor=plan.monitor,
        total=plan.total,
        command=tuple(sys.argv[1:]),
        cwd=os.getcwd(),
        storage=search.storage if search else "journal",
        attempts=plan.settings.attempts,
        tracker=tracker,  # type: ignore[arg-type]
        confirm=(search.confirm_best, search.confirm_seeds) if search else (0, 0),
        seed=plan.seed,
    )


def _without_name(command: Sequence[str]) -> list[str]:
    return [word for word in command if not word.startswith("sweep.name=")]
