"""Times several ways of doing the same thing side by side: every round runs each way once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Sample = Mapping[str, float]
"""What one run of a way measured: seconds by quantity."""
Way = Callable[[], Sample]


@dataclass(frozen=True)
class Row:
    """One way: its median in seconds, and the median, least and greatest of its ratio to the reference, by round."""

    way: str
    seconds: float
    ratio: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Comparison:
    """Samples of all ways over the same rounds; the first way is the reference."""

    title: str
    threads: int | None
    """CPU threads of PyTorch; None where each process takes its default."""
    samples: Mapping[str, Sequence[Sample]]

    @property
    def rounds(self) -> int:
        return len(next(iter(self.samples.values())))

    def quantities(self) -> list[str]:
        """In the order of the first way that measured them."""
        return list(dict.fromkeys(key for runs in self.samples.values() for run in runs for key in run))

    def rows(self, quantity: str) -> list[Row]:
        """Of the ways that measured ``quantity``; the first of them is the reference."""
        series = {way: [run[quantity] for run in runs] for way, runs in self.samples.items() if quantity in runs[0]}
        reference = next(iter(series.values()))
        rows = []
        for way, seconds in series.items():
            # Within a round: what else the machine does then slows both.
            ratios = [mine / its for mine, its in zip(seconds, reference, strict=True)]
            rows.append(Row(way, median(seconds), median(ratios), min(ratios), max(ratios)))
        return rows


def alternate(
    title: str, ways: Mapping[str, Way], rounds: int, *, threads: int | None = None, warm_up: bool = True
) -> Comparison:
    """Runs each way once per round, starting one further every round so that no way always follows the same one.

    ``warm_up`` adds a round before that is thrown away: the first run in a process pays for what is loaded lazily.
    """
    names = list(ways)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    if warm_up:
        for way in ways.values():
            way()
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(dict(ways[name]()))
    return Comparison(title, threads, samples)
