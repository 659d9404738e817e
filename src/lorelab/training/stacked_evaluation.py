"""The validation of many members over the same examples: a forward pass each, and their metrics at once."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence

import torch

from lorelab.training.stacked_seat import Seat
from lorelab.training.stacked_task import StackedTask

_MOST = 2**22
"""Numbers that members put out whose metrics are found at once: some hundred MB while that is done."""


@torch.no_grad()
def scores(task: StackedTask, seats: Sequence[Seat]) -> dict[Seat, Mapping[str, float]]:
    """The validation metrics of those of whom they can be found at once. Whoever is not among them, because of its
    data, a number that is not finite or an error, is left to its own validation, which says whose it is."""
    found: dict[Seat, Mapping[str, float]] = {}
    if task.scores is None:
        return found
    for alike in _over_the_same(seats):
        each = len(alike[0].member.data.splits.val) * task.first.out_features
        size = max(1, _MOST // max(1, each))
        for first in range(0, len(alike), size):
            with contextlib.suppress(Exception):
                found |= _scores(task, alike[first : first + size])
    return found


def _scores(task: StackedTask, seats: Sequence[Seat]) -> dict[Seat, Mapping[str, float]]:
    assert task.scores is not None
    batches = list(seats[0].member.data.val_dataloader())
    outputs = [torch.cat([seat.learner.net(batch.inputs) for batch in batches]) for seat in seats]
    scored = task.scores(torch.stack(outputs), torch.cat([batch.targets for batch in batches]))
    rows = torch.stack(list(scored.values()), dim=1).tolist()
    found = {seat: dict(zip(scored, row, strict=True)) for seat, row in zip(seats, rows, strict=True)}
    return {seat: values for seat, values in found.items() if all(map(math.isfinite, values.values()))}


def _over_the_same(seats: Sequence[Seat]) -> list[list[Seat]]:
    """Those who are validated on the same batches, together."""
    found: dict[tuple[int, int], list[Seat]] = {}
    for seat in seats:
        data = seat.member.data
        if data.in_memory and not getattr(data.augment, "in_evaluation", False):
            found.setdefault((id(data.splits), data.eval_batch_size), []).append(seat)
    return list(found.values())
