"""The file budget: a file that grows past it has two reasons to exist."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
BUDGET = 250
GRAB_BAGS = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_keeps_to_its_budget(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= BUDGET, f"{path} has {lines} lines: split it by reason"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_a_grab_bag(path: Path) -> None:
    assert path.stem not in GRAB_BAGS


def test_only_the_expected_top_level_entries_are_tracked() -> None:
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in listed.splitlines()}
    assert top <= {
        *("conf", "src", "experiments", "notebooks", "tests", "docs", "benchmarks"),
        *("pyproject.toml", "requirements.lock", "Makefile", "dvc.yaml", "dvc.lock", ".dvc", ".dvcignore"),
        *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", ".gitignore", ".ci"),
    }


def test_the_set_up_takes_its_own_installer_from_the_lock_file() -> None:
    import re
    import subprocess

    plan = subprocess.run(["make", "-Bn", "setup"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (command,) = re.findall(r"sed .* requirements\.lock", plan)
    pinned = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    first, *rest = pinned.splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", first)
    assert "--hash=sha256:" in rest[0]
    assert "==" not in "".join(rest)
    installs = [line for line in plan.replace("\\\n", " ").splitlines() if "pip install" in line]
    assert all("--require-hashes" in line or "--editable ." in line for line in installs)
