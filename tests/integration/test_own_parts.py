"""CONTRIBUTING.md, executed: a data set, a net and a task of the user's own, in a folder outside the package."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lorelab.paths import ROOT
from lorelab.tracking.mlflow_store import MLflowStore

BLOCK = re.compile(r"^`(?P<name>[\w/]+\.(?:py|yaml))`\n\n```\w+\n(?P<content>.*?)^```", re.MULTILINE | re.DOTALL)


GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def own_parts(work: Path) -> Path:
    """The folder with the files that the guide shows, and no others."""
    blocks = {match["name"]: match["content"] for match in BLOCK.finditer(GUIDE)}
    parts = {"blobs": "data", "maxout": "model", "hinge": "task"}
    wanted = [(f"{part}.py", f"my_conf/{group}/{part}.yaml", f"test_{part}.py") for part, group in parts.items()]
    assert blocks.keys() == {name for names in wanted for name in names}
    for name, content in blocks.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return work


def test_the_tests_of_contributing_pass_as_written(own_parts: Path) -> None:
    (command,) = re.findall(r"^\$ python (-m pytest.*)$", GUIDE, re.MULTILINE)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *command.split(), "-p", "no:cacheprovider", "-v"],
        cwd=own_parts,
        env=variables,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("test_blobs.py", "test_maxout.py", "test_hinge.py"):
        assert re.search(rf"^{re.escape(name)}::.* PASSED", done.stdout, re.MULTILINE), done.stdout
    assert "skipped" not in done.stdout


def test_the_walk_throughs_of_contributing_train_as_written(
    lorelab, store_uri: str, own_parts: Path, tmp_path: Path
) -> None:
    (command,) = re.findall(r"^\$ lorelab (train --config-dir .*)$", GUIDE, re.MULTILINE)
    (trusted,) = re.findall(r"`export LORELAB_TRUST=([\w,]+)`", GUIDE)
    lorelab(*command.split(), f"paths.outputs={tmp_path / 'outputs'}", LORELAB_TRUST=trusted)
    (run,) = MLflowStore(store_uri).runs()
    assert run.status == "finished"
    assert run.params["data"] == "blobs"
    assert run.params["model"] == "maxout"
    assert run.metrics["test/accuracy"] > 0.9


def test_a_mistake_in_ones_own_part_is_named(lorelab, work: Path) -> None:
    (work / "my_conf" / "data").mkdir(parents=True)
    (work / "my_conf" / "data" / "mine.yaml").write_text("_target_: mine.load\nrows: 10\n")
    (work / "mine.py").write_text("def load(row: int = 3):\n    raise AssertionError('never called')\n")
    done = lorelab("train", "--config-dir", "my_conf", "data=mine", check=False, LORELAB_TRUST="mine")
    assert done.returncode == 2
    assert "expected: an argument of mine.load" in done.stderr
    assert "did you mean 'row'?" in done.stderr
    assert "my_conf/data/mine.yaml: data.rows" in done.stderr
