"""Which of many resolved configs may be trained as one, told from the configs alone.

What passes here may still be refused once it is built (``lorelab.training.stacked.why_not``, and its trial of one
batch): a config does not tell whether a net of the user's own can be stacked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lorelab.config.describe import flatten
from lorelab.records import VOLATILE, lies_below

Config = Mapping[str, Any]

FREE = (*VOLATILE, "seed", "data.split_seed", "scheduler", "callbacks", "trainer.gradient_clip_val", "trainer.test")
"""Keys, with all below them, in which members may differ in any way."""
NUMBERS = ("optimizer", "task")
"""Keys below which they may differ in numbers."""
OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop")


def groups(configs: Sequence[Config]) -> list[list[int]]:
    """Places of the configs that may be trained as one, group by group in the order of their first members. A config
    that cannot be stacked at all is a group of its own."""
    found: list[list[int]] = []
    for place, config in enumerate(configs):
        fitting = (group for group in found if why_not([configs[group[0]], config]) is None)
        group = next(fitting, None)
        if group is None:
            found.append([place])
        else:
            group.append(place)
    return found


def kinds(jobs: Sequence[Sequence[str]]) -> list[list[int]]:
    """Places of the jobs whose overrides differ in numbers only that ``groups`` might let differ: a guess at those
    groups that spares composing the configs."""
    found: dict[tuple[str, ...], list[int]] = {}
    for place, words in enumerate(jobs):
        found.setdefault(tuple(word for word in words if not _may_differ(word)), []).append(place)
    return list(found.values())


def _may_differ(word: str) -> bool:
    key, _, value = word.lstrip("+~").partition("=")
    if lies_below(key, (*FREE, "hydra")):
        return True
    named = lies_below(key, NUMBERS) or (key.startswith("model.") and _of_weights(key.rpartition(".")[2]))
    try:
        return named and bool([float(each) for each in value.strip("[]").split(",")])
    except ValueError:
        return False


def apart(config: Config, others: Sequence[Config]) -> str:
    """Why ``config`` is stacked with none of ``others``, in words: a key in which the first of them differs that could
    be stacked at all."""
    other = next((flatten(other) for other in others if not _unfit(other)), None)
    difference = None if other is None else _difference(other, flatten(config))
    if difference is None:
        return "no other differs from it in numbers alone"
    return f"{difference.partition(':')[0]}, which the runs of a stack have in common"


def why_not(configs: Sequence[Config]) -> str | None:
    """Why these configs cannot be trained as one, in words; None if nothing speaks against it."""
    for config in configs:
        if reason := _unfit(config):
            return reason
    first = flatten(configs[0])
    for config in configs[1:]:
        if reason := _difference(first, flatten(config)):
            return reason
    return None


def _unfit(config: Config) -> str | None:
    flat = flatten(config)
    optimizer = str(flat.get("optimizer._target_"))
    if not optimizer.startswith("torch.optim.") or optimizer.rpartition(".")[2] not in OPTIMIZERS:
        return f"optimizer._target_={optimizer}: only torch's {', '.join(OPTIMIZERS)} are stacked"
    if flat.get("reproducible") == "strict":
        return "reproducible=strict promises the bits of the run alone; stacked, sums are taken in another order"
    if flat.get("trainer.precision") != "32-true":
        return f"trainer.precision={flat.get('trainer.precision')}: only 32-true is stacked"
    if flat.get("resume"):
        return "resume: an interrupted run goes on alone"
    return None


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    for key in sorted(one.keys() | other.keys()):
        if lies_below(key, FREE) or (key in one and key in other and one[key] == other[key]):
            continue
        numbers = lies_below(key, NUMBERS) or (key.startswith("model.") and _of_weights(key.rpartition(".")[2]))
        if not (numbers and _alike(one.get(key), other.get(key))):
            return f"{key} differs: {one.get(key)} and {other.get(key)}"
    return None


def _of_weights(name: str) -> bool:
    """An argument of a net that changes which units or weights there are to begin with, not how it computes: by its
    name. If it does more, the trial of one batch will tell."""
    return name.endswith("dropout") or name.startswith("init")


def _alike(one: Any, other: Any) -> bool:
    """Two numbers, or two lists of as many numbers."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
