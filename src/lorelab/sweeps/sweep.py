"""The body of ``hydra/sweeper=lorelab``: opens the sweep, has what is missing of it trained, and sums it up."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch
from filelock import BaseFileLock, Timeout
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lorelab.config.trust import instantiate
from lorelab.errors import ConfigError, Problem
from lorelab.records import RunStatus
from lorelab.sweeps import folder as folders
from lorelab.sweeps.display import Display
from lorelab.sweeps.folder import About
from lorelab.sweeps.footprint import budget
from lorelab.sweeps.journal import JOURNAL
from lorelab.sweeps.local import Composer
from lorelab.sweeps.loop import Loop
from lorelab.sweeps.parent import Parent
from lorelab.sweeps.plan import Plan, make_plan
from lorelab.sweeps.preset import write_preset
from lorelab.sweeps.report import write_pages
from lorelab.sweeps.summary import summary_of
from lorelab.sweeps.workers import (
    Crew,
    crew_size,
    follow_the_sweep,
    gpus_for,
    is_worker,
    processes_to_a_memory,
    workers_for,
)
from lorelab.training.interrupts import Interrupted

_LAUNCHER = "hydra_plugins.lorelab.launcher."
LOCAL, STACKED, AUTO = (f"{_LAUNCHER}{name}Launcher" for name in ("Local", "Stacked", "Auto"))
_OF_THIS_PROCESS = ("hydra/launcher=", "hydra.launcher.", "sweep.batch=")


def run(arguments: Sequence[str], context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
    """Runs what is missing of the sweep that the command line describes, alone, with workers, or with others who
    joined it; prints what came of it.

    Raises:
        LorelabError: the sweep cannot be gone on with.
        SystemExit: 1, if a trial failed.
    """
    composer = Composer(context.config_loader, config)
    plan = make_plan(arguments, composer)
    alone = config.hydra.launcher._target_ == LOCAL
    workers, gpus = _workers(plan, config.hydra.launcher._target_)
    launcher = None if workers > 1 and alone else _launcher(plan, context, task_function, config)
    leader = folders.leadership(plan.folder)
    with ExitStack() as stack:
        with folders.lock(plan.folder):
            about = folders.read(plan.folder) if is_worker() else folders.join(plan.folder, _about(plan))
            parent = None
            if not is_worker():
                (plan.folder / folders.STOP).unlink(missing_ok=True)
                if _lead(leader, stack):
                    about, parent = _open_parent(plan, about)
        loop = Loop(plan, about, launcher, alone)
        if is_worker():
            follow_the_sweep()
            loop.work()
            return
        status = RunStatus.KILLED
        try:
            with Display(plan.name, loop.search.trials, plan.total, plan.direction, str(plan.base.progress)):
                if launcher is not None:
                    loop.work()
                if theirs := "local" if launcher is None else loop.handed_over():
                    own = [f"hydra/launcher={theirs}", *_of_stacks(theirs, workers, gpus, loop, config.hydra.launcher)]
                    _crew(workers, gpus, loop, about, own).work(loop.finished)
            status = RunStatus.FAILED if loop.gives_up() else status
        except Interrupted:
            if not plan.jobs:  # whoever listed the jobs says how to go on
                elsewhere = "" if plan.folder.parent == folders.SWEEPS else f" --folder {plan.folder.parent}"
                print(f"The same command goes on, or: lorelab sweep resume {plan.name}{elsewhere}", file=sys.stderr)
            raise
        except Exception:
            status = RunStatus.FAILED
            raise
        finally:
            if parent is None and _lead(leader, stack):
                parent = _take_over(plan, loop)
            if parent is not None:
                _sum_up(plan, composer, parent, RunStatus.FINISHED if loop.nothing_is_left() else status)
                with folders.lock(plan.folder):
                    folders.write(plan.folder, replace(folders.read(plan.folder), summed=loop.ended()))
    _end(plan, loop)


def _sum_up(plan: Plan, composer: Composer, parent: Parent, status: RunStatus) -> None:
    summary = summary_of(plan.folder)
    best = summary.best
    if best is not None and not plan.jobs:
        score = f"{summary.monitor} {summary.score:.6g}{' on fresh seeds' if summary.confirmed else ''}"
        header = [f"The best of {len(summary.trials)} trials of the sweep {plan.name} (trial {best.number}): {score}.",
                  f"Sweep: {summary.command}"]  # fmt: skip
        command = write_preset(plan.folder, plan.name, plan.overrides(best.params), composer, header)
        summary = replace(summary, preset=command)
    files = write_pages(summary, plan.folder)
    files += [path for path in (plan.folder / JOURNAL, plan.folder / "conf") if path.exists()]
    parent.finish(summary.trials, status, summary.score, files)


def _end(plan: Plan, loop: Loop) -> None:
    """Prints what came of it; leaves with 1 if a trial failed."""
    from lorelab.sweeps.closing import failures, print_summary

    summary = summary_of(plan.folder)
    if plan.base.progress != "quiet" and not plan.jobs:  # whoever listed the jobs says what came of them
        print_summary(summary, plan.folder)
    failed = failures(summary.trials, plan.folder)
    if loop.gives_up():
        failed.append(
            f"sweep {plan.name} gave up: its last {plan.settings.max_failures} trials failed, one after the other. "
            "Mend the cause and start it again with another sweep.name, or raise sweep.max_failures."
        )
    if failed:
        print("\n".join(failed), file=sys.stderr)
        raise SystemExit(1)


def _about(plan: Plan) -> About:
    search = plan.search
    return About(
        name=plan.name,
        identity=plan.identity,
        code=plan.code,
        direction=plan.direction,
        monitor=plan.monitor,
        total=plan.total,
        command=tuple(sys.argv[1:]),
        cwd=str(Path.cwd()),
        storage=search.storage if search else "journal",
        attempts=plan.settings.attempts,
        confirm=(search.confirm_best, search.confirm_seeds) if search else (0, 0),
        seed=plan.seed,
    )


def _workers(plan: Plan, launcher: str) -> tuple[int, int]:
    """Processes to start (1: none but this one), and the GPUs that they share; of ``AUTO``, those that there may be."""
    if is_worker():
        return 1, 0
    wanted, accelerator = plan.settings.workers, str(plan.base.trainer.accelerator)
    if launcher not in (LOCAL, STACKED, AUTO):
        if wanted not in (None, 1):
            found = f"sweep.workers={wanted} with another launcher than hydra/launcher=local, stacked or auto"
            raise ConfigError([Problem("sweep.workers", found, "one of them", "leave out hydra/launcher=...")])
        return 1, 0
    gpus, share = gpus_for(accelerator), plan.settings.gpu_share
    if launcher == STACKED:
        return wanted or 1, gpus
    return crew_size(wanted, share, accelerator) if launcher == AUTO else workers_for(wanted, gpus, share), gpus


def _crew(workers: int, gpus: int, loop: Loop, about: About, own: Sequence[str]) -> Crew:
    """Workers that run the sweep's own command with a launcher of their ``own``."""
    shared = [word for word in about.command if not word.startswith((*_OF_THIS_PROCESS, "sweep.name="))]
    command = [*shared, f"sweep.name={about.name}", *own]
    return Crew(workers, command, loop.plan.folder, about.cwd, gpus, loop.ended)


