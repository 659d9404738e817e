"""The sweeper with Hydra's own launchers."""

import os
from pathlib import Path

import pytest

from lorelab.sweeps.folder import read
from lorelab.sweeps.search import Search
from lorelab.tracking.mlflow_store import MLflowStore

SHORT = ("experiment=digits_mlp", "trainer.max_epochs=1", "data.limit_train=200", "trainer.threads=1")
SEARCH = ("search=default", "search/sampler=random", "search.trials=4", "optimizer.lr=tag(log,interval(1e-4,1e-1))")
GRID = ("optimizer.lr=0.001,0.01", "seed=0,1")


def outcome(folder: Path) -> list[str]:
    """Of the sweep's trials, by number."""
    return [str(trial.status) for trial in search(folder).trials()]


def search(folder: Path) -> Search:
    (place,) = (folder / "sweeps").iterdir()
    return Search.of(place, read(place))


@pytest.mark.parametrize("what", [GRID, SEARCH])
def test_basic(lorelab, store_uri: str, tmp_path: Path, what: tuple[str, ...]) -> None:
    done = lorelab("train", "-m", *SHORT, *what, "hydra/launcher=basic", f"paths.outputs={tmp_path}")
    assert "4 finished" in done.stdout
    assert outcome(tmp_path) == ["finished"] * 4
    folders = {path.name for path in (tmp_path / "sweeps").glob("*/trials/*") if path.is_dir()}
    assert folders == {"0", "1", "2", "3"}
    parent = MLflowStore(store_uri).runs(filters={"lorelab.kind": "sweep"})[0].run_id
    assert {run.tags["mlflow.parentRunId"] for run in MLflowStore(store_uri).runs()} == {parent}


def test_workers_are_local_ones(lorelab, tmp_path: Path) -> None:
    where = ("hydra/launcher=basic", "sweep.workers=2", f"paths.outputs={tmp_path}")
    done = lorelab("train", "-m", *SHORT, *GRID, *where, check=False)
    assert done.returncode == 2
    assert "sweep.workers=2 with another launcher than hydra/launcher=local" in done.stderr


@pytest.mark.parametrize("what", [pytest.param(GRID, marks=pytest.mark.slow), SEARCH])
def test_joblib(lorelab, tmp_path: Path, what: tuple[str, ...]) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    where = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", f"paths.outputs={tmp_path}")
    done = lorelab("train", "-m", *SHORT, *what, *where)
    assert "4 finished" in done.stdout
    assert outcome(tmp_path) == ["finished"] * 4


KILLS_ITS_PROCESS_ONCE = '''
import os, signal
from pathlib import Path
from pytorch_lightning import Callback

class Kill(Callback):
    """SIGKILL to the process that trains first with this learning rate."""
    def __init__(self, marker: str, lr: float, killed: float) -> None:
        self.marker, self.dies = Path(marker), lr == killed
    def on_train_batch_end(self, *_: object) -> None:
        if self.dies and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.mark.slow
def test_a_worker_of_joblib_that_is_killed_loses_no_trial(lorelab, store_uri: str, work: Path, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)  # workers of another test do not know this one's environment
    (work / "killing.py").write_text(KILLS_ITS_PROCESS_ONCE)
    kill = f"{{_target_:killing.Kill,marker:'{tmp_path}/killed',lr:${{optimizer.lr}},killed:0.01}}"
    grid = ("optimizer.lr=0.001,0.01,0.02,0.03", f"+callbacks.kill={kill}")
    where = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", f"paths.outputs={tmp_path}")
    path = os.pathsep.join([str(work), os.environ.get("PYTHONPATH", "")])
    done = lorelab("train", "-m", *SHORT, *grid, *where, LORELAB_TRUST="killing", PYTHONPATH=path)
    assert (tmp_path / "killed").exists(), "the test killed nothing"
    assert "4 finished" in done.stdout
    results = [run for run in MLflowStore(store_uri).runs() if run.status == "finished"]
    assert sorted(run.tags["lorelab.trial"] for run in results) == ["0", "1", "2", "3"]
