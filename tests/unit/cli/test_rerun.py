"""``rerun --worktree``, with a repository so small that a process of its code takes no time. With this repository's own
code: ``test_the_recorded_code_is_checked_out_and_run_again``."""

import subprocess
from pathlib import Path

import pytest

from lorelab.cli import rerun
from lorelab.errors import LorelabError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.mlflow_tracker import MLflowTracker

MAIN = "import os, sys\n\nfrom lorelab import WORD\n\nprint(WORD, *sys.argv[1:], os.getcwd())\nsys.exit(10)\n"


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path: Path, store_uri: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose ``lorelab`` prints a word and what it was asked."""
    folder = tmp_path / "checkout"
    (folder / "src" / "lorelab").mkdir(parents=True)
    (folder / ".gitignore").write_text("outputs/\n")
    (folder / "src" / "lorelab" / "__main__.py").write_text(MAIN)
    (folder / "src" / "lorelab" / "__init__.py").write_text('WORD = "committed"\n')
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "as it is")
    monkeypatch.setattr(rerun, "ROOT", folder)
    monkeypatch.setattr(rerun, "WORKTREES", folder / "outputs" / "worktrees")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri)
    return folder


def recorded(uri: str, commit: str, patch: str = "") -> str:
    """A run of ``commit``; its id."""
    tracker = MLflowTracker(uri)
    texts = {"provenance/uncommitted.patch": patch} if patch else {}
    run_id = tracker.start(RunStart("run", {}, {"lorelab.commit": commit}, texts))
    tracker.finish(RunRecord(run_id, "run", RunStatus.FINISHED, "val/loss", "min", score=0.0))
    return run_id


def test_the_recorded_code_is_checked_out_with_its_changes_and_asked(checkout: Path, store_uri: str, capfd) -> None:
    code, commit = checkout / "src" / "lorelab" / "__init__.py", git(checkout, "rev-parse", "HEAD").strip()
    code.write_text('WORD = "changed"\n')
    dirty, clean = recorded(store_uri, f"{commit}+dirty", git(checkout, "diff")), recorded(store_uri, commit)
    code.write_text('WORD = "of later"\n')
    git(checkout, "commit", "--all", "--quiet", "--message", "another word")
    for run_id, word, name in ((dirty, "changed", dirty[:12]), (clean, "committed", commit[:12])):
        place = checkout / "outputs" / "worktrees" / name
        for _ in range(2):  # the second time it is there already
            assert rerun.main([run_id, "--worktree", "data.root=there"]) == 10, "the exit status is handed on"
            assert capfd.readouterr().out.splitlines()[-1] == f"{word} rerun {run_id} data.root=there {place}"
    assert code.read_text() == 'WORD = "of later"\n'
    assert not git(checkout, "status", "--short"), "the user's own checkout stays as it is"


def test_a_run_without_a_commit_or_of_one_that_is_gone_is_refused(checkout: Path, store_uri: str) -> None:
    with pytest.raises(LorelabError, match=r"was not run from a git checkout; expected a recorded commit"):
        rerun.main([recorded(store_uri, ""), "--worktree"])
    with pytest.raises(LorelabError, match=r"git worktree add .* failed: .*invalid reference"):
        rerun.main([recorded(store_uri, "0" * 40), "--worktree"])
