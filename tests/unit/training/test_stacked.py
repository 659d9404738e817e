"""How members of a stack end, each on its own account; and what they leave in their stores."""

import math
import os
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EarlyStopping
from stacks import CLASSIFY, DROPOUT_NET, QUIET, REGRESS, Shaken, agree, alone, both, with_
from torch.optim import SGD, Adam

from lorelab.errors import StoreError
from lorelab.records import RunStatus
from lorelab.tasks.classification import Classification
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.interrupts import Interrupted
from lorelab.training.pruning import Pruning
from lorelab.training.stacked import fit_stacked

WILD = with_(CLASSIFY, net=DROPOUT_NET, optimizer=partial(SGD, momentum=0.9), augment=Shaken)


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """A picture takes longer than a run here."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda _self, path, **_: Path(path).write_bytes(b""))


class At(Callback):
    """Does something at one evaluation, counted from 1."""

    stackable = True

    def __init__(self, evaluation: int, act) -> None:
        self.countdown, self.act = evaluation, act

    def on_validation_end(self, trainer, learner) -> None:
        self.countdown -= 1
        if self.countdown == 0:
            self.act()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("every", [1, 3, 50])
def test_a_member_that_diverges_names_its_step_and_leaves_the_others_alone(every) -> None:
    members = [{"lr": 0.01, "seed": 0}, {"lr": 1e25, "seed": 0}, {"lr": 3e4, "seed": 1}, {"lr": 0.02, "seed": 2}]
    pairs = both(with_(WILD, settings={"log_every_n_steps": every}), members)
    records = [many.tracker.record for _, many in pairs]
    assert [record.status for record in records] == ["finished", "diverged", records[2].status, "finished"]
    assert records[1].diverged_at is not None
    assert records[1].weights == ""


@pytest.mark.usefixtures("undrawn")
def test_a_member_that_leaves_while_gradients_are_gathered_takes_its_own_with_it() -> None:
    settings = {"log_every_n_steps": 1, "accumulate_grad_batches": 2}
    pairs = both(with_(WILD, settings=settings), [{"lr": 1e25, "seed": 1}, {"lr": 0.02, "seed": 2}, {"lr": 0.01}])
    assert [many.tracker.record.status for _, many in pairs] == ["diverged", "finished", "finished"]


@pytest.mark.usefixtures("undrawn")
def test_the_state_of_the_optimizer_follows_those_who_stay() -> None:
    case = with_(CLASSIFY, optimizer=partial(Adam, fused=True), settings={"log_every_n_steps": 2, "max_epochs": 4})
    betas = [(0.9, 0.99), (0.5, 0.9), (0.9, 0.99), (0.5, 0.9), (0.8, 0.9)]
    rates = [math.inf, 0.02, 0.01, math.inf, math.inf]
    pairs = both(
        case, [{"lr": lr, "betas": each, "seed": i} for i, (lr, each) in enumerate(zip(rates, betas, strict=True))]
    )
    assert [many.tracker.record.status for _, many in pairs] == [
        "diverged",
        "finished",
        "finished",
        "diverged",
        "diverged",
    ]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("settings", [{}, {"val_check_interval": 3}, {"check_val_every_n_epoch": 2}], ids=str)
def test_members_stop_early_when_they_would_alone(settings) -> None:
    stops = lambda: [EarlyStopping("val/loss", patience=1, min_delta=0.05)]  # noqa: E731
    case = with_(REGRESS, callbacks=stops, settings={"max_epochs": 12} | settings)
    pairs = both(case, [{"lr": lr, "seed": seed} for seed, lr in enumerate((0.3, 0.03, 0.005, 1e-5))])
    assert len({many.tracker.record.steps for _, many in pairs}) > 1


class GivesUp:
    """At one evaluation."""

    def __init__(self, at: int) -> None:
        self.at, self.heard = at, []

    def report(self, value: float, step: int) -> bool:
        self.heard.append((value, step))
        return step == self.at


@pytest.mark.usefixtures("undrawn")
def test_a_member_is_pruned_when_it_would_be_alone() -> None:
    def members():
        for seed, at in enumerate((2, 3, 1)):  # the last evaluation of three prunes nobody
            yield with_(WILD, callbacks=lambda at=at: [Pruning(GivesUp(at), "val/accuracy")]).member(seed=seed)

    single, stacked = list(members()), list(members())
    records = fit_stacked(stacked, QUIET)
    for one, many, found in zip(single, stacked, records, strict=True):
        agree(one, many, alone(one), found)
        heard = [each.callbacks[1].reporter.heard for each in (one, many)]
        assert [step for _, step in heard[1]] == [step for _, step in heard[0]]
    assert [record.status for record in records] == ["pruned", "finished", "pruned"]
    assert [record.steps for record in records] == [8, 12, 4]
    assert records[2].error.startswith("pruned at evaluation 1: val/accuracy")


@pytest.mark.usefixtures("undrawn")
def test_only_a_member_that_wants_its_test_is_tested() -> None:
    def members():
        for seed, test in enumerate((True, False)):
            yield with_(WILD, settings={"test": test}).member(seed=seed)

    single, stacked = list(members()), list(members())
    records = fit_stacked(stacked, QUIET)
    for one, many, found in zip(single, stacked, records, strict=True):
        agree(one, many, alone(one), found)
    assert [any(key.startswith("test/") for key in record.metrics) for record in records] == [True, False]


@pytest.mark.usefixtures("undrawn")
def test_an_exception_of_one_member_is_its_own_end() -> None:
    def fail() -> None:
        raise RuntimeError("the disk of member 1")

    members = [with_(WILD, callbacks=lambda i=i: [At(2, fail)] if i == 1 else []).member(seed=i) for i in range(3)]
    records = fit_stacked(members, QUIET)
    assert [record.status for record in records] == ["finished", "failed", "finished"]
    assert "the disk of member 1" in records[1].error
    assert records[1].steps == 8
    for row in (0, 2):
        single = WILD.member(seed=row)
        agree(single, members[row], alone(single), records[row])


@pytest.mark.usefixtures("undrawn")
def test_a_signal_closes_all_that_are_open_as_killed_and_none_twice() -> None:
    stop = partial(os.kill, os.getpid(), signal.SIGTERM)
    early = lambda: [EarlyStopping("val/loss", divergence_threshold=0.0)]  # noqa: E731  stops at the first evaluation
    members = [
        with_(WILD, callbacks=early).member(seed=0),
        with_(WILD, callbacks=lambda: [At(2, stop)]).member(seed=1),
        WILD.member(seed=2),
    ]
    with pytest.raises(Interrupted, match="SIGTERM"):
        fit_stacked(members, QUIET)
    assert [member.tracker.record.status for member in members] == ["finished", "killed", "killed"]
    assert [member.tracker.record.steps for member in members] == [4, 8, 8]


class Closed(MemoryTracker):
    """A store that is away."""

    def start(self, start):
        raise StoreError("nobody at home")


@pytest.mark.usefixtures("undrawn")
def test_a_store_that_is_away_ends_all_before_the_first_step() -> None:
    members = [WILD.member(seed=seed) for seed in range(3)]
    members[1] = replace(members[1], tracker=Closed())
    with pytest.raises(StoreError, match="nobody at home"):
        fit_stacked(members, QUIET)
    assert members[0].tracker.record.status is RunStatus.FAILED
    assert members[0].tracker.record.steps == 0
    assert members[2].tracker.run is None


class Hanging(MemoryTracker):
    """Its ``start`` or ``finish`` waits for a store that does not answer, longer than it is told to be patient."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def start(self, start):
        if self.where == "start":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)
        return super().start(start)

    def finish(self, record, patience=None):
        if self.where == "finish" and patience is None:
            os.kill(os.getpid(), signal.SIGINT)
        if self.where == "finish":
            time.sleep(60 if patience is None else patience)
        super().finish(record)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("where", "ends"), [("start", ["killed", None, None]), ("finish", ["finished"] * 3)])
