"""Where a result comes from: code, packages, machine. Captured once per process, because that is the code that runs."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_MAX_UNTRACKED_BYTES = 200_000


@dataclass(frozen=True)
class Provenance:
    """What must be equal for a run to be repeated exactly."""

    commit: str
    """Full hash, or "" outside a git checkout."""
    patch: str
    """Changes since ``commit`` as a patch that ``git apply`` takes, new text files included."""
    python: str
    platform: str
    cpu: str
    cores: int
    threads: int
    gpus: tuple[str, ...] = ()
    packages: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()

    @property
    def dirty(self) -> bool:
        """Whether the code that ran is not just that of ``commit``."""
        return bool(self.patch)

    def tags(self) -> dict[str, str]:
        """The part worth searching for."""
        return {
            "lorelab.commit": self.commit + ("+dirty" if self.dirty else ""),
            "lorelab.python": self.python,
            "lorelab.torch": self.packages.get("torch", ""),
            "lorelab.cpu": self.cpu,
            "lorelab.threads": str(self.threads),
            "lorelab.gpus": ", ".join(self.gpus),
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain containers without the patch, which is a file of its own."""
        return {key: value for key, value in asdict(self).items() if key != "patch"} | {"dirty": self.dirty}


def capture(root: Path) -> Provenance:
    """The provenance of this process in the checkout at ``root``; threads and command are read anew each time."""
    import torch

    commit, patch = _git_state(root)
    return Provenance(
        commit=commit,
        patch=patch,
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu_name(),
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        gpus=tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())),
        packages=_packages(),
        command=tuple(sys.argv),
    )


@functools.cache
def _git_state(root: Path) -> tuple[str, str]:
    commit = _git(root, "rev-parse", "HEAD").strip()
    if not commit:
        return "", ""
    parts = [_git(root, "diff", "--binary", "HEAD")]
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    small = [n for n in untracked if (root / n).is_file() and (root / n).stat().st_size <= _MAX_UNTRACKED_BYTES]
    parts += [_git(root, "diff", "--no-index", "--", "/dev/null", name) for name in small]
    return commit, "".join(parts)


def _git(root: Path, *arguments: str) -> str:
    """Output of a git command, "" where there is none (``diff --no-index`` exits with 1 when files differ)."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", errors="replace") if done.returncode in (0, 1) else ""


@functools.cache
def _packages() -> dict[str, str]:
    return {
        str(distribution.metadata["Name"]): distribution.version
        for distribution in importlib.metadata.distributions()
        if distribution.metadata["Name"]
    }


@functools.cache
def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
