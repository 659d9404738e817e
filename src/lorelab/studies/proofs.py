"""Identities on a study's page and in its README."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lorelab.pages.chart import Chart
from lorelab.pages.marks import SIGNS, Axis, Line
from lorelab.pages.numbers import number
from lorelab.pages.page import Figure, Gallery, Heading, Part, Verdict
from lorelab.pages.table import Table
from lorelab.studies.evidence import Plot
from lorelab.studies.exact import Proven
from lorelab.studies.words import TONES


def box(proven: Proven) -> Verdict:
    """Verdict and the numbers that decided it."""
    word = str(proven.decision.verdict).capitalize()
    return Verdict(proven.identity.says, word, TONES[proven.decision.verdict], deviations(proven))


def deviations(proven: Proven) -> list[tuple[str, str]]:
    """Largest deviation in each number format beside its tolerance."""
    found = [("claim", "an identity, on random inputs"), ("deviations compared", f"{proven.decision.n:,}")]
    for name, tolerance in proven.identity.tolerances.items():
        largest = proven.decision.by_dtype[name] * tolerance
        found.append((f"largest in {name} (tolerance)", f"{number(largest, 2)} ({number(tolerance, 2)})"))
    return found


def parts_of(proven: Sequence[Proven]) -> Iterator[Part]:
    """What else the identities have to show: their numbers and curves."""
    shown = [each for each in proven if each.numbers or each.plots]
    if shown:
        yield Heading("Exactly")
    for each in shown:
        if each.numbers:
            yield Table(("what", "value"), [*each.numbers.items()], each.identity.says)
        if each.plots:
            yield Gallery([Figure(chart(plot), plot.caption) for plot in each.plots])


def chart(plot: Plot) -> Chart:
    """A curve ends where it has no value."""
    marks = [Line(trace.series, trace.x, trace.y) for trace in plot.traces]
    return Chart(plot.title, Axis(plot.x, log="x" in plot.log), Axis(plot.y, log="y" in plot.log), marks)


def markdown(proven: Sequence[Proven]) -> Iterator[str]:
    """Lines of a README."""
    for each in proven:
        sign = SIGNS[TONES[each.decision.verdict]]
        yield from (f"## {sign} {str(each.decision.verdict).capitalize()}: {each.identity.says}", "")
        said = "; ".join(f"{name}: {value}" for name, value in deviations(each)[1:])
        yield from (f"Claim (exact, `{each.identity.function}`). {said}.", "")
        if each.numbers:
            yield from ("| what | value |", "| --- | ---: |")
            yield from (f"| {name.replace('|', '∣')} | {number(value)} |" for name, value in each.numbers.items())
            yield ""
