import copy
from typing import Any

import pytest
import yaml
from worked_study import plain, study

from lorelab.errors import ConfigError, Problem
from lorelab.paths import CONF
from lorelab.studies.reading import AUTO, parse
from lorelab.studies.rules import Kind
from lorelab.studies.spec import SCALES, Arm, Search, StudyTask


def problems(given: Any, scale: str = "smoke", name: str = "worked") -> dict[str, Problem]:
    with pytest.raises(ConfigError) as refused:
        parse(name, given, scale, "worked.yaml")
    return {problem.where.removeprefix("worked.yaml: "): problem for problem in refused.value.problems}


def changed(path: str, value: object) -> dict[str, Any]:
    """The worked study with another value at ``tasks.digits.margin``, or without one (...)."""
    given = plain()
    *way, last = path.split(".")
    node: Any = given
    for key in way:
        node = node[int(key) if isinstance(node, list) else key]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return given


def test_every_field_is_read() -> None:
    known = study()
    assert (known.name, known.question, known.title) == ("worked", "Q0", "Is a better than b?")
    assert (known.scale, known.change) == ("smoke", "Another outcome.")
    assert known.tasks["digits"] == StudyTask(
        "digits", ("experiment=digits_mlp", "trainer.max_epochs=1"), "test/accuracy", "max", 0.02, 0.0
    )
    assert known.tasks["houses"] == StudyTask("houses", ("data=diabetes",), "test/rmse", "min", 2.0, None)
    space = {"optimizer.lr": "tag(log, interval(1e-4, 1e-1))"}
    assert known.arms == {
        "a": Arm("a", ("optimizer=adam",), Search(space, 2), "Adam"),
        "b": Arm("b", ("optimizer=sgd",), None, "b"),
    }
    better, same = known.claims
    assert (better.kind, better.a, better.b, better.says) == (Kind.SUPERIORITY, "a", "b", "A beats <b> & all.")
    assert (better.tasks, better.margins) == (("digits", "houses"), {"digits": 0.02, "houses": 2.0})
    assert (same.tasks, same.margins, same.rule("digits").margin) == (("digits",), {"digits": 0.05}, 0.05)


def test_a_scale_changes_budgets_and_seeds_and_nothing_else() -> None:
    smoke, laptop = study("smoke"), study("laptop")
    assert laptop.tasks["digits"].overrides == ("experiment=digits_mlp",)
    assert [known.arms["a"].search.trials for known in (smoke, laptop)] == [2, 8]  # type: ignore[union-attr]
    assert (smoke.looks, laptop.looks) == ((3,), (5, 10, 15, 20))
    assert smoke.claims == laptop.claims


@pytest.mark.parametrize(
    ("seeds", "looks"),
    [
        (2, (2,)),
        ({"min": 5, "max": 12, "block": 5}, (5, 10, 12)),
        ("auto", (5, 10, 15, 20)),
        ({"smoke": "auto"}, (5, 10, 15, 20)),
        ({"smoke": 4, "full": 9}, (4,)),
    ],
)
def test_seeds_are_a_number_or_looks_at_growing_numbers(seeds: object, looks: tuple[int, ...]) -> None:
    known = study(seeds=seeds)
    assert known.looks == looks
    assert list(known.seeds) == list(range(looks[-1]))


def test_what_auto_stands_for_is_a_design_that_can_be_looked_at() -> None:
    assert study(seeds=AUTO).looks == study(seeds="auto").looks


