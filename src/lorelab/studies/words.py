"""A verdict in words: for the page, the README and the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lorelab.pages.marks import Tone
from lorelab.pages.numbers import interval, number
from lorelab.studies.decision import Decision
from lorelab.studies.judge import Judged
from lorelab.studies.rules import Kind, Verdict
from lorelab.studies.spec import Study

TONES: dict[Verdict, Tone] = {Verdict.SUPPORTED: "good", Verdict.REFUTED: "bad", Verdict.INCONCLUSIVE: "open"}


def effect(decision: Decision) -> str:
    """Estimate and interval, signed."""
    return interval(decision.estimate, decision.interval.low, decision.interval.high, signed=True)


def ruling(decision: Decision, hidden: Sequence[str] = ()) -> str:
    """The verdict, and what it would be alone where reading claims together (Holm) took that away. ``hidden``: of an
    overall decision, the tasks that did."""
    if hidden:
        return f"{decision.verdict} (on average supported; {', '.join(hidden)} alone: refuted)"
    alone = decision.claim.verdict(decision.interval.low, decision.interval.high)
    if decision.verdict is Verdict.INCONCLUSIVE and alone is not decision.verdict:
        return f"{decision.verdict} (alone: {alone})"
    return str(decision.verdict)


def asked(study: Study, judged: Judged) -> str:
    """What kind of difference the claim is about."""
    a, b = study.labels(judged.claim)
    return {
        Kind.SUPERIORITY: f"{a} beats {b} by at least the margin",
        Kind.NON_INFERIORITY: f"{a} is at most the margin worse than {b}",
        Kind.EQUIVALENCE: f"{a} and {b} differ by less than the margin",
        Kind.EXACT: "an identity",
    }[judged.claim.kind]


def facts(decision: Decision, unit: str, hidden: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The numbers that decided, by name. ``unit``: of the estimate, e.g. "margins" or "test/accuracy"; ``hidden`` as in
    ``ruling``."""
    found = [
        (f"effect A − B [{100 * decision.confidence:.3g} % interval], in {unit}", effect(decision)),
        ("margin", number(decision.margin)),
        ("seeds per arm", str(decision.n)),
    ]
    p, holm = _p_values(decision)
    found.append(("p (alone; with Holm)", f"{_small(p)}; {_small(holm)}"))
    if any(decision.diverged):
        found.append(("diverged, of A and of B", f"{decision.diverged[0]} and {decision.diverged[1]}"))
    if hidden:
        found.append(("more seeds", f"do not decide it: the tasks differ ({', '.join(hidden)} from the average)"))
    elif decision.verdict is Verdict.INCONCLUSIVE:
        more = "more than 1,000" if decision.more_seeds is None else str(decision.more_seeds)
        found.append(("more seeds that would probably decide it", more))
    return found


def words_of(params: Mapping[str, str | int | float]) -> str:
    """What was tried or chosen, to four digits."""
    return " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in params.items()
    )


def where_tasks_differ(judged: Judged) -> str:
    """One sentence on whether the tasks agree with the overall verdict and with each other."""
    by_ruling: dict[str, list[str]] = {}
    for task, decision in judged.by_task.items():
        by_ruling.setdefault(ruling(decision), []).append(task)
    if len(by_ruling) == 1:
        said = f"Every task says {next(iter(by_ruling))}."
    else:
        parts = [f"{word} on {', '.join(tasks)}" for word, tasks in by_ruling.items()]
        said = f"It depends on the task: {'; '.join(parts)}."
    return " ".join(filter(None, [_but_less(judged), _but_not_everywhere(judged), said, _carried(judged)]))


def _but_less(judged: Judged) -> str:
    """A refuted superiority may still be a difference."""
    whole = judged.overall
    if whole.kind is Kind.SUPERIORITY and whole.verdict is Verdict.REFUTED and whole.interval.low > 0:
        return "There is a difference in the direction that is claimed, but it is smaller than the margin."
    return ""


def _but_not_everywhere(judged: Judged) -> str:
    """An average of the tasks may hide that one of them differs."""
    if not judged.hidden:
        return ""
    which, verb = ", ".join(judged.hidden), "refutes" if len(judged.hidden) == 1 else "refute"
    return (
        f"On average it would be supported, but {which} alone {verb} it: inconclusive because the tasks differ, which "
        "more seeds do not change."
    )


def _carried(judged: Judged) -> str:
    """One sentence where a single task makes more than half of a mean of a margin or more; "" else."""
    sizes = {task: decision.estimate / decision.margin for task, decision in judged.by_task.items()}
    most = max(sizes, key=lambda task: abs(sizes[task]), default="")
    if len(sizes) < 3 or abs(judged.overall.estimate) < 1 or abs(sizes[most]) <= sum(map(abs, sizes.values())) / 2:
        return ""
    others = [size for task, size in sizes.items() if task != most]
    rest = f"{sum(others) / len(others):+.2g}".replace("-", "−")
    return f"Most of it comes from {most}: without it the others' mean is {rest} margins."


def where_intervals_disagree(judged: Judged) -> str:
    """One sentence on the intervals that would have given another verdict than the one that decided; "" if none."""
    places = [("over all tasks", judged.overall), *judged.by_task.items()]
    parts = [f"{place}: {', '.join(decision.disagree)}" for place, decision in places if decision.disagree]
    return f"Intervals disagree; by these alone the verdict would be another one ({'; '.join(parts)})." if parts else ""


def _p_values(decision: Decision) -> tuple[float, float]:
    if decision.verdict is Verdict.REFUTED:
        return decision.p_refuted, decision.holm_refuted
    return decision.p_supported, decision.holm_supported


def _small(p: float) -> str:
    if math.isnan(p):
        return "–"
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"