def _of_stacks(launcher: str, workers: int, gpus: int, loop: Loop, mine: DictConfig) -> Iterator[str]:
    """What workers are told that claim one stack after the other, or one trial; or, where not all trials are there yet,
    as many as make a batch for all of them. Workers share the memory, as far as they share a device."""
    if launcher != "local":
        known = bool(loop.plan.combinations) and loop.batch >= loop.plan.total
        yield f"sweep.batch={1 if known else max(2, -(-loop.batch // workers))}"
        if (sharing := processes_to_a_memory(workers, gpus)) > 1:
            device = torch.device("cuda" if gpus else "cpu")
            yield f"hydra.launcher.memory_gb={budget(mine.memory_gb, device) / 1e9 / sharing:.3f}"
        elif mine.memory_gb:
            yield f"hydra.launcher.memory_gb={mine.memory_gb}"


def _launcher(plan: Plan, context: HydraContext, task_function: TaskFunction, config: DictConfig) -> Launcher:
    """Hydra's, told where the sweep's folder is."""
    quoted = str(plan.folder).replace("\\", "\\\\").replace("'", "\\'")
    config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")
    config.hydra.sweep.dir = str(plan.folder)
    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task_function, config=config)


def _lead(leader: BaseFileLock, stack: ExitStack) -> bool:
    """Whether this process is, from now to the end of ``stack``, the one that leads."""
    try:
        leader.acquire(timeout=0)
    except Timeout:
        return False
    stack.callback(leader.release)
    return True


def _open_parent(plan: Plan, about: About) -> tuple[About, Parent]:
    parent = Parent(instantiate(plan.base.tracker), about, plan.dimensions, plan.tags)
    about = replace(about, parent=parent.run_id)
    folders.write(plan.folder, about)
    return about, parent


def _take_over(plan: Plan, loop: Loop) -> Parent | None:
    """The parent, if the process that led was stopped before it had summed up all that there is."""
    with folders.lock(plan.folder):
        about = folders.read(plan.folder)
        return None if about.summed == loop.ended() else _open_parent(plan, about)[1]
