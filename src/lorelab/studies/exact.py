"""Claims of kind exact: an identity's evidence in, one frozen verdict out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lorelab.errors import LorelabError
from lorelab.studies.decision import Decision
from lorelab.studies.evidence import Evidence, Plot, Trace
from lorelab.studies.plain import from_plain, numbered, to_plain, worded
from lorelab.studies.spec import Identity, Study
from lorelab.studies.verdict import decide_exact


@dataclass(frozen=True)
class Proven:
    """One identity with its verdict."""

    identity: Identity
    decision: Decision
    numbers: Mapping[str, float]
    plots: tuple[Plot, ...]

    def to_plain(self) -> dict[str, Any]:
        """For verdict.json."""
        return {
            "says": self.identity.says,
            "kind": "exact",
            "identity": self.identity.function,
            "tolerances": dict(self.identity.tolerances),
            "verdict": str(self.decision.verdict),
            "decision": to_plain(self.decision),
            "numbers": dict(self.numbers),
            "plots": [worded(asdict(plot)) for plot in self.plots],
        }


def prove(identity: Identity, evidence: Evidence) -> Proven:
    """The verdict on an identity."""
    decision = decide_exact(evidence.deviations, identity.tolerances)
    return Proven(identity, decision, {name: _six(value) for name, value in evidence.numbers.items()},
                  tuple(_rounded(plot) for plot in evidence.plots))  # fmt: skip


def proven_from(study: Study, plain: Mapping[str, Mapping[str, Any]]) -> tuple[Proven, ...]:
    """What ``Proven.to_plain`` gave, back; ``plain`` is by the claim's name.

    Raises:
        LorelabError: it is not of the identities that the study declares.
    """
    if set(plain) != {each.name for each in study.identities}:
        raise LorelabError(
            f"study {study.name}: found verdicts on the identities {', '.join(plain) or 'none'}; expected them on "
            f"{', '.join(each.name for each in study.identities) or 'none'}, which it declares. Run it again."
        )
    return tuple(
        Proven(
            identity,
            from_plain(plain[identity.name]["decision"]),
            plain[identity.name]["numbers"],
            tuple(_plot(numbered(each)) for each in plain[identity.name]["plots"]),
        )
        for identity in study.identities
    )


def _plot(plain: Mapping[str, Any]) -> Plot:
    return Plot(**{**plain, "traces": [Trace(**trace) for trace in plain["traces"]]})


def _rounded(plot: Plot) -> Plot:
    """Six digits are more than a picture shows."""
    traces = [Trace(each.series, [*map(_six, each.x)], [*map(_six, each.y)]) for each in plot.traces]
    return Plot(plot.title, plot.x, plot.y, traces, plot.caption, list(plot.log))


def _six(value: float) -> float:
    return float(f"{value:.6g}")
