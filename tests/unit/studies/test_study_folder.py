import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from worked_study import lost, result, row, rows, study

from lorelab.errors import LorelabError
from lorelab.studies.folder import VERDICT, freeze, read_verdict, write_verdict
from lorelab.studies.judge import judge
from lorelab.studies.table import as_csv


def strict(text: str):
    def refuse(word: str):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_verdict_comes_back_as_it_was_frozen(tmp_path: Path) -> None:
    frozen = result()[3]
    write_verdict(tmp_path, frozen)
    assert read_verdict(tmp_path) == frozen


def test_a_verdict_of_diverged_runs_is_strict_json_all_the_same(tmp_path: Path) -> None:
    table = [each for each in rows() if (each.task, each.arm) != ("houses", "a") or each.role == "tune"]
    table += [lost(task="houses", arm="a", seed=seed) for seed in range(3)]
    known = study()
    frozen = freeze(known, judge(known, table, 3), table, 3, {}, {})
    write_verdict(tmp_path, frozen)
    plain = strict((tmp_path / VERDICT).read_text(encoding="utf-8"))
    assert plain["claims"]["better"]["tasks"]["houses"]["estimate"] == "-inf"
    assert plain["facts"]["cost"]["diverged"] == 3
    assert read_verdict(tmp_path) == frozen


def test_a_number_that_is_none_is_not_written(tmp_path: Path) -> None:
    frozen = result()[3]
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_verdict(tmp_path, dataclasses.replace(frozen, facts={"seconds": float("nan")}))


def test_it_holds_what_decided_and_what_that_stands_on() -> None:
    _, table, judged, frozen = result()
    assert (frozen.study, frozen.scale, frozen.seeds) == ("worked", "smoke", 3)
    assert frozen.claims["better"]["verdict"] == str(judged[0].overall.verdict)
    assert frozen.chosen == {"digits/a": {"optimizer.lr": 0.01}, "houses/a": {"optimizer.lr": 0.001}}
    assert frozen.facts["cost"] == {"runs": 16, "seconds": 24.0, "steps": 160, "diverged": 0}
    assert frozen.facts["commits"] == ["abc"]
    assert frozen.facts["data"] == {"digits": ["data of digits"], "houses": ["data of houses"]}
    assert frozen.facts["runs_sha256"] == hashlib.sha256(as_csv(table).encode()).hexdigest()


def test_what_can_be_recomputed_is_never_taken_from_the_facts_that_are_handed_on() -> None:
    known, table, judged, frozen = result()
    more = [*table, row(seed=9)]
    again = freeze(known, judged, more, 3, {}, frozen.facts)
    assert again.facts["cost"]["runs"] == 17
    assert again.facts["runs_sha256"] != frozen.facts["runs_sha256"]
    assert again.facts["machine"] == frozen.facts["machine"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"study": "x"}', '{"study": 1, "more": 2}'])
def test_a_damaged_verdict_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / VERDICT).write_text(text, encoding="utf-8")
    with pytest.raises(LorelabError, match=r"verdict\.json: cannot be read .*lorelab study run writes it"):
        read_verdict(tmp_path)
