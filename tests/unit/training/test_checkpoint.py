"""The file a run leaves: written whole, opened without running code."""

import pickle
from pathlib import Path

import pytest
import torch

from lorelab.errors import LorelabError
from lorelab.records import DataSpec, RunRecord, RunStatus
from lorelab.training.checkpoint import load_checkpoint, save_checkpoint

SPEC = DataSpec("toy", "table", (3,), "class", 2, ("no", "yes"), class_counts=(4, 5))
RECORD = RunRecord("id", "name", RunStatus.FINISHED, "val/accuracy", "max", score=0.5, best_step=7)


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    weights = {"layer.weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(3)}
    save_checkpoint(tmp_path / "sub" / "best.ckpt", RECORD, weights, {"optimizer": {"lr": 0.1}, "l": [1, 2]}, SPEC)
    found = load_checkpoint(tmp_path / "sub" / "best.ckpt")
    assert found.weights.keys() == weights.keys()
    assert all(torch.equal(found.weights[name], weights[name]) for name in weights)
    assert found.config == {"optimizer": {"lr": 0.1}, "l": [1, 2]}
    assert (found.data, found.run_id, found.monitor, found.score, found.step) == (SPEC, "id", "val/accuracy", 0.5, 7)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    torch.save({"state_dict": Trap(trap)}, tmp_path / "torch.ckpt")
    (tmp_path / "plain.ckpt").write_bytes(pickle.dumps(Trap(trap)))
    for name in ("torch.ckpt", "plain.ckpt"):
        with pytest.raises(LorelabError, match="cannot be read as a checkpoint"):
            load_checkpoint(tmp_path / name)
    assert not trap.exists()


@pytest.mark.parametrize("content", [b"", b"half a file", None])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.ckpt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LorelabError, match=r"x\.ckpt"):
        load_checkpoint(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(LorelabError, match=r"x\.ckpt"):
        load_checkpoint(path)
