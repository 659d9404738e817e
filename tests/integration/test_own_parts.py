"""CONTRIBUTING.md, executed: a data set, a net and a task of the user's own, in a folder outside the package."""

import re
from pathlib import Path

from lorelab.paths import ROOT
from lorelab.tracking.mlflow_store import MLflowStore

BLOCK = re.compile(r"^`(?P<name>[\w/]+\.(?:py|yaml))`\n\n```\w+\n(?P<content>.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_walk_throughs_of_contributing_work_as_written(lorelab, store_uri: str, tmp_path: Path) -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = {match["name"]: match["content"] for match in BLOCK.finditer(guide)}
    assert len(blocks) == 6
    for name, content in blocks.items():
        path = tmp_path / "work" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (command,) = re.findall(r"^\$ lorelab (train --config-dir .*)$", guide, re.MULTILINE)
    lorelab(*command.split(), f"paths.outputs={tmp_path / 'outputs'}")
    (run,) = MLflowStore(store_uri).runs()
    assert run.status == "finished"
    assert run.params["data"] == "blobs"
    assert run.params["model"] == "maxout"
    assert run.metrics["test/accuracy"] > 0.9


def test_a_mistake_in_ones_own_part_is_named(lorelab, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "my_conf" / "data").mkdir(parents=True)
    (work / "my_conf" / "data" / "mine.yaml").write_text("_target_: mine.load\nrows: 10\n")
    (work / "mine.py").write_text("def load(row: int = 3):\n    raise AssertionError('never called')\n")
    done = lorelab("train", "--config-dir", "my_conf", "data=mine", check=False)
    assert done.returncode == 2
    assert "expected: an argument of mine.load" in done.stderr
    assert "did you mean 'row'?" in done.stderr
    assert "my_conf/data/mine.yaml: data.rows" in done.stderr
