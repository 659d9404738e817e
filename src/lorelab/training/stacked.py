"""Many runs that differ only in numbers, trained as one: each is in the end what ``fit`` would have made of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lorelab.records import RunRecord, RunStatus
from lorelab.training.fit import quieten
from lorelab.training.interrupts import interruptible
from lorelab.training.journal import Journal
from lorelab.training.opened import must_have_validation, open_run
from lorelab.training.progress import ProgressLine
from lorelab.training.stacked_checks import Unstackable, trial, why_not
from lorelab.training.stacked_loop import StackedLoop
from lorelab.training.stacked_optimizer import options
from lorelab.training.stacked_paced import Pace, PacedTracker
from lorelab.training.stacked_seat import Member, Seat

__all__ = ["Member", "Unstackable", "fit_stacked", "why_not"]


def fit_stacked(members: Sequence[Member], progress: ProgressLine | None = None) -> list[RunRecord]:
    """Trains all ``members``, each with a Learner and a DataModule of its own, at once and on one device; returns their
    records, in their order.

    A member has the first weights, the batches, augmentations and dropout masks of its run alone. Weights agree with
    those of ``fit`` up to the rounding of sums, which training may amplify; so do scores. Each is a run of its own in
    its tracker, with tags ``lorelab.stacked`` (how many they were) and ``lorelab.share_seconds`` (its share of the time
    from the first step until it was closed; ``RunRecord.seconds`` is the wall time, as ever). Members that end early,
    pruned ones among them, leave the stack.

    Unlike ``fit``, a member whose evaluation or callback raises does not raise here: its record says failed. An error
    of the training that all share, or a signal, closes all that are open and is raised. No checkpoints to go on from
    are written: an interrupted member begins again.

    Raises:
        Unstackable: these runs cannot be trained as one; none was started.
        DataError: there is no validation split.
        Interrupted: SIGINT or SIGTERM came; runs that were open are closed as killed.
        StoreError: a tracker cannot start its run, or lost some of it (after all others are closed).
    """
    progress = progress or ProgressLine()
    if not members:
        return []
    for member in members:
        must_have_validation(member.data)
    if reason := why_not(members):
        raise Unstackable(reason)
    quieten(members[0].settings)
    in_order = sorted(members, key=_options)  # those that can share a parameter group side by side
    with (
        interruptible() as signals,
        tempfile.TemporaryDirectory(prefix="lorelab-", ignore_cleanup_errors=True) as folder,
    ):
        seats = {member: Seat(member) for member in in_order}
        loop = StackedLoop(list(seats.values()), signals, progress)
        if reason := trial(loop):
            raise Unstackable(reason)
        try:
            pace = Pace()
            for member in members:
                signals.wait()  # a run that is opened is closed, if its store answers soon
                _open(seats[member], len(members), Path(folder), progress, pace)
                member.begun(seats[member].run.record.run_id)  # type: ignore[union-attr]
                signals.release()
            _describe(loop.live)
            progress.start(_title(members), loop.total, members[0].learner.task.monitor)
            loop.run()
        except BaseException as error:
            for seat in loop.live:
                if seat.run is not None and seat.run.record.status is RunStatus.RUNNING:
                    seat.run.ended(error)
            raise
        finally:
            signals.held = True
            for seat in loop.live:
                if seat.run is not None:
                    loop.close(seat)
        if loop.errors:
            raise loop.errors[0]
        signals.release()
    return [loop.records[seats[member]] for member in members]


def _open(seat: Seat, members: int, folder: Path, progress: ProgressLine, pace: Pace) -> None:
    member = seat.member
    start = replace(member.start, tags={**member.start.tags, "lorelab.stacked": str(members)})
    journal = Journal(PacedTracker(member.tracker, pace), progress.of_one())
    own = Path(tempfile.mkdtemp(dir=folder))
    seat.run = open_run(
        member.learner, member.data, member.settings, journal, start=start, config=member.config, folder=own
    )


def _describe(seats: Sequence[Seat]) -> None:
    for seat in seats:
        assert seat.run is not None
        seat.member.data.describe(seat.run.folder / "data")


def _options(member: Member) -> str:
    return repr(options(member.learner.make_optimizer(member.learner.net.parameters())))


def _title(members: Sequence[Member]) -> str:
    first = members[0].start.name
    return first if len(members) == 1 else f"{first} and {len(members) - 1} more"
