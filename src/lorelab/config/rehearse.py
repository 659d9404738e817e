"""Builds what costs nothing before anything is loaded, because the parts check their own values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any

import torch

from lorelab.config.origin import Origin
from lorelab.config.signatures import Plain
from lorelab.config.trust import instantiate
from lorelab.errors import LorelabError, Problem, nearest
from lorelab.records import DataSpec

_SIZES = ((3, 32), (1000, 256))
"""Classes and pixels of two data sets that do not exist, for what a source does not say of its own."""
_sound: set[str] = set()
"""Parts that were built in this process before, in the words that their configs had: a sweep's jobs differ in few."""


def rehearse(
    cfg: Plain, targets: Mapping[str, Callable[..., Any]], flawed: Set[str], origin: Origin
) -> Iterator[Problem]:
    """What the parts of ``cfg`` say of their own values; ``flawed`` ones are known to be wrong already."""
    sound = {str(path) for path in cfg if isinstance(cfg[path], Mapping)} - flawed
    uses: dict[str, Callable[[Any], Any]] = {
        "trainer": _keep,
        "scheduler": _keep,
        "augment": _keep,
        "corruption": _keep,
        "tracker": _keep,
        "sweep": _keep,
        "search": _keep,
        "optimizer": lambda part: part([torch.zeros(1, requires_grad=True)]),
    }
    for path, use in uses.items():
        if path in sound and "_target_" in cfg[path]:
            yield from _complaints(path, cfg[path], use, origin)
    for name, node in cfg["callbacks"].items() if "callbacks" in sound else ():
        yield from _callback(f"callbacks.{name}", node, targets, origin)
    if "data" in sound:
        yield from _data(cfg["data"], origin)
    if "augment" not in flawed:
        yield from _views(cfg, targets, origin)
    if "data" in targets:
        yield from _task_and_net(cfg, targets, sound & {"task", "model"} & targets.keys(), origin)


def _keep(part: Any) -> Any:
    return part


def _complaints(path: str, node: Plain, use: Callable[[Any], Any], origin: Origin) -> Iterator[Problem]:
    words = f"{path}: {node}"
    if words in _sound:
        return
    try:
        use(instantiate(node))
        _sound.add(words)
    except Exception as error:
        cause = error.__cause__ or error
        reason = (str(cause) or type(cause).__name__).splitlines()[0]
        yield Problem(origin.of_message(path, node, reason), reason, "values in range")


def _callback(path: str, node: Any, targets: Mapping[str, Callable[..., Any]], origin: Origin) -> Iterator[Problem]:
    if node is None:
        return
    if not isinstance(node, Mapping) or "_target_" not in node:
        yield Problem(origin.of(path), f"{path}={node}", "a callback", f"+{path}._target_=package.module.Class")
        return
    if path not in targets:
        return
    yield from _complaints(path, node, _keep, origin)
    measured = {f"val/{name}" for name in getattr(targets.get("task"), "better", ())}
    if measured and node.get("monitor") is not None and node["monitor"] not in measured:
        where, advice = origin.of(f"{path}.monitor"), nearest(str(node["monitor"]), measured)
        yield Problem(where, str(node["monitor"]), "a metric that the task measures in validation", advice)


def _views(cfg: Plain, targets: Mapping[str, Callable[..., Any]], origin: Origin) -> Iterator[Problem]:
    """An augmentation that suits the inputs, and that makes views where the task compares views, and only there."""
    try:
        augment = instantiate(cfg["augment"]) if cfg.get("augment") else None
    except Exception:  # said already
        return
    kind = getattr(targets.get("data"), "provides_inputs", None)
    read = getattr(augment, "accepts_inputs", None)
    if augment is not None and kind is not None and read is not None and kind not in read:
        expected = "an augmentation of " + " or ".join(sorted(read))
        yield Problem(origin.of("augment"), f"inputs of kind '{kind}'", expected, "another augment=...")
    wanted, made = getattr(targets.get("task"), "views", False), getattr(augment, "in_evaluation", False)
    if wanted and not made:
        found = f"{cfg['task']['_target_']} without views"
        advice = "augment=two_views for images, two_views_table for tables, noise for points"
        yield Problem(origin.of("augment"), found, "an augmentation that makes them", advice)
    if made and not wanted and "task" in targets:
        found = f"{cfg['augment']['_target_']}, which adds an axis of views, for {cfg['task']['_target_']}"
        yield Problem(origin.of("augment"), found, "an augmentation that keeps the shape", "augment=none")


