"""Where a result comes from: code, packages, machine. Captured once per process, because that is the code that runs."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_CODE = (".py", ".yaml", ".yml", ".toml")
"""What a new file must end in to be part of the patch: it may change a run, and it is no secret such as .env."""
_MAX_UNTRACKED_BYTES = 200_000
_NO_RESULT = ("cli", "pages", "studies", "sweeps")
"""Of this package: what orders, compares and draws results, and has no part in one."""
_RESULTS = ("experiments", "dvc.lock")
"""What runs leave in a checkout: of a result's origin it says nothing, and one study's must not mark the next one's."""
_DIFF = (
    *("-c", "core.quotePath=true", "-c", "diff.suppressBlankEmpty=false", "diff", "--binary", "--full-index"),
    *("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--no-relative", "--submodule=short"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--unified=3", "--inter-hunk-context=0", "-O/dev/null"),
    *("--diff-algorithm=myers", "--indent-heuristic"),
)
"""A diff that the user's git config has no say in: the same changes give the same patch, and ``git apply`` takes it."""


@dataclass(frozen=True)
class Provenance:
    """What must be equal for a run to be repeated exactly."""

    commit: str
    """Full hash, or "" outside a git checkout."""
    patch: str
    """Changes since ``commit`` as a patch that ``git apply`` takes, new code and config files included."""
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

    commit, patch = git_state(root)
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
def git_state(root: Path) -> tuple[str, str]:
    """The commit of the checkout at ``root`` and what differs from it, as a patch; both empty outside of one."""
    commit = _git(root, "rev-parse", "HEAD").strip()
    if not commit:
        return "", ""
    others = ["--", ".", *(f":(exclude){name}" for name in _RESULTS)]
    parts = [_git(root, *_DIFF, "HEAD", *others)]
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z", *others).split("\0")
    code = [name for name in untracked if name.endswith(_CODE) and (root / name).is_file()]
    small = [name for name in code if (root / name).stat().st_size <= _MAX_UNTRACKED_BYTES]
    parts += [_git(root, *_DIFF, "--no-index", "--", "/dev/null", name) for name in small]
    return commit, "".join(parts)


def code_version(targets: Iterable[str] = ()) -> str:
    """SHA-256 (first 12 hex digits) over the sources of this package that have a part in a result (not
    ``_NO_RESULT``), and of the user's own modules among ``targets``
    (dotted paths whose module is imported and not installed)."""
    files: dict[str, Path] = {}
    for target in targets:
        name = target.rpartition(".")[0]
        while name and name not in sys.modules:
            name = name.rpartition(".")[0]
        source = getattr(sys.modules.get(name), "__file__", None)
        if source and name.partition(".")[0] != "lorelab" and not {"site-packages", "lib"} & set(Path(source).parts):
            files[name] = Path(source)
    return hashlib.sha256(_package_digest() + _digest_of(files)).hexdigest()[:12]


@functools.cache
def _package_digest() -> bytes:
    package = Path(__file__).resolve().parents[1]
    files = {str(path.relative_to(package)): path for path in package.rglob("*.py")}
    return _digest_of({name: path for name, path in files.items() if name.partition("/")[0] not in _NO_RESULT})


def _digest_of(files: Mapping[str, Path]) -> bytes:
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.digest()


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
