import subprocess
from pathlib import Path

import pytest

from lorelab.training.provenance import _git_state, capture


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    git("init", "-q")
    git("config", "user.email", "a@b.c")
    git("config", "user.name", "a")
    (tmp_path / "known.py").write_text("x = 1\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    return tmp_path


def test_a_clean_checkout_has_a_commit_and_no_patch(checkout: Path) -> None:
    provenance = capture(checkout)
    assert len(provenance.commit) == 40
    assert not provenance.dirty
    assert provenance.packages["torch"]
    assert provenance.tags()["lorelab.commit"] == provenance.commit


def test_the_patch_restores_edits_and_new_files(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (checkout / "known.py").write_text("x = 2\n")
    (checkout / "new.py").write_text("y = 3\n")
    commit, patch = _git_state(checkout)
    fresh = tmp_path_factory.mktemp("fresh") / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(fresh)], check=True)
    subprocess.run(["git", "-C", str(fresh), "checkout", "-q", commit], check=True)
    subprocess.run(["git", "-C", str(fresh), "apply"], input=patch.encode(), check=True)
    assert (fresh / "known.py").read_text() == "x = 2\n"
    assert (fresh / "new.py").read_text() == "y = 3\n"


def test_outside_a_checkout_there_is_no_commit_and_no_error(tmp_path: Path) -> None:
    assert _git_state(tmp_path / "nowhere") == ("", "")
