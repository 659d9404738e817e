"""Whether the keys and values of a config node fit the signature of its ``_target_``."""

from __future__ import annotations

import difflib
import importlib
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import typeguard

from lorelab.config.origin import Origin
from lorelab.errors import Problem, nearest

Plain = Mapping[str, Any]
"""A config or a node of one in plain containers, every interpolation resolved: to read that is far cheaper."""

SUPPLIED: Mapping[str, frozenset[str]] = {
    "model": frozenset({"input_shape", "out_features"}),
    "model.head": frozenset({"in_features", "out_features"}),
    "task": frozenset({"data"}),
    "optimizer": frozenset({"params"}),
    "loader": frozenset({"splits", "seed", "augment"}),
}
"""What ``build`` itself passes to each factory, by its place in the config."""

RESERVED = frozenset({"_target_", "_partial_", "_recursive_", "_convert_", "_args_"})


def locate(target: str) -> Callable[..., Any]:
    """The function or class at a dotted path.

    Raises:
        ImportError: no such module or attribute; the message names the nearest valid name.
    """
    module_name, _, name = target.rpartition(".")
    if not module_name:
        raise ImportError(f"'{target}' is not a dotted path such as package.module.name")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        outer, _, inner = module_name.rpartition(".")
        try:  # a class in a module: package.module.Class.method
            return getattr(locate(module_name), name)
        except (ImportError, AttributeError):
            raise ImportError(f"no module '{error.name}' (from {outer or inner})") from error
    if not hasattr(module, name):
        close = difflib.get_close_matches(name, dir(module), n=2)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ImportError(f"module '{module_name}' has no '{name}'{hint}")
    return getattr(module, name)


def check_signature(path: str, node: Plain, target: Callable[..., Any], origin: Origin) -> Iterator[Problem]:
    """Problems of the node at ``path``: unknown keys, missing arguments, values of a wrong type."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):  # some built-ins have none
        return
    target_name = node.get("_target_", target.__qualname__)
    parameters = {k: p for k, p in signature.parameters.items() if k != "self"}
    named = {k for k, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    given = [str(key) for key in node if key not in RESERVED]
    supplied = SUPPLIED.get(path, frozenset())
    for key in given:
        if key not in named and not open_ended:
            expected = f"an argument of {target_name}"
            yield Problem(origin.of(f"{path}.{key}"), f"{path}.{key}", expected, nearest(key, named - supplied))
    needed = {k for k in named if parameters[k].default is inspect.Parameter.empty} - set(given) - supplied
    if "_args_" not in node and (not node.get("_partial_") or path in SUPPLIED):
        for key in sorted(needed):
            yield Problem(origin.of(path), f"no '{path}.{key}'", f"{target_name} needs it", f"set {path}.{key}=VALUE")
    hints = _type_hints(target)
    for key in given:
        if key in hints and not fits(node[key], hints[key]):
            value = node[key]
            shown = f"{value!r} ({type(value).__name__})"
            yield Problem(origin.of(f"{path}.{key}"), shown, type_name(hints[key]))


def _type_hints(target: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError, AttributeError):  # annotations that exist for type checkers only
        return {}


def fits(value: Any, hint: Any) -> bool:
    """Whether a config value can be passed where ``hint`` is declared; a node with a ``_target_`` is checked apart."""
    if isinstance(value, Mapping):
        return "_target_" in value or _accepts(value, hint)
    if isinstance(value, list):
        return _accepts(value, hint) or _accepts(tuple(value), hint)  # YAML has no tuples
    return _accepts(value, hint)


def _accepts(value: Any, hint: Any) -> bool:
    if isinstance(value, bool) and bool not in (hint, *typing.get_args(hint)):
        return hint is Any  # Python takes True for 1; a config that says so is a mistake
    try:
        typeguard.check_type(value, hint, collection_check_strategy=typeguard.CollectionCheckStrategy.ALL_ITEMS)
    except typeguard.TypeCheckError:
        return False
    return True


def type_name(hint: Any) -> str:
    """A type as an error message names it."""
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
