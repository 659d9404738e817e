import subprocess
from pathlib import Path

import pytest

from lorelab.training.provenance import capture, git_state


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
    commit, patch = git_state(checkout)
    fresh = tmp_path_factory.mktemp("fresh") / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(fresh)], check=True)
    subprocess.run(["git", "-C", str(fresh), "checkout", "-q", commit], check=True)
    subprocess.run(["git", "-C", str(fresh), "apply"], input=patch.encode(), check=True)
    assert (fresh / "known.py").read_text() == "x = 2\n"
    assert (fresh / "new.py").read_text() == "y = 3\n"


OWN_CONFIG = """
[core]
    quotePath = false
    abbrev = 4
    attributesFile = {folder}/attributes
[color]
    ui = always
[diff]
    noprefix = true
    mnemonicPrefix = true
    external = echo
    context = 0
    interHunkContext = 9
    algorithm = patience
    renames = copies
    relative = true
    suppressBlankEmpty = true
    orderFile = {folder}/order
    submodule = log
    colorMoved = zebra
[diff "shout"]
    textconv = tr a-z A-Z <
    command = echo
"""


def test_results_that_are_not_committed_are_no_change_of_the_code(checkout: Path) -> None:
    (checkout / "dvc.lock").write_text("stages: {}\n")
    (checkout / "experiments" / "q5").mkdir(parents=True)
    (checkout / "experiments" / "q5" / "study.yaml").write_text("name: q5\n")
    assert git_state(checkout)[1] == ""
    (checkout / "src_experiments.py").write_text("x = 1\n")
    git_state.cache_clear()
    assert "src_experiments.py" in git_state(checkout)[1]


def test_the_patch_does_not_hang_on_the_users_git_config(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("home")
    (folder / "attributes").write_text("*.py diff=shout\n")
    (folder / "order").write_text("new.py\nknown.py\n")
    (folder / "gitconfig").write_text(OWN_CONFIG.format(folder=folder))
    (checkout / "known.py").write_text("x = 1\n\n\nlonger = 'than one line'\n" * 9)
    commit = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qam", "longer"]
    subprocess.run(commit, check=True)
    changed = {
        "known.py": (checkout / "known.py").read_text().replace("than", "then", 2),
        "new.py": "y = 3\n",
        "größe/höhe.py": "z = 4\n",
    }
    for name, content in changed.items():
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text(content)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    states = []
    for config in ("/dev/null", folder / "gitconfig"):
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
        git_state.cache_clear()
        states.append(git_state(checkout))
    assert states[0] == states[1]
    fresh = folder / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(fresh)], check=True)
    subprocess.run(["git", "-C", str(fresh), "apply"], input=states[1][1].encode(), check=True)
    assert {name: (fresh / name).read_text() for name in changed} == changed


def test_outside_a_checkout_there_is_no_commit_and_no_error(tmp_path: Path) -> None:
    assert git_state(tmp_path / "nowhere") == ("", "")
