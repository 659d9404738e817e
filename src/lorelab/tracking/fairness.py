"""What, besides the parameters compared, differs between runs: each finding is one line for the reader of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lorelab.records import VOLATILE, lies_below
from lorelab.tracking.protocol import StoredRun

IGNORED = (*VOLATILE, "experiment")
"""Parameters, with all below them, that name or watch a run, and those that do not change what it learns."""
SHOWN = 6

Groups = Mapping[tuple[str, ...], Sequence[StoredRun]]


def unfairness(groups: Groups, by: Sequence[str]) -> tuple[str, ...]:
    """Lines on: parameters that vary inside groups or along with them, repeated seeds, unequal seeds, unequal data
    and several versions of the code. Empty if the groups differ in ``by`` and in the seed only."""
    inside, along = _stray_parameters(groups, by)
    findings = []
    if inside:
        findings.append(f"groups mix runs that differ in {_list(inside)}: add --by for it, or filter with key=value")
    if along and "experiment" not in by:
        findings.append(f"groups differ also in {_list(along)}: the difference may be due to it")
    findings += _seeds(groups)
    findings += _data(groups, by)
    if len(commits := _versions(groups)) > 1:
        findings.append(f"runs come from {len(commits)} versions of the code ({_list(commits)})")
    return tuple(findings)


def _stray_parameters(groups: Groups, by: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names that vary inside some group, and those that vary only between groups.

    Left out: the seed, ``by``, what belongs to a choice in ``by`` (``optimizer.lr`` under ``optimizer``), and plain
    copies of the seed or of ``by`` (``data.seed: ${seed}``).
    """
    runs = [run for held in groups.values() for run in held]
    explained = {key: [run.params.get(key) for run in runs] for key in ("seed", *by)}
    inside: list[str] = []
    along: list[str] = []
    for name in sorted({name for run in runs for name in run.params} - set(explained)):
        values = [run.params.get(name) for run in runs]
        belongs = lies_below(name, (*by, *IGNORED))
        if belongs or len(set(values)) == 1 or values in explained.values():
            continue
        mixed = any(len({run.params.get(name) for run in held}) > 1 for held in groups.values())
        (inside if mixed else along).append(name)
    return inside, along


def _seeds(groups: Groups) -> list[str]:
    findings = []
    held = {values: Counter(run.params.get("seed", "") for run in runs) for values, runs in groups.items()}
    for values, seeds in held.items():
        twice = [seed for seed, count in seeds.items() if seed and count > 1]
        if twice:
            findings.append(f"group {'/'.join(values)} holds seed {_list(sorted(twice))} more than once: n counts both")
    if len({frozenset(seeds) for seeds in held.values()}) > 1:
        findings.append("groups do not hold the same seeds")
    return findings


def _data(groups: Groups, by: Sequence[str]) -> list[str]:
    """The split may follow the seed, so data are compared seed by seed."""
    if any(key.partition(".")[0] in {"data", "experiment"} for key in by):
        return []
    prints: dict[str, set[str]] = {}
    for runs in groups.values():
        for run in runs:
            if "lorelab.data_fingerprint" in run.tags:
                prints.setdefault(run.params.get("seed", ""), set()).add(run.tags["lorelab.data_fingerprint"])
    return (
        ["runs of one seed saw different data (fingerprints)"] if any(len(seen) > 1 for seen in prints.values()) else []
    )


def _versions(groups: Groups) -> list[str]:
    """Commits, those with uncommitted changes marked."""
    commits = {run.tags.get("lorelab.commit", "") for runs in groups.values() for run in runs}
    return sorted(commit[:10] + ("+dirty" if commit.endswith("+dirty") else "") for commit in commits if commit)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
