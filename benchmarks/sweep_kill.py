"""Kills sweeps with SIGKILL at random moments and starts them again; ``python -m benchmarks.sweep_kill [KILLS]``.

A sweep of 40 trials with two workers; parent, a worker or both die; at the end it is compared with what a sweep that
nobody touched would have left: every trial once, nothing running, one parent whose sums are its children's.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.forked import Forked, Server
from lorelab.sweeps.folder import read
from lorelab.sweeps.search import Search
from lorelab.sweeps.trials import ENDED, Trial
from lorelab.tracking.mlflow_store import MLflowStore

EXPERIMENT = ("experiment=digits_mlp", "trainer.threads=1", "trainer.max_epochs=4", "trainer.checkpoint_every_steps=7")
SEARCH = ("search=default", "search/pruner=median", "optimizer.lr=tag(log,interval(1e-4,1e-1))")
TARGETS = ("parent", "worker", "both")


class KilledSweep:
    """One sweep that is started, killed and looked at; its processes come from ``server``."""

    def __init__(self, server: Server, folder: Path, trials: int, *extra: str) -> None:
        self.server, self.folder, self.trials = server, folder, trials
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self.output = folder / "output.txt"
        own = (f"search.trials={trials}", f"paths.outputs={folder}", "sweep.name=killed", "sweep.attempts=100")
        self.arguments = ("train", "-m", *EXPERIMENT, *SEARCH, *own, *extra)
        self.place = folder / "sweeps" / "killed"

    def start(self, moment: str = "") -> Forked:
        """The command, always the same. ``moment``: one of ``benchmarks.moments`` at which it dies."""
        about = {"MLFLOW_TRACKING_URI": self.uri, "LORELAB_MOMENT": moment}
        return self.server.start(*self.arguments, output=self.output, cwd=self.folder, **about)

    def search(self) -> Search:
        """As it is on the disk."""
        return Search.of(self.place, read(self.place))

    def ended(self) -> int:
        """Trials that have."""
        if not (self.place / "sweep.json").is_file():
            return 0
        return sum(trial.status in ENDED for trial in self.search().trials())

    def await_trials(self, process: Forked, count: int) -> None:
        """Until so many have ended, or the command has."""
        while process.poll() is None and self.ended() < count:
            time.sleep(0.1)

    def kill(self, sweep: Forked, target: str, chance: random.Random) -> str:
        """SIGKILL to ``target``; returns who died."""
        workers = sorted(self.server.pids() - {sweep.pid})
        dying = [] if target == "worker" and workers else [sweep.pid]
        if target != "parent" and workers:
            dying.append(chance.choice(workers))
        for pid in dying:
            os.kill(pid, signal.SIGKILL)
        if sweep.pid in dying:
            sweep.wait()
        return f"{target} ({len(dying)} of {len(workers) + 1} processes)"

    def problems(self, *, allowed: tuple[str, ...] = ("finished", "pruned")) -> list[str]:
        """What is not as if nothing had been; [] if all is well."""
        return [*self._of_processes(), *self._of_trials(allowed), *self._of_runs(), *self._of_parent()]

    def _of_processes(self) -> Iterator[str]:
        limit = time.monotonic() + 30
        while (left := self.server.pids()) and time.monotonic() < limit:
            time.sleep(0.1)
        if left:
            yield f"processes are left: {left}"

    def _of_trials(self, allowed: tuple[str, ...]) -> Iterator[str]:
        trials = self.search().trials()
        if [trial.number for trial in trials] != list(range(self.trials)):
            yield f"{len(trials)} trials instead of {self.trials}"
        for trial in trials:
            if trial.status not in allowed:
                yield f"trial {trial.number} is {trial.status}: {trial.error}"
            if len(trial.runs) != 1:
                yield f"trial {trial.number} has {len(trial.runs)} runs"

    def _of_runs(self) -> Iterator[str]:
        runs = MLflowStore(self.uri).runs(filters={"lorelab.sweep": "killed"})
        results = [run for run in runs if run.status in {"finished", "pruned", "diverged"}]
        told = {run.run_id: trial for trial in self.search().trials() for run in trial.runs}
        for number, count in Counter(run.tags["lorelab.trial"] for run in results).items():
            if count != 1:
                yield f"trial {number} was trained to its end {count} times"
        for run in results:
            trial = told.get(run.run_id)
            if trial is None or str(trial.number) != run.tags["lorelab.trial"] or trial.status != run.status:
                yield f"run {run.name} ({run.status}) is no trial's"
        if len(results) != self.trials:
            yield f"{len(results)} runs with a result for {self.trials} trials"
        yield from (f"run {run.name} says it is running" for run in runs if run.status == "running")
        parents = {run.tags["mlflow.parentRunId"] for run in runs}
        if parents != {read(self.place).parent}:
            yield f"the runs have the parents {parents}"

    def _of_parent(self) -> Iterator[str]:
        parents = MLflowStore(self.uri).runs(filters={"lorelab.kind": "sweep"})
        if len(parents) != 1:
            yield f"{len(parents)} parents"
            return
        (parent,) = parents
        trials = self.search().trials()
        if parent.status != "finished":
            yield f"the parent is {parent.status}"
        for status in ("finished", "pruned"):
            count = sum(trial.status == status for trial in trials)
            if int(parent.tags.get(f"lorelab.trials.{status}", 0)) != count:
                yield f"the parent counts {parent.tags.get(f'lorelab.trials.{status}')} {status}, not {count}"
        best = max((trial for trial in trials if trial.counts), key=lambda trial: (trial.value or 0.0, -trial.number))
        if parent.tags.get("lorelab.best_trial") != str(best.number) or parent.metrics.get("score") != best.value:
            yield f"the parent's best is not trial {best.number} ({best.value})"
        points = MLflowStore(self.uri).history(parent.run_id, "trial/number")
        if Counter(int(value) for _, value in points) != Counter(t.number for t in trials if t.value is not None):
            yield f"the parent's curve has {len(points)} points"

    def repeated_steps(self) -> dict[str, int]:
        """Trials by how often somebody began or went on with them."""
        return dict(Counter(str(trial.attempts) for trial in self.search().trials()))


def kill_at_random(
    sweep: KilledSweep, kills: int, seed: int, *, within: float = 2.5, say: bool = False
) -> Counter[str]:
    """Has ``sweep`` end in spite of ``kills``; a tally of them. Some come while it starts, most while it trains, each
    up to ``within`` seconds after some trial has ended."""
    chance, tally = random.Random(seed), Counter[str]()
    process = sweep.start()
    for number in range(kills):
        before = sweep.ended()
        share = before + chance.randint(0, max(1, (sweep.trials - before) // (kills - number)))
        if chance.random() < 0.75:
            sweep.await_trials(process, min(share, sweep.trials - 1))
        time.sleep(chance.uniform(0.0, within))
        if process.poll() is not None:
            tally["it had ended"] += 1
            break
        target = chance.choice(TARGETS)
        who = sweep.kill(process, target, chance)
        tally[target] += 1
        if say:
            print(f"{number + 1:>3} killed with {sweep.ended()} of {sweep.trials} trials ended: {who}", flush=True)
        if process.poll() is not None:
            process = sweep.start()
    tally[f"exit status {process.wait(600)}"] += 1
    return tally


def main(kills: int, seed: int) -> None:
    """Prints a line per kill and the tally."""
    with tempfile.TemporaryDirectory(prefix="lorelab-sweep-kill-") as name, Server(Path(name)) as server:
        sweep = KilledSweep(server, Path(name), 40, "sweep.workers=2", "hydra/launcher=local")
        begun = time.monotonic()
        tally = kill_at_random(sweep, kills, seed, say=True)
        trials: list[Trial] = sweep.search().trials()
        print(f"\nseed {seed}, {time.monotonic() - begun:.0f} s; " + json.dumps(dict(tally)))
        print("trials: " + json.dumps(dict(Counter(str(trial.status) for trial in trials))))
        print("trials by number of attempts: " + json.dumps(sweep.repeated_steps()))
        problems = sweep.problems()
        print("\n".join(problems) or "as if nothing had been: each trial once, none running, the parent's sums right")
        if problems:
            print(sweep.output.read_text()[-3000:])
            sys.exit(1)


if __name__ == "__main__":
    main(*(int(sys.argv[index]) if len(sys.argv) > index else value for index, value in ((1, 10), (2, 0))))