def test_a_signal_does_not_wait_for_a_store_that_hangs(where, ends) -> None:
    members = [WILD.member(seed=seed) for seed in range(3)]
    trackers = [MemoryTracker() if where == "start" else Hanging(where), Hanging(where), Hanging(where)]
    members = [replace(member, tracker=tracker) for member, tracker in zip(members, trackers, strict=True)]
    begun = time.monotonic()
    with pytest.raises(Interrupted, match="SIGINT"):
        fit_stacked(members, QUIET)
    assert 2 < time.monotonic() - begun < 10, "not at once: it may answer after all"
    assert [tracker.record and tracker.record.status for tracker in trackers] == ends


class Slow(MemoryTracker):
    """Takes 0.4 s to open a run and 0.4 s to close one."""

    def start(self, start):
        time.sleep(0.4)
        return super().start(start)

    def finish(self, record, patience=None):
        time.sleep(0.4)
        super().finish(record, patience)


@pytest.mark.usefixtures("undrawn")
def test_the_time_of_a_member_is_that_of_training_and_testing_and_not_of_the_store() -> None:
    begun = time.monotonic()
    members = [replace(WILD.member(seed=seed), tracker=Slow()) for seed in range(2)]
    records = fit_stacked(members, QUIET)
    spent = time.monotonic() - begun
    assert all(0 < record.seconds <= spent - 1.6 for record in records)
    assert sum(float(member.tracker.tags["lorelab.share_seconds"]) for member in members) <= spent - 1.6


