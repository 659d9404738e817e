"""Studies through the command line: from a YAML file to verdicts, and back from the files to the verdicts."""

import copy
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from lorelab.tracking.mlflow_store import MLflowStore
from lorelab.tracking.protocol import StoredRun

SHORT = ["trainer.threads=1", "data.limit_train=200", "trainer.max_epochs=2"]
TASK = {
    "overrides": ["experiment=digits_mlp", "model/head=linear", *SHORT],
    "metric": "test/accuracy",
    "mode": "max",
    "margin": 0.05,
    "worst": 0.0,
}
GOOD, CRIPPLED, HOT = (["optimizer.lr=0.01"], ["optimizer.lr=1e-6"], ["optimizer=sgd", "optimizer.lr=1e30"])


def claim(kind: str, a: str, b: str, **more: Any) -> dict[str, Any]:
    return {"name": f"{kind}-of-{a}", "kind": kind, "a": a, "b": b, "says": f"{a}: {kind} to {b}.", **more}


def declare(folder: Path, name: str, arms: dict[str, list[str]], seeds: Any, *claims: dict[str, Any]) -> str:
    """Writes a study of digits and returns its path."""
    plain = {
        "question": "mine",
        "title": f"A study named {name}",
        "tasks": {"digits": copy.deepcopy(TASK)},
        "arms": {arm: {"overrides": overrides} for arm, overrides in arms.items()},
        "seeds": seeds,
        "claims": list(claims),
        "change": "Nothing.",
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    return f"{name}.yaml"


ACCURACY = r"(?m)^(digits,good,final,1(?:,[^\n]*),)0\.\d+(,[^,\n]*,[^,\n]*,[^,\n]*)$"


class Place(NamedTuple):
    """Where a test's studies lie and are run."""

    lorelab: Any
    work: Path
    store: MLflowStore

    @property
    def options(self) -> list[str]:
        return ["scale=smoke", "progress=quiet", f"paths.outputs={self.work / 'outputs'}", "--results", "results"]

    def run(self, path: str, *more: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
        return self.lorelab("study", "run", path, *more, *self.options, **keywords)

    def verdict(self, name: str) -> dict[str, Any]:
        return json.loads((self.work / "results" / name / "verdict.json").read_text(encoding="utf-8"))

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.work / "results" / name / "runs.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def trained(self) -> list[StoredRun]:
        return list(self.store.runs(limit=10_000))


@pytest.fixture
def place(lorelab, work: Path, store_uri: str) -> Place:
    return Place(lorelab, work, MLflowStore(store_uri))


@pytest.fixture(scope="module")
def planted(command_line, tmp_path_factory) -> Place:
    """A study with a planted effect and a real null, run once for the tests that look at it."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "work").mkdir()
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    there = Place(command_line(folder / "work", uri), folder / "work", MLflowStore(uri))
    declare(
        there.work, "planted", {"good": GOOD, "twin": GOOD, "crippled": CRIPPLED}, 3,
        claim("superiority", "good", "crippled"),
        claim("equivalence", "good", "twin"),
        claim("superiority", "twin", "good", margins={"digits": 0.0001}),
    )  # fmt: skip
    there.run("planted.yaml")
    return there


@pytest.fixture
def reported(planted: Place, tmp_path: Path) -> Path:
    """A copy of what it left, to be tampered with."""
    shutil.copytree(planted.work / "results", tmp_path / "results")
    return tmp_path / "results"


def test_a_planted_effect_is_found_and_a_real_null_is_not_taken_for_one(planted: Place) -> None:
    verdict = planted.verdict("planted")
    assert {name: each["verdict"] for name, each in verdict["claims"].items()} == {
        "superiority-of-good": "supported",
        "equivalence-of-good": "supported",
        "superiority-of-twin": "inconclusive",
    }
    assert verdict["seeds"] == 3
    assert verdict["facts"]["overrides"] == []
    assert {row["run"] for row in planted.table("planted")} <= {run.name for run in planted.trained()}


def test_arms_that_are_the_same_share_their_runs(planted: Place) -> None:
    ids = {(row["arm"], row["seed"]): row["run_id"] for row in planted.table("planted")}
    assert len(ids) == 9
    assert [ids["good", str(seed)] for seed in range(3)] == [ids["twin", str(seed)] for seed in range(3)]
    assert len(planted.trained()) == 6


def test_the_files_are_there_and_hold_together(planted: Place) -> None:
    folder = planted.work / "results" / "planted"
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "curves.csv", "report.html", "runs.csv", "study.yaml", "verdict.json", "verdict.svg"
    }  # fmt: skip
    assert (folder / "study.yaml").read_text() == (planted.work / "planted.yaml").read_text()
    with (folder / "curves.csv").open(encoding="utf-8", newline="") as file:
        curves = list(csv.DictReader(file))
    assert {(line["arm"], line["metric"]) for line in curves} == {
        (arm, "val/accuracy") for arm in ("good", "twin", "crippled")
    }
    index = (planted.work / "results" / "index.html").read_text(encoding="utf-8")
    assert 'href="planted/report.html"' in index
    assert "good: superiority to crippled." in index
    for row in planted.table("planted"):
        assert f"/runs/{row['run_id']}" in (folder / "report.html").read_text(encoding="utf-8")
        assert re.fullmatch(r"[0-9a-f]{40}(\+dirty)?", row["commit"])
        assert re.fullmatch(r"[0-9a-f]{64}", row["fingerprint"])


def test_in_the_store_a_study_is_a_run_above_its_sweeps_above_their_runs(planted: Place) -> None:
    (study,) = planted.store.runs(filters={"kind": "study"})
    assert study.status == "finished"
    assert study.tags["lorelab.study"] == "planted"
    assert study.tags["lorelab.verdict.superiority-of-good"] == "supported"
    assert study.tags["lorelab.verdict.superiority-of-twin"] == "inconclusive"
    assert "equivalence-of-good: supported" in study.tags["lorelab.verdict"]
    assert planted.store.runs(filters={"kind": "study", "verdict.equivalence-of-good": "supported"})
    shown = planted.lorelab("runs", "kind=study", "--columns", "name,verdict,verdict.superiority-of-good").stdout
    assert re.search(r"study-planted +superiority-of-good: supported; .* +supported", shown)
    (sweep,) = planted.store.runs(filters={"kind": "sweep", "study": "planted"})
    assert sweep.tags["mlflow.parentRunId"] == study.run_id
    assert {run.tags["mlflow.parentRunId"] for run in planted.trained()} == {sweep.run_id}
    assert {run.tags["lorelab.study"] for run in planted.trained()} == {"planted"}
    assert {run.tags["lorelab.arm"] for run in planted.trained()} == {"twin", "crippled"}, "shared: the later arm's"
    for name in ("verdict.json", "report.html", "verdict.svg", "study.yaml"):
        assert planted.store.download(study.run_id, name, planted.work / "fetched").is_file()


def test_of_several_studies_none_is_trained_if_one_of_them_is_wrong(place: Place) -> None:
    sound = declare(place.work, "sound", {"good": GOOD, "worse": CRIPPLED}, 2, claim("superiority", "good", "worse"))
    faulty = declare(
        place.work, "faulty", {"good": GOOD, "worse": ["optimizer.lr=fast"]}, 2, claim("superiority", "good", "worse")
    )
    ended = place.run(sound, faulty, check=False)
    assert ended.returncode == 2
    assert "arm worse on digits: " in ended.stderr
    assert "'fast'" in ended.stderr
    assert not (place.work / "results").exists()
    assert not place.trained()


@pytest.mark.slow
def test_several_studies_are_run_one_after_the_other(place: Place) -> None:
    studies = [
        declare(place.work, name, {"good": good, "worse": CRIPPLED}, 2, claim("superiority", "good", "worse"))
        for name, good in (("one", GOOD), ("two", ["optimizer.lr=0.02"]))
    ]
    done = place.run(studies[0], studies[1], f"./{studies[0]}")
    assert done.stdout.count("A study named one") == 1
    assert [len(place.table(name)) for name in ("one", "two")] == [4, 4]
    assert len({row["run_id"] for name in ("one", "two") for row in place.table(name)}) == 6, "worse is trained once"


def test_studies_whose_results_would_overwrite_each_other_are_refused(place: Place) -> None:
    (place.work / "a").mkdir()
    (place.work / "a" / "same.yaml").write_text("{}", encoding="utf-8")
    (place.work / "same.yaml").write_text("{}", encoding="utf-8")
    ended = place.run("same.yaml", "a/same.yaml", check=False)
    assert ended.returncode == 2
    assert "expected files of different names" in ended.stderr


def test_run_again_nothing_is_trained_and_every_file_is_the_same(planted: Place) -> None:
    folder = planted.work / "results" / "planted"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    runs = {run.run_id: run.tags.get("mlflow.parentRunId") for run in planted.trained()}
    planted.run("planted.yaml")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert {run.run_id: run.tags.get("mlflow.parentRunId") for run in planted.trained()} == runs
    assert len(planted.store.runs(filters={"kind": "study"})) == 1, "reopened, not a second one"


def test_a_plan_trains_nothing_and_knows_cost_and_detectable_effect_from_earlier_runs(planted: Place) -> None:
    before = len(planted.trained())
    done = planted.lorelab("study", "plan", "planted.yaml", "scale=smoke")
    assert len(planted.trained()) == before
    assert "0 that tune (validation only) + 9 at most that decide" in done.stdout
    (line,) = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("digits")]
    assert line[1] == "9"
    assert "–" not in line, "steps, time, spread and detectable effect are known"
    assert re.search(r"\(margin 0\.05\)", done.stdout)


def test_a_result_at_a_larger_scale_is_not_overwritten(planted: Place) -> None:
    verdict = planted.work / "results/planted/verdict.json"
    before = verdict.read_text(encoding="utf-8")
    verdict.write_text(before.replace('"scale": "smoke"', '"scale": "laptop"'), encoding="utf-8")
    try:
        done = planted.lorelab("study", "run", "planted.yaml", *planted.options, check=False)
        assert done.returncode == 2
        assert "found a result at scale laptop" in done.stderr
    finally:
        verdict.write_text(before, encoding="utf-8")


def test_a_plan_without_earlier_runs_says_what_it_does_not_know(place: Place) -> None:
    path = declare(place.work, "fresh", {"good": GOOD, "bad": CRIPPLED}, 4, claim("superiority", "good", "bad"))
    done = place.lorelab("study", "plan", path, "scale=smoke")
    assert "no earlier run of digits" in done.stdout
    assert "lorelab train experiment=digits_mlp" in done.stdout
    assert not place.trained()


def test_check_finds_every_number_where_it_should_be(planted: Place) -> None:
    done = planted.lorelab("study", "check", "planted", "--results", "results")
    assert "6 verdicts recomputed from 9 runs; every number is the one in verdict.json" in done.stdout


@pytest.mark.parametrize(
    ("file", "pattern", "new", "says"),
    [
        ("runs.csv", ACCURACY, r"\g<1>0.123\2", "estimate"),
        ("runs.csv", r"(?m)^(digits,good,final,1,-1,finished),0\.\d+", r"\1,0.5", "runs_sha256"),
        ("verdict.json", r'"estimate": [0-9.e-]+', '"estimate": 0.25', "overall.estimate"),
        ("verdict.json", r'"margin": 0\.05', '"margin": 0.01', "margin"),
        ("verdict.json", r'"verdict": "inconclusive"', '"verdict": "supported"', "superiority-of-twin.verdict"),
        ("verdict.json", r'"diverged": 0\b', '"diverged": 1', "facts.cost.diverged"),
        ("verdict.json", r'"says": "good: equivalence', '"says": "good: no equivalence', "equivalence-of-good.says"),
        ("study.yaml", r"margin: 0\.05", "margin: 0.5", "margin"),
    ],
)  # fmt: skip
def test_check_catches_one_changed_value(lorelab, reported: Path, file: str, pattern: str, new: str, says: str) -> None:
    path = reported / "planted" / file
    before = path.read_text(encoding="utf-8")
    after = re.sub(pattern, new, before, count=1)
    assert after != before
    path.write_text(after, encoding="utf-8", newline="")
    done = lorelab("study", "check", "planted", "--results", str(reported), check=False)
    assert done.returncode == 1
    assert says in done.stdout
    assert "differ from verdict.json" in done.stdout


def test_a_missing_run_is_said(lorelab, reported: Path) -> None:
    path = reported / "planted" / "runs.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8", newline="")
    done = lorelab("study", "check", "planted", "--results", str(reported), check=False)
    assert done.returncode == 2
    assert "arm 'crippled': found no run for seeds [2]" in done.stderr


def test_a_report_is_rendered_without_a_store_byte_for_byte(lorelab, reported: Path, store_uri: str) -> None:
    folder = reported / "planted"
    before = {name: (folder / name).read_bytes() for name in ("report.html", "README.md", "verdict.svg")}
    for name in before:
        (folder / name).unlink()
    done = lorelab("study", "report", "planted", "--results", str(reported))
    assert done.stdout.strip().endswith("report.html")
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert not Path(store_uri.removeprefix("sqlite:///")).exists()


def test_the_list_shows_claims_with_their_verdicts(lorelab, reported: Path) -> None:
    done = lorelab("study", "list", "--results", str(reported))
    assert re.search(r"planted +good: superiority to crippled\. +✓ supported", done.stdout)
    assert "demo" in done.stdout.splitlines()[-1]


def test_seeds_are_added_until_all_is_decided_or_none_is_left(place: Place) -> None:
    looks = {"min": 2, "max": 4, "block": 2}
    arms = {"good": GOOD, "twin": GOOD}
    sure, never = claim("equivalence", "good", "twin"), claim("superiority", "good", "twin", margins={"digits": 1e-5})
    done = place.run(declare(place.work, "sure", arms, looks, sure))
    assert place.verdict("sure")["seeds"] == 2
    assert "going on" not in done.stdout
    done = place.run(declare(place.work, "never", arms, looks, sure, never))
    assert re.findall(r"not all is decided at (\d) seeds per arm; going on to (\d)", done.stdout) == [("2", "4")]
    assert place.verdict("never")["seeds"] == 4
    assert len(place.table("never")) == 8
    assert len(place.trained()) == 4, "a study goes on with what another one trained"
    for name in ("sure", "never"):
        assert place.verdict(name)["facts"]["commits"] != [""], "also of runs that another study shares"
        place.lorelab("study", "check", name, "--results", "results")

    again = place.lorelab("study", "reproduce", "sure", *place.options)
    assert "identical" in again.stdout
    assert again.stdout.rstrip().endswith("sure: reproduced")
    assert len(place.trained()) == 4 + 4, "everything is trained anew"
    assert place.store.runs(filters={"kind": "study", "study": "sure-again-1"})
    assert place.verdict("sure")["facts"]["runs_sha256"], "and what was reported stays as it is"


def test_diverged_runs_are_kept_and_counted_and_a_changed_arm_is_trained_alone(place: Place) -> None:
    better = claim("superiority", "good", "other")
    place.run(declare(place.work, "edge", {"good": GOOD, "other": HOT}, 2, better))
    lost = [row for row in place.table("edge") if row["status"] == "diverged"]
    assert [(row["arm"], row["seed"], row["score"]) for row in lost] == [("other", "0", "nan"), ("other", "1", "nan")]
    verdict = place.verdict("edge")
    assert verdict["facts"]["cost"]["diverged"] == 2
    decision = verdict["claims"]["superiority-of-good"]["overall"]
    assert decision["diverged"] == [0, 2]
    finals = [float(row["test/accuracy"]) for row in place.table("edge") if row["arm"] == "good"]
    assert decision["estimate"] == pytest.approx(sum(finals) / 2 / 0.05), "they count as accuracy 0"
    assert "diverged, of A and of B" in (place.work / "results/edge/report.html").read_text(encoding="utf-8")

    before = {run.run_id for run in place.trained()}
    place.run(declare(place.work, "edge", {"good": GOOD, "other": CRIPPLED}, 2, better))
    assert {run.params["optimizer.lr"] for run in place.trained() if run.run_id not in before} == {"1e-06"}
    assert len(place.trained()) == len(before) + 2
    assert place.verdict("edge")["facts"]["cost"]["diverged"] == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arms": {"good": {"overrides": GOOD}}}, "a baseline"),
        ({"seeds": 1}, "one run says nothing of the next"),
        ({"tasks": {"digits": TASK | {"overrides": ["data=table", "data.path=no.csv", "data.target=y"]}}}, "no.csv"),
        ({"tasks": {"digits": TASK | {"metric": "test/acuracy"}}}, "did you mean 'test/accuracy'"),
        ({"tasks": {"digits": TASK | {"mode": "min"}}}, "max: that way test/accuracy is better"),
        ({"arms": {"good": {}, "other": {"overrides": ["optimizer.lrr=1"]}}}, "arm other on digits"),
        ({"arms": {"good": {}, "other": {"search": {"space": {"model.width": "choice(8,-1)"}, "trials": 2}}}}, "-1"),
    ],
)
def test_a_study_that_cannot_work_is_refused_before_anything_is_trained(
    place: Place, store_uri: str, change: dict[str, Any], says: str
) -> None:
    path = place.work / declare(
        place.work, "wrong", {"good": GOOD, "other": CRIPPLED}, 2, claim("superiority", "good", "other")
    )
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change), encoding="utf-8")
    for command in ("plan", "run"):
        done = place.lorelab("study", command, "wrong.yaml", *place.options, check=False)
        assert done.returncode == 2
        assert says in done.stderr
    assert not Path(store_uri.removeprefix("sqlite:///")).exists()


@pytest.mark.slow
def test_an_interrupted_study_goes_on_and_trains_no_run_twice(place: Place, store_uri: str) -> None:
    path = declare(place.work, "long", {"good": GOOD, "other": CRIPPLED}, 3, claim("superiority", "good", "other"))
    process = subprocess.Popen(
        [sys.executable, "-m", "lorelab", "study", "run", path, *place.options],
        cwd=place.work, env=os.environ | {"MLFLOW_TRACKING_URI": store_uri}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while sum(run.status == "finished" for run in place.trained()) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    (study,) = place.store.runs(filters={"kind": "study"})
    assert study.status == "killed"
    finished = {run.run_id for run in place.trained() if run.status == "finished"}
    assert len(finished) < 6

    place.run(path)
    (study,) = place.store.runs(filters={"kind": "study"})
    assert study.status == "finished"
    done = [run for run in place.trained() if run.status == "finished"]
    assert finished <= {run.run_id for run in done}
    assert len(done) == 6
    assert len({(run.params["optimizer.lr"], run.params["seed"]) for run in done}) == 6


@pytest.mark.slow
def test_a_failed_run_is_trained_again_by_the_next_start_and_it_alone(place: Place) -> None:
    path = declare(place.work, "torn", {"good": GOOD, "other": CRIPPLED}, 2, claim("superiority", "good", "other"))
    plain = yaml.safe_load((place.work / path).read_text())
    plain["arms"]["other"]["overrides"] = ["+callbacks.torn._target_=torn.Torn"]
    (place.work / path).write_text(yaml.safe_dump(plain), encoding="utf-8")
    head = "from pytorch_lightning import Callback\n\n\nclass Torn(Callback):\n"
    source = f"{head}    def on_fit_start(self, trainer, module):\n"
    data = place.work / "torn.py"
    data.write_text(source + "        raise OSError('no space left on device')\n", encoding="utf-8")
    done = place.run(path, check=False, LORELAB_TRUST="torn")
    assert done.returncode == 2
    assert "2 of 4 runs have no result: digits/other/final/0" in done.stderr
    assert [run.status for run in place.store.runs(filters={"kind": "study"})] == ["failed"]
    finished = {run.run_id for run in place.trained() if run.status == "finished"}
    data.write_text(source + "        pass\n", encoding="utf-8")
    place.run(path, LORELAB_TRUST="torn")
    assert finished <= {row["run_id"] for row in place.table("torn")}
    assert {row["status"] for row in place.table("torn")} == {"finished"}


def test_a_study_of_the_users_own_on_their_own_table(place: Place) -> None:
    place.lorelab("data", "example", "table", "--to", "mine")
    done = place.lorelab("study", "new", "my_claim", "--from", "two-arms")
    assert "lorelab study plan my_claim.yaml" in done.stdout
    path = place.work / "my_claim.yaml"
    header = (place.work / "mine" / "table.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    text = path.read_text(encoding="utf-8").replace("houses.csv", "mine/table.csv").replace("price", header[-1])
    text = text.replace("seeds: {smoke: 3,", "seeds: {smoke: 2,")
    path.write_text(text, encoding="utf-8")
    place.run("my_claim.yaml", "trainer.max_epochs=1")
    table = place.table("my_claim")
    assert len(table) == 2 * 2 + 2 * 2
    assert {row["steps"] for row in table} == {"5"}, "what the user overrides wins over the study"
    assert place.verdict("my_claim")["facts"]["overrides"] == ["trainer.max_epochs=1"]
    assert "scale=smoke trainer.max_epochs=1\n" in (place.work / "results/my_claim/README.md").read_text(
        encoding="utf-8"
    )
    assert {row["role"] for row in table if not row["test/rmse"]} == {"tune"}, "trials never read the test split"
    chosen = place.verdict("my_claim")["chosen"]
    for arm in ("wide", "narrow"):
        trials = [row for row in table if (row["arm"], row["role"]) == (arm, "tune")]
        best = min(trials, key=lambda row: float(row["score"]))
        assert json.loads(best["params"]) == chosen[f"my_table/{arm}"]
        finals = [row for row in table if (row["arm"], row["role"]) == (arm, "final")]
        assert {json.dumps(json.loads(row["params"])) for row in finals} == {json.dumps(chosen[f"my_table/{arm}"])}
    place.lorelab("study", "check", "my_claim", "--results", "results")

    done = place.lorelab("study", "new", "my_claim", check=False)
    assert done.returncode == 2
    assert "is there already" in done.stderr


@pytest.mark.slow
def test_a_study_of_the_users_own_on_their_own_images(place: Place) -> None:
    place.lorelab("data", "example", "image_folder", "--to", "photos")
    path = place.work / declare(
        place.work, "images", {"wide": ["model.width=64"], "narrow": ["model.width=4"]}, 2,
        claim("superiority", "wide", "narrow"),
    )  # fmt: skip
    plain = yaml.safe_load(path.read_text())
    own = ["data=image_folder", "data.root=photos", "data.size=8", "task=classification", "model=mlp"]
    plain["tasks"]["digits"]["overrides"] = [*own, "trainer.threads=1", "trainer.max_epochs=1"]
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    place.run("images.yaml")
    assert len(place.table("images")) == 4
    assert len({row["fingerprint"] for row in place.table("images")}) == 1


@pytest.mark.slow
def test_the_demo_is_decided_and_its_result_comes_out_again_with_two_workers(
    lorelab, tmp_path: Path, work: Path
) -> None:
    options = ["progress=quiet", f"paths.outputs={tmp_path / 'outputs'}", "--results", "results"]
    done = lorelab("study", "run", "demo", "scale=smoke", *options)
    assert "SUPPORTED: With their default learning rates, Adam learns digits better than plain SGD." in done.stdout
    again = lorelab("study", "reproduce", "demo", "sweep.workers=2", *options)
    assert "OUTSIDE" not in again.stdout
    assert again.stdout.rstrip().endswith("demo: reproduced")
