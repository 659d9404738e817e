"""Several claims read together: Holm's correction of their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from lorelab.studies.decision import Decision
from lorelab.studies.differences import Floats
from lorelab.studies.power import more_seeds
from lorelab.studies.rules import ALPHA, Kind, Verdict


def holm(p_values: ArrayLike) -> Floats:
    """(..., claims) p-values adjusted for reading all of the last axis together (Holm 1979). Not statsmodels', which
    takes one family at a time and collects garbage each time (0.3 s)."""
    values = np.asarray(p_values, float)
    order = np.argsort(values, axis=-1)
    count = values.shape[-1]
    stepped = np.take_along_axis(values, order, axis=-1) * (count - np.arange(count))
    adjusted = np.minimum(1.0, np.maximum.accumulate(stepped, axis=-1))
    return np.take_along_axis(adjusted, np.argsort(order, axis=-1), axis=-1)


def read_together(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """The decisions with Holm's p-values; a verdict that does not stand up to them becomes inconclusive. "Supported"
    and "refuted" are corrected apart, so that of all claims read together the chance of one wrong "supported", and
    that of one wrong "refuted", stays at 5 %. Identities (kind exact) are no tests and do not count.
    """
    tested = [place for place, each in enumerate(decisions) if each.kind is not Kind.EXACT]
    supported = holm([min(1.0, decisions[place].p_supported / decisions[place].share) for place in tested])
    refuted = holm([min(1.0, decisions[place].p_refuted / decisions[place].share) for place in tested])
    corrected = list(decisions)
    for place, *adjusted in zip(tested, supported, refuted, strict=True):
        corrected[place] = _corrected(decisions[place], float(adjusted[0]), float(adjusted[1]), len(tested))
    return tuple(corrected)


def _corrected(decision: Decision, supported: float, refuted: float, family: int) -> Decision:
    adjusted = replace(decision, holm_supported=supported, holm_refuted=refuted, family=family)
    p_value = {Verdict.SUPPORTED: supported, Verdict.REFUTED: refuted, Verdict.INCONCLUSIVE: 0.0}[decision.verdict]
    if p_value < ALPHA:
        return adjusted
    why = (
        f"{decision.why} Alone it would be {decision.verdict}; among {family} claims read together (Holm) it is not "
        f"decided, p = {p_value:.2g}."
    )
    needed = more_seeds(decision.claim, decision.p_supported, decision.p_refuted, decision.n, decision.share / family)
    return replace(adjusted, verdict=Verdict.INCONCLUSIVE, why=why, more_seeds=needed)
