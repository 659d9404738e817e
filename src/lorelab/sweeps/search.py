"""A search as ask and tell over Optuna, by several processes at once.

Every trial is Optuna's trial of the same number. Who works on one is written on it (``claim``), so that an interrupted
trial is told from one that another process, perhaps on another host, is busy with.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState

from lorelab.sweeps.folder import About
from lorelab.sweeps.journal import storage
from lorelab.sweeps.proposals import Proposals, Proposer
from lorelab.sweeps.settings import Factory
from lorelab.sweeps.trials import Direction, Outcome, Trial, TrialRun, TrialStatus
from lorelab.tracking.liveness import HOST, PROCESS, is_gone, marks

SWEEP = "LORELAB_SWEEP"
"""Set for the workers of a sweep: the marks of the process that they work for, as JSON."""
_STATES = {
    TrialStatus.FINISHED: TrialState.COMPLETE,
    TrialStatus.DIVERGED: TrialState.COMPLETE,
    TrialStatus.PRUNED: TrialState.PRUNED,
    TrialStatus.FAILED: TrialState.FAIL,
}


class Search:
    """The trials of one sweep, shared with every process that opens the same ``folder``.

    ``where``: the storage, see ``journal.storage``.

    ``direction``: "maximize" or "minimize". ``attempts``: so many processes may die of one trial.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        direction: Direction,
        *,
        where: str = "journal",
        pruner: Factory | None = None,
        attempts: int = 3,
        proposals: Proposals | None = None,
    ) -> None:
        self.direction, self.attempts = direction, attempts
        self.proposals = proposals or Proposals()
        self._proposer = Proposer()
        self._lock = FileLock(folder / "claims.lock")
        with self._lock:  # making the tables of a database is a race
            self._study = optuna.create_study(
                storage=storage(folder, where),
                study_name=name,
                direction=direction,
                load_if_exists=True,
                pruner=pruner() if pruner else optuna.pruners.NopPruner(),
                sampler=optuna.samplers.RandomSampler(seed=0),
            )
        self._me = marks()

    @classmethod
    def of(
        cls, folder: Path, about: About, *, confirming: bool = False, pruner: Factory | None = None,
        proposals: Proposals | None = None,
    ) -> Search:  # fmt: skip
        """The trials of the sweep in ``folder``, or their confirmations."""
        name = f"{about.name}/confirmations" if confirming else about.name
        return cls(folder, name, about.direction, where=about.storage, pruner=None if confirming else pruner,
                   attempts=about.attempts, proposals=proposals)  # fmt: skip

    def claim(self, total: int, most: int = 1, *, stacks: bool = False) -> list[Trial]:
        """At most ``most`` trials for this process to work on: interrupted ones first, then new ones up to ``total``;
        none if nothing is left to begin, although others may still be at work. ``stacks``: all of one stack,
        however many they are, while there is one (see ``stack``); else those of no stack first.
        """
        with self._lock:
            held = self._study.get_trials(deepcopy=False)
            mine: list[int] = []
            stack = None
            for trial in sorted(held, key=lambda trial: stacks == (trial.user_attrs.get("stack") is None)):
                wanted = len(mine) < most if stack is None else trial.user_attrs.get("stack") == stack
                if wanted and trial.state is TrialState.RUNNING and self._may_go_on(trial):
                    mine.append(trial.number)
                    stack = trial.user_attrs.get("stack") if stacks and len(mine) == 1 else stack
                    if "attempts" not in trial.user_attrs:  # its process died while it was being proposed
                        self._proposer.propose(self.proposals, self._study, trial.number, trial._trial_id)
            for number in range(
                len(held), len(held) if stack is not None else min(total, len(held) + most - len(mine))
            ):
                mine.append(number)
                self._proposer.propose(self.proposals, self._study, number)
            for number in mine:
                self._claim(number)
        return [self.trial(number) for number in mine]

    def take(self, number: int) -> None:
        """Takes over the claim that another process made for this one (a launcher's worker), so that the trial is not
        given to others while this one lives."""
        claim = self._frozen(number).user_attrs.get("claim") or {"sweep": self._me}
        if claim.get("worker", {}).get(PROCESS) != self._me[PROCESS]:
            self._set(number, "claim", {**claim, "worker": self._me})

    def release(self, number: int) -> None:
        """Lets others go on with a trial that this process was asked to leave."""
        self._set(number, "claim", None)

    def stack(self, numbers: Sequence[int]) -> None:
        """Notes that these are for one process to train as one, until they are put back; those on which somebody works,
        or has, are not."""
        with self._lock:
            free = [number for number in numbers if self.trial(number).status is TrialStatus.INTERRUPTED]
            for number in free:
                self._set(number, "stack", free[0])

    def put_back(self, number: int) -> None:
        """Undoes this process's claim of a trial that it has not begun; nothing if it has none (any more)."""
        with self._lock:
            trial = self._frozen(number)
            claim = trial.user_attrs.get("claim")
            if not trial.state.is_finished() and claim and claim["worker"].get(PROCESS) == self._me[PROCESS]:
                self._set(number, "attempts", trial.user_attrs["attempts"] - 1)
                self._set(number, "claim", None)
                if trial.user_attrs.get("stack") is not None:
                    self._set(number, "stack", None)

    def died(self, number: int) -> None:
        """Counts the death of a worker that did not release its trial; lets others go on with it, or fails one that
        keeps killing them."""
        with self._lock:
            trial = self._frozen(number)
            if not trial.state.is_finished() and trial.user_attrs.get("claim") is not None:
                self._survives(number, 1)

    def note(self, number: int, run: TrialRun) -> None:
        """Adds a run that a trial trained."""
        runs = [*self._frozen(number).user_attrs.get("runs", []), asdict(run)]
        self._set(number, "runs", runs)

    def report(self, number: int, value: float, step: int) -> bool:
        """An intermediate value at ``step`` (1, 2, …, growing); returns whether the pruner would end the trial."""
        trial = optuna.Trial(self._study, self._frozen(number)._trial_id)
        trial.report(value, step)
        return bool(trial.should_prune())

    def tell(self, number: int, outcome: Outcome) -> None:
        """Ends a trial; one that has ended stays as it is."""
        if self._frozen(number).state.is_finished():
            return
        self._set(number, "status", str(outcome.status))
        self._set(number, "error", outcome.error)
        state = _STATES[outcome.status]
        values = outcome.value if state is TrialState.COMPLETE else None
        self._study.tell(number, values, state=state, skip_if_finished=True)

    def trial(self, number: int) -> Trial:
        """One trial as it is now."""
        return self._plain(self._frozen(number))

    def trials(self) -> list[Trial]:
        """All trials by number."""
        return [self._plain(trial) for trial in self._study.get_trials(deepcopy=False)]

    def processes_here(self) -> set[int]:
        """Ids of the live processes of this host that work on a trial."""
        claims = [
            trial.user_attrs.get("claim")
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        ]
        mine = [claim["worker"] for claim in claims if claim is not None and not is_gone(claim["worker"])]
        return {int(json.loads(each[PROCESS])["pid"]) for each in mine if each[HOST] == self._me[HOST]}

    def importances(self) -> dict[str, float]:
        """Share of each parameter in how the finished trials' values vary (PED-ANOVA); {} where they cannot tell."""
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that there are few trials
                found = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
            return {key: float(value) for key, value in found.items()}
        except (ValueError, RuntimeError):  # too few trials, or no parameter that all of them have
            return {}

    def _may_go_on(self, trial: FrozenTrial) -> bool:
        """Whether nobody works on a running trial; one that keeps killing its workers is failed instead."""
        claim = trial.user_attrs.get("claim")
        if claim is None:  # released, or its process died before it could claim it
            return True
        if not is_gone(claim["worker"]):
            return False
        return self._survives(trial.number, int(not is_gone(claim["sweep"])))

    def _survives(self, number: int, deaths: int) -> bool:
        deaths += self._frozen(number).user_attrs.get("deaths", 0)
        self._set(number, "deaths", deaths)
        self._set(number, "claim", None)
        if deaths < self.attempts:
            return True
        error = f"{deaths} workers died of this trial (killed by the system, perhaps for memory)"
        self.tell(number, Outcome(TrialStatus.FAILED, error=error))
        return False

    def _claim(self, number: int) -> None:
        attrs = self._frozen(number).user_attrs
        self._set(number, "attempts", attrs.get("attempts", 0) + 1)
        self._set(number, "began", attrs.get("began", time.time()))
        self._set(number, "claim", {"worker": self._me, "sweep": json.loads(os.environ.get(SWEEP, "null")) or self._me})

    def _set(self, number: int, key: str, value: Any) -> None:
        self._study._storage.set_trial_user_attr(self._frozen(number)._trial_id, key, value)

    def _frozen(self, number: int) -> FrozenTrial:
        store = self._study._storage
        return store.get_trial(store.get_trial_id_from_study_id_trial_number(self._study._study_id, number))

    def _plain(self, trial: FrozenTrial) -> Trial:
        attrs = trial.user_attrs
        began, ended = attrs.get("began"), trial.datetime_complete
        return Trial(
            number=trial.number,
            status=_status(trial),
            params=dict(trial.params),
            value=None if not trial.values else float(trial.values[0]),
            runs=tuple(TrialRun(**run) for run in attrs.get("runs", [])),
            seconds=None if began is None or ended is None else ended.timestamp() - began,
            ended=None if ended is None else ended.timestamp(),
            error=attrs.get("error", ""),
            attempts=attrs.get("attempts", 0),
        )


def _status(trial: FrozenTrial) -> TrialStatus:
    if trial.state is TrialState.RUNNING:
        claim = trial.user_attrs.get("claim")
        return TrialStatus.INTERRUPTED if claim is None or is_gone(claim["worker"]) else TrialStatus.RUNNING
    if trial.state is TrialState.WAITING:
        return TrialStatus.INTERRUPTED
    return TrialStatus(trial.user_attrs.get("status", "failed"))
