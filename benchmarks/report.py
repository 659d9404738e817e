"""Writes what was measured: tables on the screen and in README.md, every sample in ``results/NAME.json``."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.alternate import Comparison
from benchmarks.parts import ACCELERATOR

HERE = Path(__file__).parent
README = HERE / "README.md"


def circumstances() -> dict[str, str | int]:
    """When, of what code and on what machine the benchmark ran."""
    from importlib.metadata import version

    commit = _git("rev-parse", "--short", "HEAD")
    changed = "+ uncommitted changes" if _git("status", "--porcelain", "src", "conf") else ""
    gpu = {} if ACCELERATOR == "cpu" else {"gpu": torch.cuda.get_device_name()}
    return gpu | {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": f"{commit} {changed}".strip(),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "torch": version("torch"),
        "pytorch-lightning": version("pytorch-lightning"),
        "load": f"{os.getloadavg()[0]:.1f} (1 min, at the end)",
    }


def markdown(comparison: Comparison, quantity: str) -> str:
    """One table: a row per way, the reference first."""
    rows = comparison.rows(quantity)
    unit, scale = _unit(min(row.seconds for row in rows))
    threads = "" if comparison.threads is None else f", {comparison.threads} thread(s)"
    lines = [
        f"**{comparison.title}: {quantity}** (n = {comparison.rounds} rounds{threads})",
        "",
        f"| way | median, {unit} | ratio, median (min–max) |",
        "| --- | ---: | ---: |",
    ]
    for row in rows:
        spread = "1" if row is rows[0] else f"{row.ratio:.2f} ({row.lowest:.2f}–{row.highest:.2f})"
        lines.append(f"| {row.way} | {row.seconds * scale:.3g} | {spread} |")
    return "\n".join(lines)


def write(name: str, comparisons: Sequence[Comparison], notes: Sequence[str]) -> str:
    """Stores the benchmark ``name``, puts its tables into its section of README.md and returns them."""
    facts = circumstances()
    name = name if ACCELERATOR == "cpu" else f"{name}-{ACCELERATOR}"
    tables = [markdown(each, quantity) for each in comparisons for quantity in each.quantities()]
    text = "\n\n".join(["; ".join(f"{key} {value}" for key, value in facts.items()), *tables, *notes])
    if comparisons:  # a skipped benchmark leaves the last results alone
        content = {"benchmark": name, **facts, "notes": list(notes), "comparisons": [asdict(c) for c in comparisons]}
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        replace_section(name, text)
    return text


def replace_section(name: str, text: str) -> None:
    """Puts ``text`` between the marks of ``name`` in README.md."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    page = README.read_text(encoding="utf-8")
    README.write_text(section.sub(lambda _: f"{begin}\n{text}\n{end}", page), encoding="utf-8")


def _unit(seconds: float) -> tuple[str, float]:
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return unit, scale
    return "µs", 1e6


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=HERE.parent, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1) if found else platform.machine()
