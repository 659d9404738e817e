"""``lorelab runs`` on a real store."""

import json
from pathlib import Path

import pytest

from lorelab.cli.runs import main
from lorelab.errors import LorelabError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.mlflow_tracker import MLflowTracker


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = f"sqlite:///{tmp_path_factory.mktemp('runs') / 'mlflow.db'}"
    tracker = MLflowTracker(uri)
    ends = [("adam", 0.5, RunStatus.FINISHED), ("sgd", 0.75, RunStatus.FINISHED), ("adam", None, RunStatus.DIVERGED)]
    for seed, (optimizer, score, status) in enumerate(ends):
        name = f"digits-mlp-a-rather-long-name-that-no-table-may-cut-{optimizer}-s{seed}"
        choices = {"data": "digits", "model": "mlp", "optimizer": optimizer, "seed": str(seed), "widths": "[bold]"}
        run_id = tracker.start(RunStart(name, choices, {"lorelab.sweep": "sweep-1"}))
        metrics = {"test/loss": 0.125 * seed}
        tracker.finish(RunRecord(run_id, name, status, "val/accuracy", "max", score, seconds=2.0, metrics=metrics))
    return uri


def table(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_runs_are_listed_newest_first_and_whole_when_piped(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--uri", uri]) == 0
    header, *rows = table(capsys)
    assert header == ["name", "status", "data", "model", "optimizer", "seed", "score", "seconds", "started", "id"]
    assert [row[1:8] for row in rows] == [
        ["diverged", "digits", "mlp", "adam", "2", "–", "2"],
        ["finished", "digits", "mlp", "sgd", "1", "0.75", "2"],
        ["finished", "digits", "mlp", "adam", "0", "0.5", "2"],
    ]
    assert rows[0][0] == "digits-mlp-a-rather-long-name-that-no-table-may-cut-adam-s2"


def test_filters_columns_and_order_can_be_chosen_in_any_place(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        ["widths=[bold]", "--uri", uri, "--columns", "seed,widths,score,test/loss", "--sort", "score", "sweep=sweep-1"]
    )
    header, *rows = table(capsys)
    assert header == ["seed", "widths", "score", "test/loss"]
    assert rows == [["1", "[bold]", "0.75", "0.125"], ["0", "[bold]", "0.5", "0"], ["2", "[bold]", "–", "0.25"]]


def test_a_list_that_was_cut_says_so(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--uri", uri, "--last", "1"])
    out = capsys.readouterr().out
    assert "adam-s2" in out
    assert "sgd-s1" not in out
    assert "The 1 newest runs; --last N for more, --last 0 for all." in out


def test_json_is_strict_and_complete(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--uri", uri, "status=diverged", "--json"])

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    (run,) = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert (run["status"], run["params"]["optimizer"], run["metrics"]) == (
        "diverged",
        "adam",
        {"test/loss": 0.25},
    )


def test_a_verdict_is_looked_for_among_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker = MLflowTracker(uri)
    tags = {"lorelab.kind": "study", "lorelab.verdict.better": "supported"}
    for name, more in (("study-q0", tags), ("a-run", {})):
        run_id = tracker.start(RunStart(name, {}, more))
        tracker.finish(RunRecord(run_id, name, RunStatus.FINISHED, "val/loss", "min"))
    for word in ("verdict.better", "lorelab.verdict.better", "tags.lorelab.verdict.better"):
        assert main(["--uri", uri, f"{word}=supported", "--columns", "name,verdict.better"]) == 0
        assert table(capsys)[1:] == [["study-q0", "supported"]]
    assert main(["--uri", uri, "verdict.better=refuted"]) == 1
    assert "No run fits verdict.better=refuted kind=study (experiment 'lorelab'" in capsys.readouterr().err
    with pytest.raises(LorelabError, match=r"filter 'verdict\.beter': no .* in 1 runs; did you mean 'verdict\.better'"):
        main(["--uri", uri, "verdict.beter=supported"])
    assert main(["--uri", uri, "kind=sweep"]) == 1
    assert "No run fits kind=sweep (" in capsys.readouterr().err


def test_nothing_that_fits_is_said_on_stderr(uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--uri", uri, "seed=77"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "No run fits seed=77 (experiment 'lorelab'" in captured.err
    main(["--uri", f"sqlite:///{tmp_path}/none.db"])
    assert "There are no runs yet; train one with lorelab train" in capsys.readouterr().err


def test_misspelt_names_are_answered_with_the_nearest(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LorelabError, match=r"filter 'optimizr': no parameter or tag .*did you mean 'optimizer'"):
        main(["--uri", uri, "optimizr=adam"])
    with pytest.raises(LorelabError, match=r"column 'scor': .*did you mean 'score'"):
        main(["--uri", uri, "--sort", "scor"])
    with pytest.raises(SystemExit, match="2"):
        main(["--uri", uri, "adam"])
    assert "'adam' is no filter; expected key=value" in capsys.readouterr().err