def _data(node: Plain, origin: Origin) -> Iterator[Problem]:
    """The few keys that sources share and use only after reading their files."""
    fractions = {key: node[key] for key in ("val_fraction", "test_fraction") if node.get(key) is not None}
    for key, value in fractions.items():
        if not 0 <= value < 1:
            yield Problem(origin.of(f"data.{key}"), f"{key}={value}", "a share of the examples: at least 0, below 1")
    if all(0 <= value < 1 for value in fractions.values()) and sum(fractions.values()) >= 1:
        found = ", ".join(f"{key}={value}" for key, value in fractions.items())
        yield Problem(origin.of("data.val_fraction"), found, "a sum below 1, so that training examples are left")
    for key in ("limit_train", "limit_test", "context"):
        if node.get(key) is not None and node[key] < 1:
            yield Problem(origin.of(f"data.{key}"), f"{key}={node[key]}", "at least 1")


def _task_and_net(
    cfg: Plain, targets: Mapping[str, Callable[..., Any]], parts: Set[str], origin: Origin
) -> Iterator[Problem]:
    """Builds those of task and net that are in ``parts``, without memory for weights, for the data as they will be.

    Where only the data tell what they are, it is done for two data sets that do not exist. A complaint that is the same
    for both is about the config; one that names a size is about the data, and waits for the real ones.
    """
    words = "; ".join(f"{path}: {cfg[path]}" for path in ("data", *sorted(parts)))
    if words in _sound:
        return
    specs = list(dict.fromkeys(_specs(cfg, targets)))
    first, *others = [_tried(cfg, spec, parts) for spec in specs] or [{}]
    if not first:
        _sound.add(words)
    for path, reason in first.items():
        if all(other.get(path) == reason for other in others):
            expected = "values in range" if others else f"values in range, for inputs of shape {specs[0].input_shape}"
            yield Problem(origin.of_message(path, cfg[path], reason), reason, expected)


def _tried(cfg: Plain, spec: DataSpec, parts: Set[str]) -> dict[str, str]:
    """What ``parts`` say of data of ``spec``, by part. If there is no task to say how many outputs the net has, it has
    one for each class."""
    found: dict[str, str] = {}
    features = max(1, spec.num_classes)
    if "task" in parts:
        with _heard(found, "task"):
            features = instantiate(cfg["task"])(data=spec).out_features
    if "model" in parts:
        with _heard(found, "model"), torch.device("meta"):
            instantiate(cfg["model"])(input_shape=spec.input_shape, out_features=features)
    return found


@contextmanager
def _heard(found: dict[str, str], path: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(cause, ValueError | LorelabError):
            found[path] = (str(cause) or type(cause).__name__).splitlines()[0]


def _specs(cfg: Plain, targets: Mapping[str, Callable[..., Any]]) -> Iterator[DataSpec]:
    source, task, model = targets["data"], targets.get("task"), targets.get("model")
    kind, wanted = getattr(source, "provides_inputs", None), getattr(source, "provides_targets", None)
    if kind is None:  # only the user's file tells
        taken = [getattr(part, "accepts_inputs", None) for part in (task, model)]
        known = [set(kinds) for kinds in taken if kinds is not None]
        kind = min(set.intersection(*known), default=None) if known else None
    if kind is None:
        return
    possible = [wanted] if wanted else sorted(getattr(task, "accepts_targets", ()))  # task=auto takes what comes
    for wanted, (classes, size) in itertools.product(possible, _SIZES):
        count = getattr(source, "provides_classes", None) or classes
        names = tuple(map(str, range(count))) if wanted in ("class", "token") else ()
        yield DataSpec(
            name=str(cfg["data"]["_target_"]).rpartition(".")[2],
            input_kind=kind,
            input_shape=_shape(cfg["data"], source, kind, size),
            target_kind=wanted,
            num_classes=len(names),
            class_names=names,
            vocabulary=names if wanted == "token" else (),
            class_counts=(1,) * len(names) if wanted == "class" else (),
        )


def _shape(node: Plain, source: Callable[..., Any], kind: str, size: int) -> tuple[int, ...]:
    """The shape that ``source`` will return, with ``size`` where it does not say."""
    usual = {"image": (3, size, size), "points": (2,)}.get(kind, (size,))
    declared = getattr(source, "provides_shape", None) or usual
    found = [node.get(each) if isinstance(each, str) else each for each in declared]
    guess = (usual[0], *[size] * (len(found) - 1))
    return tuple(
        each if isinstance(each, int) and each > 0 else instead for each, instead in zip(found, guess, strict=True)
    )