@pytest.mark.parametrize(
    ("path", "value", "where", "says"),
    [
        ("tasks.digits.metric", "val/accuracy", "tasks.digits.metric", "a metric of the test split"),
        ("tasks.digits.mode", "higher", "tasks.digits.mode", "max or min"),
        ("tasks.digits.margin", 0, "tasks.digits.margin", "above 0"),
        ("tasks.digits.margin", True, "tasks.digits.margin", "above 0"),
        ("tasks.digits.margin", float("inf"), "tasks.digits.margin", "above 0"),
        ("tasks.digits.margin", ..., "tasks.digits.margin", "smallest difference"),
        ("tasks.digits.worst", "none", "tasks.digits.worst", "or null"),
        ("tasks.digits.overrides", "experiment=digits_mlp", "tasks.digits.overrides", "a list of overrides"),
        ("tasks.digits.scale", {"smok": []}, "tasks.digits.scale.smok", "smoke, laptop, full"),
        ("tasks.digits.scale", {"laptop": []}, "tasks.digits.scale", "a value for scale=smoke"),
        ("tasks.digits", None, "tasks.digits", "a mapping with overrides"),
        ("tasks.digits.marjin", 3, "tasks.digits.marjin", "margin"),
        ("tasks.two words", {}, "tasks.two words", "letters, digits"),
        ("tasks", [], "tasks", "some tasks, by name"),
        ("tasks", ["digits"], "tasks", "a mapping"),
        ("arms.b", "optimizer=sgd", "arms.b", "a mapping with overrides"),
        ("arms.b", ..., "arms", "a baseline"),
        ("arms.a/b", {}, "arms.a/b", "letters, digits"),
        ("arms.a.search", {"trials": 3}, "arms.a.search.space", "Hydra's grammar"),
        ("arms.a.search.trials", 0, "arms.a.search.trials", "at least 1"),
        ("arms.a.search.trials", True, "arms.a.search.trials", "at least 1"),
        ("arms.a.search.trials", {"laptop": 3}, "arms.a.search.trials", "a value for scale=smoke"),
        ("seeds", 1, "seeds", "two or more"),
        ("seeds", None, "seeds", "two or more"),
        ("seeds", {"min": 5, "max": 4, "block": 1}, "seeds", "auto"),
        ("seeds", {"min": 5, "max": 10}, "seeds", "auto"),
        ("seeds", {"min": 5, "max": 10, "block": [2]}, "seeds", "auto"),
        ("seeds", {"min": 5, "max": 10, "block": 5, "step": 1}, "seeds.step", "min, max, block"),
        ("claims", {"better": {}}, "claims", "a list of claims"),
        ("claims", [], "claims", "a list of claims"),
        ("claims.0.name", "same", "claims.same", "a name of its own"),
        ("claims.0.kind", "better", "claims.better.kind", "superiority"),
        ("claims.0.a", "adam", "claims.better.a", "one of a, b"),
        ("claims.0.b", "a", "claims.better.b", "another arm"),
        ("claims.0.says", "  ", "claims.better.says", "put to the test"),
        ("claims.0.tasks", ["digit"], "claims.better.tasks", "one of digits, houses"),
        ("claims.1.margins", {"houses": 1}, "claims.same.margins", "one of digits"),
        ("claims.1.margins", {"digits": "much"}, "claims.same.margins.digits", "above 0"),
        ("claims.1.margins", [0.1], "claims.same.margins", "a mapping"),
        ("claims.0.against", "test/ridge_rmse", "claims.better.against", "with no b"),
        ("suggestions", {"arm": "b", "optimum": "c"}, "suggestions.optimum", "an arm with a search"),
        ("suggestions", {"arm": "b", "optimum": "b"}, "suggestions.optimum", "an arm with a search over optimizer.lr"),
        ("suggestions", {"arm": "c", "optimum": "a"}, "suggestions.arm", "one of a, b"),
        ("claim", [], "claim", "question, title"),
    ],
)
def test_each_mistake_is_named_with_its_place_and_what_was_expected(
    path: str, value: object, where: str, says: str
) -> None:
    found = problems(changed(path, value))
    assert says in found[where].expected
    follows = ("." not in where and where in ("tasks", "arms")) or value is None or value == {}
    assert set(found) == {where} or follows, "nothing else is wrong, unless with a part all that needs it is gone"


def test_one_arm_is_enough_where_a_claim_is_against_a_baseline_of_its_own_runs() -> None:
    claim = {"name": "beats", "kind": "superiority", "a": "a", "against": "test/mean", "tasks": ["digits"], "says": "s"}
    known = study(arms={"a": {"label": "Adam"}}, claims=[claim])
    assert (known.claims[0].b, known.claims[0].against) == ("", "test/mean")
    assert known.labels(known.claims[0]) == ("Adam", "mean")
    assert "a baseline" in problems(plain(arms={"a": {}}, claims=[]))["arms"].expected
    assert "test split" in problems(plain(claims=[claim | {"against": "val/mean"}]))["claims.beats.against"].expected


def test_a_slip_of_the_pen_gets_the_nearest_name() -> None:
    assert "did you mean 'equivalence'?" in problems(changed("claims.1.kind", "equivalent"))["claims.same.kind"].advice
    assert "did you mean 'claims'?" in problems(changed("claim", []))["claim"].advice
    assert "did you mean 'laptop'?" in problems(plain(), scale="labtop")["scale"].advice
    assert "did you mean 'digits'?" in problems(changed("claims.0.tasks", ["digit"]))["claims.better.tasks"].advice


def test_everything_that_is_wrong_is_said_at_once() -> None:
    given = plain(seeds=1, claim=[], arms={"a": {"overrides": "x=1"}})
    given["tasks"]["digits"] |= {"mode": "up", "margin": None, "metrics": "test/accuracy"}
    given["claims"][0] |= {"kind": "better", "says": ""}
    assert set(problems(given, scale="phone", name="a study")) == {
        *("scale", "the file's name", "claim", "seeds", "arms", "arms.a.overrides"),
        *("tasks.digits.mode", "tasks.digits.margin", "tasks.digits.metrics"),
        *("claims.better.kind", "claims.better.says", "claims.better.b", "claims.same.a"),
    }  # fmt: skip


def test_nothing_at_all_is_refused_part_by_part() -> None:
    assert set(problems({})) == {"tasks", "arms", "seeds", "claims"}


def test_numbers_that_yaml_takes_for_words_are_numbers() -> None:
    given = yaml.safe_load("margin: 1e-3")
    assert given == {"margin": "1e-3"}
    tasks = copy.deepcopy(plain()["tasks"])
    tasks["digits"] |= given
    assert study(tasks=tasks).tasks["digits"].margin == 0.001


@pytest.mark.parametrize("path", sorted((CONF / "study").rglob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("scale", SCALES)
def test_every_study_of_the_repository_can_be_read_at_every_scale(path, scale: str) -> None:
    known = parse(path.stem, yaml.safe_load(path.read_text(encoding="utf-8")), scale, str(path))
    assert known.claims
    assert known.change, "what would change our mind"
