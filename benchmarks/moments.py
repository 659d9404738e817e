"""Moments at which a process that works for a sweep had better not die, and its death there by SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def die_at(moment: str) -> None:
    """``NAME`` or ``NAME:COUNT``: has this process die when it comes to that moment for the first, or that, time."""
    name, _, count = moment.partition(":")
    if name:
        MOMENTS[name](_Death(int(count or 1)))


class _Death:
    def __init__(self, count: int) -> None:
        self.left = count

    def __call__(self) -> None:
        self.left -= 1
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, owner: Any, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
        """Comes before a call of ``owner.name`` whose arguments fulfil ``when``."""
        original = getattr(owner, name)

        def instead(*args: Any, **kwargs: Any) -> Any:
            if when(*args, **kwargs):
                self()
            return original(*args, **kwargs)

        setattr(owner, name, instead)

    def after(self, owner: Any, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
        """Comes after one."""
        original = getattr(owner, name)

        def instead(*args: Any, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            if when(*args, **kwargs):
                self()
            return found

        setattr(owner, name, instead)


def _asked(death: _Death) -> None:
    """A trial has its number and no parameters."""
    from optuna.study import Study

    death.after(Study, "ask")


def _proposed(death: _Death) -> None:
    """A trial has its parameters, and nobody has claimed it."""
    from lorelab.sweeps.search import Search

    death.before(Search, "_claim")


def _journal(death: _Death) -> None:
    """Half of a line is on the disk."""
    from optuna.storages.journal import JournalFileBackend

    def half(self: Any, logs: list[Any]) -> None:
        if death.left == 1:
            with open(self._file_path, "ab") as file:  # noqa: PTH123
                file.write(json.dumps(logs[0])[:20].encode())
        death()
        original(self, logs)

    original = JournalFileBackend.append_logs
    JournalFileBackend.append_logs = half  # type: ignore[method-assign]


def _created(death: _Death) -> None:
    """MLflow has made a trial's run and knows nothing more of it."""
    from lorelab.tracking import mlflow_tracker

    death.before(mlflow_tracker, "write_facts", lambda _client, _run, start: "lorelab.kind" not in start.tags)


def _begun(death: _Death) -> None:
    """A run is open and has taken no step."""
    from lorelab.training import fit

    death.before(fit._Training, "run")


def _halfway(death: _Death) -> None:
    """A checkpoint is written."""
    from lorelab.training.keeper import Keeper

    death.after(Keeper, "save")


def _ended(death: _Death) -> None:
    """A trial's run is over, and its search does not know."""
    from lorelab.sweeps.search import Search

    death.before(Search, "note")


def _noted(death: _Death) -> None:
    """Its search knows of the run, and not that the trial is over."""
    from lorelab.sweeps.search import Search

    death.before(Search, "tell")


def _half_told(death: _Death) -> None:
    """Its search knows how it ended, and not that it did."""
    from lorelab.sweeps.search import Search

    death.after(Search, "_set", lambda _self, _number, key, _value: key == "error")


def _opened(death: _Death) -> None:
    """The parent run is open, and the sweep does not know which it is."""
    from lorelab.sweeps import folder

    death.before(folder, "write", lambda _folder, about: bool(about.parent))


def _summing(death: _Death) -> None:
    """The sweep is over, and some of its sum is in the store."""
    from lorelab.tracking.mlflow_tracker import MLflowTracker

    def late(_self: Any, path: Path, _folder: str = "") -> bool:
        if path.name != "search.log":
            return False
        time.sleep(1.5)  # the writer's thread has had its turn
        return True

    death.before(MLflowTracker, "artifact", late)


def _begun_stacked(death: _Death) -> None:
    """Some runs of a stack are open, and none has taken a step."""
    from lorelab.training import stacked

    death.before(stacked, "_open")


def _stacked(death: _Death) -> None:
    """A stack has taken some steps."""
    from lorelab.training.stacked_loop import StackedLoop

    death.before(StackedLoop, "_train_batch")


def _stacked_closing(death: _Death) -> None:
    """Some runs of a stack have ended and are closed, and others not."""
    from lorelab.training.stacked_seat import Seat

    death.before(Seat, "close")


def _pages(death: _Death) -> None:
    """The sweep is over, and nothing of its sum is in the store."""
    from lorelab.sweeps import sweep

    death.before(sweep, "write_pages")


def _named(*functions: Callable[[_Death], None]) -> dict[str, Callable[[_Death], None]]:
    return {function.__name__[1:]: function for function in functions}


SINGLE = _named(_opened, _asked, _proposed, _journal, _created, _begun, _halfway, _ended, _noted, _half_told, _pages,
                _summing)  # fmt: skip
"""In a sweep whose trials run one by one."""
MOMENTS = SINGLE | _named(_begun_stacked, _stacked, _stacked_closing)