class Losing(MemoryTracker):
    """A store that loses the end of a run."""

    def finish(self, record):
        super().finish(record)
        raise StoreError("lost in the post")


@pytest.mark.usefixtures("undrawn")
def test_a_store_that_loses_a_run_is_told_after_the_others_are_closed() -> None:
    members = [WILD.member(seed=seed) for seed in range(3)]
    members[0] = replace(members[0], tracker=Losing())
    with pytest.raises(StoreError, match="lost in the post"):
        fit_stacked(members, QUIET)
    assert [member.tracker.record.status for member in members] == ["finished"] * 3


def test_each_member_leaves_what_a_run_alone_leaves_and_says_that_it_was_stacked(tmp_path) -> None:
    begun: list[str] = []

    def keep(run_id: str) -> None:
        begun.append(run_id)
        (tmp_path / run_id).mkdir()

    members = [replace(WILD.member(seed=seed), checkpoints=tmp_path, begun=keep) for seed in range(2)]
    records = fit_stacked(members, QUIET)
    single = WILD.member()
    alone(single)
    for member, record in zip(members, records, strict=True):
        files = member.tracker.files
        assert files.keys() == single.tracker.files.keys()
        assert all(files[name].startswith(b"\x89PNG") for name in files if name.endswith("png"))
        assert files["data/summary.json"] == single.tracker.files["data/summary.json"]
        assert member.tracker.tags["lorelab.stacked"] == "2"
        assert record.run_id in begun
    shares = [float(member.tracker.tags["lorelab.share_seconds"]) for member in members]
    assert 0 < sum(shares) < records[0].seconds + records[1].seconds
    assert not list(tmp_path.iterdir())  # nothing to go on with


def test_members_that_read_the_same_data_hold_them_once() -> None:
    members = [WILD.member(seed=seed) for seed in (0, 0, 1)]
    for member in members:
        member.data.splits = replace(member.data.splits)  # as a launcher would load them, run by run
    fit_stacked(members, QUIET)
    first = members[0].data.held("train", "cpu")
    assert all(member.data.held("train", "cpu") is first for member in members)


@pytest.mark.usefixtures("undrawn")
def test_data_that_are_streamed_train_stacked_as_alone() -> None:
    def members():
        for seed in range(2):
            member = WILD.member(seed=seed)
            member.data.in_memory = False
            yield member

    single, stacked = list(members()), list(members())
    for one, many, found in zip(single, stacked, fit_stacked(stacked, QUIET), strict=True):
        agree(one, many, alone(one), found)


@pytest.mark.usefixtures("undrawn")
def test_a_stack_of_one_is_a_run() -> None:
    both(WILD, [{"seed": 3}])
    assert torch.is_grad_enabled()


class Small(Classification):
    """Wants small outputs, too; what it inherits about single examples is not true of it."""

    def loss(self, net, batch):
        return super().loss(net, batch) + 0.1 * net(batch.inputs).square().mean()


def test_a_task_with_another_loss_than_the_one_it_inherits_trains_by_its_own() -> None:
    both(with_(CLASSIFY, task=Small), [{"seed": 0}, {"seed": 1}])
