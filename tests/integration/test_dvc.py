"""DVC ties studies to what they stand on: a second ``dvc repro`` does nothing, a change runs what it touches."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lorelab.paths import ROOT

pytest.importorskip("dvc")
TINY = {
    "tasks": {
        "digits": {
            "overrides": ["experiment=digits_mlp", "trainer.threads=1", "trainer.max_epochs=1", "data.limit_train=200"],
            "metric": "test/accuracy",
            "mode": "max",
            "margin": 0.05,
        }
    },
    "arms": {"good": {"overrides": ["optimizer.lr=0.01"]}, "other": {"overrides": ["optimizer.lr=1e-6"]}},
    "seeds": 2,
    "claims": [{"name": "better", "kind": "superiority", "a": "good", "b": "other", "says": "Good is better."}],
    "change": "Nothing.",
}
STAGES = {"one": {"scale": "smoke"}, "two": {"scale": "smoke"}}


class Clone:
    """The working tree as it is, in a repository of its own, with two tiny studies."""

    def __init__(self, folder: Path) -> None:
        self.root, self.store = folder / "clone", folder / "mlflow.db"
        self.bin = folder / "bin"
        self.bin.mkdir()
        command = self.bin / "lorelab"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m lorelab "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        ).stdout  # fmt: skip
        for name in filter(None, listed.decode().split("\0")):
            if (ROOT / name).is_file() and not name.startswith(("experiments/", "dvc.lock")):
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.root / name)
        for name in STAGES:
            self.declare(name, TINY)
        stages = yaml.safe_load((self.root / "dvc.yaml").read_text(encoding="utf-8"))
        stages["stages"]["study"]["foreach"] = STAGES
        (self.root / "dvc.yaml").write_text(yaml.safe_dump(stages), encoding="utf-8")
        self.run("git", "init", "-q")
        self.commit("begin")

    def declare(self, name: str, plain: dict) -> None:
        (self.root / "conf" / "study" / f"{name}.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")

    def run(self, *command: str) -> str:
        own = {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root / "src"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.store}",
            **{f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        done = subprocess.run(
            command, cwd=self.root, env=os.environ | own, capture_output=True, text=True, timeout=1800, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)

    def dvc(self, *words: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *words)

    def repro(self) -> list[str]:
        """The stages that ran."""
        return re.findall(r"Running stage 'study@(\w+)'", self.dvc("repro"))


@pytest.mark.slow
def test_repro_runs_what_a_change_touches_and_metrics_diff_shows_how_verdicts_moved(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    assert clone.repro() == ["one", "two"]
    clone.commit("results")
    assert clone.repro() == []
    assert clone.run("git", "status", "--porcelain") == ""

    stronger = TINY | {"claims": [TINY["claims"][0] | {"margins": {"digits": 0.95}}]}  # type: ignore[index]
    clone.declare("two", stronger)
    assert clone.repro() == ["two"]
    assert clone.repro() == []
    moved = clone.dvc("metrics", "diff", "--md")
    assert "experiments/two/verdict.json" in moved
    (verdict,) = [line for line in moved.splitlines() if "| claims.better.verdict " in line]
    assert [cell.strip() for cell in verdict.split("|")][3:5] == ["supported", "refuted"]
    assert "experiments/one/verdict.json" not in moved
    shown = clone.dvc("plots", "diff", "HEAD", "--targets", "experiments/two/curves.csv", "--show-vega")
    assert '"arm"' in shown


def test_dvc_sends_nothing_and_every_study_has_a_stage() -> None:
    from configparser import ConfigParser

    config = ConfigParser()
    config.read(ROOT / ".dvc" / "config")
    assert not config.getboolean("core", "analytics")
    assert not config.getboolean("core", "check_update")
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["study"]
    assert set(stage["foreach"]) == {path.stem for path in (ROOT / "conf" / "study").glob("*.yaml")}
    for path in stage["do"]["deps"]:
        assert "${key}" in path or (ROOT / path).exists(), path
