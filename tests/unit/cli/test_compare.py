"""``lorelab compare`` on a real store; the numbers themselves are tested in ``unit/tracking/test_aggregate.py``."""

import csv
import io
import json
from pathlib import Path

import pytest

from lorelab.cli.compare import main
from lorelab.errors import LorelabError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.mlflow_tracker import MLflowTracker


def train(tracker: MLflowTracker, lr: str, seed: int, score: float, sweep: str, **more: str) -> None:
    params = {"optimizer.lr": lr, "seed": str(seed)} | more
    run_id = tracker.start(RunStart(f"{lr}-{seed}", params, {"lorelab.sweep": sweep} if sweep else {}))
    status = RunStatus.DIVERGED if lr == "10" else RunStatus.FINISHED
    final = {"test/accuracy": score / 2}
    tracker.finish(RunRecord(run_id, f"{lr}-{seed}", status, "val/accuracy", "max", score, metrics=final))


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = f"sqlite:///{tmp_path_factory.mktemp('compare') / 'mlflow.db'}"
    tracker = MLflowTracker(uri)
    train(tracker, "0.1", 0, 0.0, "old", width="8")
    for lr, scores in {"10": [0.1, 0.1, 0.1], "0.1": [0.5, 0.625, 0.75], "0.01": [0.25, 0.25, 0.25]}.items():
        for seed, score in enumerate(scores):
            train(tracker, lr, seed, score, "new", width="64")
    train(tracker, "0.1", 7, 0.9, "", width="64")
    return uri


def test_the_newest_sweep_is_compared_in_the_order_of_the_numbers(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--uri", uri, "--by", "optimizer.lr", "--sweep", "latest"]) == 0
    captured = capsys.readouterr()
    header, *rows = [line.split() for line in captured.out.splitlines()[:4]]
    assert header == ["optimizer.lr", "n", "mean", "sd", "95%", "interval", "best", "worst", "diverged"]
    assert rows == [
        ["0.01", "3", "0.25", "0", "[0.25,", "0.25]", "0.25", "0.25", "0"],
        ["0.1", "3", "0.625", "0.125", "[0.3145,", "0.9355]", "0.75", "0.5", "0"],
        ["10", "0", "–", "–", "–", "–", "–", "3"],
    ]
    assert captured.err == ""
    assert "score is the best val/accuracy of a run; higher is better" in captured.out
    assert "3 of 9 runs have no part in the means and are counted on the right" in captured.out


def test_what_makes_the_comparison_unfair_is_said_on_stderr(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--uri", uri, "--by", "optimizer.lr", "--metric", "test/accuracy"])
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "warning: groups mix runs that differ in width: add --by for it, or filter with key=value",
        "warning: group 0.1 holds seed 0 more than once: n counts both",
        "warning: groups do not hold the same seeds",
    ]
    assert "test/accuracy; higher is better" in captured.out


def test_filters_and_several_keys_make_the_groups(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--uri", uri, "status=finished", "--by", "width", "seed=0", "--by", "optimizer.lr", "--csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["width"], row["optimizer.lr"], row["n"], row["mean"]) for row in rows] == [
        ("64", "0.1", "1", "0.5"),
        ("64", "0.01", "1", "0.25"),
        ("8", "0.1", "1", "0.0"),
    ]
    assert rows[0]["sd"] == ""


def test_json_holds_groups_and_warnings(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--uri", uri, "--by", "optimizer.lr", "--sweep", "new", "--json"])
    comparison = json.loads(capsys.readouterr().out)
    assert (comparison["metric"], comparison["mode"], comparison["warnings"]) == ("score", "max", [])
    assert [(group["values"], group["n"], group["diverged"]) for group in comparison["groups"]] == [
        (["0.01"], 3, 0),
        (["0.1"], 3, 0),
        (["10"], 0, 3),
    ]


def test_names_that_are_not_there_are_answered(uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LorelabError, match=r"--by 'optimizer.rl': .*did you mean 'optimizer.lr'"):
        main(["--uri", uri, "--by", "optimizer.rl"])
    with pytest.raises(
        LorelabError, match=r"--metric 'test/acc': none of 11 runs has it; did you mean 'test/accuracy'"
    ):
        main(["--uri", uri, "--by", "seed", "--metric", "test/acc"])
    assert main(["--uri", uri, "--by", "seed", "--sweep", "nonesuch"]) == 1
    assert "No run fits lorelab.sweep=nonesuch " in capsys.readouterr().err
    with pytest.raises(
        LorelabError, match=r"--sweep latest: none of .* belongs to a sweep. Start one: lorelab train -m"
    ):
        main(["--uri", f"sqlite:///{tmp_path}/none.db", "--by", "seed", "--sweep", "latest"])


def test_the_picture_places_numbers_on_an_axis_and_names_side_by_side(tmp_path):
    from lorelab.cli.chart import _places, draw_comparison
    from lorelab.tracking.aggregate import Comparison, Group

    def group(value: str, mean: float | None) -> Group:
        return Group((value,), 2, mean, 0.1, 0.5, 0.9, 0.8, 0.6, 0, 0, 0, 0, 0, ("0", "1"))

    numbers = [group("0.001", 0.7), group("0.1", 0.8)]
    comparison = Comparison(("optimizer.lr",), "test/accuracy", "val/accuracy", "max", (*numbers, group("1", None)), ())
    assert _places(comparison, numbers) == ([0.001, 0.1], None)
    assert _places(comparison, [group("adam", 0.7), group("sgd", 0.8)]) == ([0.0, 1.0], ["adam", "sgd"])
    draw_comparison(comparison, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
