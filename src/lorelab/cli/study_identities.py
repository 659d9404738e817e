"""A study's exact claims: found by their dotted path, evaluated here, judged in ``studies``."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lorelab.config.signatures import locate
from lorelab.config.trust import UntrustedTargetError, judge_name, judge_object
from lorelab.errors import Problem
from lorelab.studies.evidence import Evaluate
from lorelab.studies.exact import Proven, prove
from lorelab.studies.judge import SEED
from lorelab.studies.spec import Study

OURS = "lorelab.identities"


def proven(study: Study) -> tuple[Proven, ...]:
    """Every identity, evaluated now."""
    return tuple(prove(each, _found(each.function)(SEED)) for each in study.identities)


def flaws(study: Study) -> Iterator[Problem]:
    """Identities that cannot be had."""
    for each in study.identities:
        try:
            _found(each.function)
        except ImportError as error:
            place = f"study {study.name}: claims.{each.name}.identity"
            yield Problem(place, each.function, f"a function of {OURS} or of a module that you trust", str(error))


def differences(before: tuple[Proven, ...], now: tuple[Proven, ...]) -> Iterator[str]:
    """What an evaluation on this machine says otherwise. Deviations are its own rounding, so that they are held against
    the tolerances only."""
    for old, new in zip(before, now, strict=True):
        place = f"identities.{old.identity.name}"
        if old.decision.verdict is not new.decision.verdict:
            yield f"{place}: verdict.json has {old.decision.verdict}, recomputed {new.decision.verdict}"
        for name in dict.fromkeys([*old.numbers, *new.numbers]):
            a, b = old.numbers.get(name, math.nan), new.numbers.get(name, math.nan)
            if not math.isclose(a, b, rel_tol=1e-5):  # kept to six digits
                yield f"{place}, {name}: verdict.json has {a:g}, recomputed {b:g}"


def _found(path: str) -> Evaluate:
    ours = path.startswith(f"{OURS}.")
    if not ours:
        judge_name(path)
    found: Evaluate = locate(path)
    home = str(getattr(found, "__module__", ""))
    if not ours:
        judge_object(path, found)
    elif not home.startswith(OURS):
        raise UntrustedTargetError(f"'{path}' leads to {home or 'something else'}")
    return found
