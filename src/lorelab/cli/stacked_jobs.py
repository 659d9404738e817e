"""The members of a stack with the jobs that they are of, and how those are told what became of them."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hydra.core.utils import JobStatus

from lorelab.cli.resume import going_on_with
from lorelab.cli.trial import TrialJob
from lorelab.errors import LorelabError
from lorelab.records import RunRecord, RunStatus
from lorelab.sweeps.local import Job
from lorelab.training.progress import ProgressLine
from lorelab.training.stacked import Member

ASKED = 8
"""Members that are ready when it is asked whether to stack their group at all."""
_LAST = 16
"""Members of the last stacks: fewer would make a step dearer for each (``benchmarks.sizes``)."""


@dataclass(frozen=True)
class Group:
    """Jobs that differ in numbers only, for workers to train."""

    numbers: Sequence[int]
    processes: int
    most: int = sys.maxsize
    """Of them at once, for the memory."""


def shared_out(groups: Sequence[Group]) -> Iterator[list[int]]:
    """The numbers of each stack: one group falls into as many as there are processes; of several, those do that would
    keep the others waiting, or leave a process without work. Towards the end stacks become smaller, so that no process
    waits long for the last one (guided self-scheduling, Polychronopoulos and Kuck 1987)."""
    sizes = [len(group.numbers) for group in groups]
    stacks = [max(1, -(-size // group.most)) for size, group in zip(sizes, groups, strict=True)]
    if groups:
        processes = groups[0].processes
        fair = sum(sizes) / processes / 2
        if len(groups) > 1:
            left = [sum(sizes[place:]) / processes / 2 for place in range(len(sizes))]
            wanted = [max(ASKED, min(fair, max(_LAST, share))) for share in left]
            stacks = [max(n, round(size / most)) for n, size, most in zip(stacks, sizes, wanted, strict=True)]
        while sum(stacks) < processes:
            largest = max(range(len(groups)), key=lambda place: sizes[place] / stacks[place])
            if sizes[largest] / stacks[largest] < 3:
                break
            stacks[largest] += 1
    for group, size, count in zip(groups, sizes, stacks, strict=True):
        edges = [round(place * size / count) for place in range(count + 1)]
        yield from (list(group.numbers[a:b]) for a, b in itertools.pairwise(edges))


@dataclass
class Ready:
    """A member of a stack with the job and the trial that it is of."""

    job: Job
    trial: TrialJob
    member: Member
    run_id: str = ""
    """Of its run, once that is open in the store."""

    @property
    def signature(self) -> str:
        """Equal for runs that are the same."""
        return (self.trial.before or self.member.start).tags["lorelab.signature"]

    @property
    def told(self) -> bool:
        """Whether Hydra knows what became of it."""
        return self.job.returned.status is not JobStatus.UNKNOWN

    def end(self, record: RunRecord) -> None:
        """Tells the trial's search, and Hydra."""
        self.job.returned.return_value = self.trial.ended(record)
        self.job.returned.status = JobStatus.COMPLETED

    def claimed(self, claims: contextlib.ExitStack) -> bool:
        """Whether nobody else goes on with its run, or has since it was prepared (``lorelab train resume=``); until
        ``claims`` ends, nobody will."""
        before = self.trial.before
        try:
            if before is not None:
                claims.enter_context(going_on_with(before))
                now = self.trial.interrupted()
                return now is not None and (now.run_id, now.status) == (before.run_id, before.status)
        except LorelabError:
            return False
        return True


class Ends(ProgressLine):
    """Tells each trial's search as soon as its run is closed, while others go on. Whether a run that failed did so by
    itself, or with all that were open, is known at the end only."""

    def __init__(self, ready: Sequence[Ready]) -> None:
        super().__init__("quiet")
        self.ready = ready

    def expecting(self, each: Ready) -> Member:
        """The member, whose run will be known by its id."""
        begun = each.member.begun

        def noted(run_id: str) -> None:
            each.run_id = run_id
            begun(run_id)

        return replace(each.member, begun=noted)

    def of_one(self) -> ProgressLine:
        """Itself: it shows nothing."""
        return self

    def finish(self, record: RunRecord) -> None:
        """Called when a member is closed."""
        if record.status in (RunStatus.FINISHED, RunStatus.DIVERGED, RunStatus.PRUNED):
            next(each for each in self.ready if each.run_id == record.run_id).end(record)
