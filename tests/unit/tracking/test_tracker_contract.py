"""What holds of every ``Tracker``: the same calls, and the same run read back."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from lorelab.records import DatasetRecord, RunRecord, RunStart, RunStatus
from lorelab.tracking.memory import MemoryTracker
from lorelab.tracking.mlflow_store import MLflowStore
from lorelab.tracking.mlflow_tracker import MLflowTracker
from lorelab.tracking.protocol import Tracker


@dataclass
class Bench:
    """A tracker, and how to read what it wrote."""

    tracker: Tracker
    store: MLflowStore | None = None

    def history(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        if self.store is not None:
            return list(self.store.history(run_id, metric))
        assert isinstance(self.tracker, MemoryTracker)
        return self.tracker.history(metric)

    def tags(self, run_id: str) -> dict[str, str]:
        if self.store is not None:
            return dict(self.store.get(run_id).tags)
        assert isinstance(self.tracker, MemoryTracker)
        return self.tracker.tags

    def content(self, run_id: str, path: str, folder: Path) -> str:
        if self.store is not None:
            return self.store.download(run_id, path, folder).read_text()
        assert isinstance(self.tracker, MemoryTracker)
        return self.tracker.texts[path] if path in self.tracker.texts else self.tracker.files[path].decode()


@pytest.fixture(params=["memory", "mlflow"])
def bench(request: pytest.FixtureRequest, store_uri: str, experiment: str) -> Bench:
    if request.param == "memory":
        return Bench(MemoryTracker())
    return Bench(MLflowTracker(store_uri, experiment), MLflowStore(store_uri, experiment))


START = RunStart(
    "digits-mlp",
    params={"optimizer.lr": "0.1", "seed": "0"},
    tags={"lorelab.sweep": "s1", "note": "first"},
    files={"config/resolved.yaml": "seed: 0\n"},
    dataset=DatasetRecord("digits", "ab" * 32, {"train": 10, "val": 2}, "scikit-learn", {"shape": [64]}),
)


def ended(run_id: str, status: RunStatus = RunStatus.FINISHED) -> RunRecord:
    return RunRecord(run_id, "digits-mlp", status, "val/accuracy", "max", score=0.9, steps=3)


def test_points_come_back_in_step_order_with_non_finite_values_as_they_were(bench: Bench) -> None:
    run_id = bench.tracker.start(START)
    values = [2.5, math.nan, math.inf, -math.inf]
    for step in (3, 1, 0, 2):
        bench.tracker.log({"train/loss": values[step], "lr": 0.1}, step)
    bench.tracker.finish(ended(run_id))
    steps, points = zip(*bench.history(run_id, "train/loss"), strict=True)
    assert steps == (0, 1, 2, 3)
    assert list(points) == pytest.approx(values, rel=0, nan_ok=True)
    assert bench.history(run_id, "lr") == [(step, 0.1) for step in range(4)]
    assert bench.history(run_id, "never/logged") == []


def test_texts_and_files_come_back_whole(bench: Bench, tmp_path: Path) -> None:
    run_id = bench.tracker.start(START)
    picture = tmp_path / "curve.svg"
    picture.write_text("<svg/>")
    bench.tracker.artifact(picture)
    bench.tracker.artifact(picture, "pictures/late")
    bench.tracker.text("Größe\n", "notes/readme.txt")
    bench.tracker.finish(ended(run_id))
    for path, content in {
        "config/resolved.yaml": "seed: 0\n",
        "curve.svg": "<svg/>",
        "pictures/late/curve.svg": "<svg/>",
        "notes/readme.txt": "Größe\n",
    }.items():
        assert bench.content(run_id, path, tmp_path / "back") == content


def test_later_tags_replace_earlier_ones(bench: Bench) -> None:
    run_id = bench.tracker.start(START)
    bench.tracker.tag({"note": "second", "more": "1"})
    bench.tracker.tag({"note": "third"})
    bench.tracker.finish(ended(run_id))
    tags = bench.tags(run_id)
    assert (tags["note"], tags["more"], tags["lorelab.sweep"]) == ("third", "1", "s1")


def test_finish_may_be_called_twice_and_without_a_run(bench: Bench) -> None:
    bench.tracker.finish(ended("none"))
    run_id = bench.tracker.start(START)
    bench.tracker.finish(ended(run_id))
    bench.tracker.finish(ended(run_id, RunStatus.FAILED))
    if bench.store is not None:
        assert bench.store.get(run_id).status == "finished"
    else:
        assert isinstance(bench.tracker, MemoryTracker)
        assert bench.tracker.record == ended(run_id)


def test_one_tracker_writes_run_after_run(bench: Bench) -> None:
    first = bench.tracker.start(START)
    bench.tracker.log({"only/first": 1.0}, 0)
    bench.tracker.finish(ended(first))
    second = bench.tracker.start(START)
    bench.tracker.log({"only/second": 2.0}, 0)
    bench.tracker.finish(ended(second))
    assert first != second
    assert bench.history(second, "only/second") == [(0, 2.0)]
    assert bench.history(second, "only/first") == []


def test_runs_that_were_begun_are_found_by_their_tags_and_parameters_whatever_their_end(bench: Bench) -> None:
    begun = []
    for status in (RunStatus.PRUNED, RunStatus.KILLED):
        begun.append(bench.tracker.start(START))
        bench.tracker.finish(ended(begun[-1], status))
    found = bench.tracker.begun({"lorelab.sweep": "s1", "seed": "0"})
    assert [run.run_id for run in found] == (begun[::-1] if bench.store is not None else []), "memory outlives nothing"
    assert bench.tracker.begun({"lorelab.sweep": "s1", "seed": "1"}) == []
