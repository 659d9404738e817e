"""The search space that Hydra's own override grammar describes."""

import json

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from lorelab.errors import ConfigError
from lorelab.sweeps.space import Dimension, dimension, draw, grid


def parsed(*lines: str):
    return OverridesParser.create().parse_overrides(list(lines))


def of(line: str, condition: str | None = None) -> Dimension:
    (override,) = parsed(line)
    return dimension(override, condition)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.b=choice(x,y)", Dimension("a.b", "choice", ("x", "y"))),
        ("a.b=x,y", Dimension("a.b", "choice", ("x", "y"))),
        ("+new=1,2", Dimension("+new", "choice", ("1", "2"))),
        ("a=[1,2],[3]", Dimension("a", "choice", ("[1,2]", "[3]"))),
        ("a='x,y',z", Dimension("a", "choice", ("'x,y'", "z"))),
        ("a=sort(3,1,2)", Dimension("a", "choice", ("1", "2", "3"))),
        ("a=range(1,4)", Dimension("a", "int", low=1, high=3, step=1)),
        ("a=range(0,10,3)", Dimension("a", "int", low=0, high=9, step=3)),
        ("a=range(5,1,-2)", Dimension("a", "int", low=3, high=5, step=2)),
        ("a=range(0.0,1.0,0.25)", Dimension("a", "float", low=0.0, high=0.75, step=0.25)),
        ("a=range(0.1,0.5,0.1)", Dimension("a", "float", low=0.1, high=0.4, step=0.1)),
        ("a=range(3,4)", Dimension("a", "choice", ("3",))),
        ("a=interval(0,1)", Dimension("a", "float", low=0.0, high=1.0)),
        ("a=interval(1e-5,1)", Dimension("a", "float", low=1e-5, high=1.0)),
        ("a=tag(log,interval(1e-5,1))", Dimension("a", "float", low=1e-5, high=1.0, log=True)),
        ("a=int(interval(16,256))", Dimension("a", "int", low=16, high=256, step=1)),
        ("a=tag(log,int(interval(16,256)))", Dimension("a", "int", low=16, high=256, log=True)),
        ("a=int(tag(log,interval(16,256)))", Dimension("a", "int", low=16, high=256, log=True)),
    ],
)
def test_a_sweep_of_hydras_grammar_is_a_dimension(line: str, expected: Dimension) -> None:
    found = of(line)
    assert found == expected
    assert all(type(end) is (int if found.kind == "int" else float) for end in (found.low, found.high)) or (
        found.kind == "choice"
    )
    assert Dimension.from_dict(json.loads(json.dumps(found.to_dict()))) == expected


@pytest.mark.parametrize(
    "line", ["a=range(1,4)", "a=range(0,10,3)", "a=range(0.1,0.5,0.1)", "a=range(0.7,1.3,0.1)", "a=range(1,2.2,0.3)"]
)
def test_a_range_has_the_values_that_hydra_gives_it(line: str) -> None:
    (override,) = parsed(line)
    assert of(line).values() == pytest.approx([float(text) for text in override.sweep_string_iterator()], abs=1e-12)


def test_a_shuffled_sweep_is_refused_because_a_restart_would_find_another_order() -> None:
    for line in ("a=shuffle(1,2,3)", "a=shuffle(range(1,4))"):
        with pytest.raises(ConfigError, match=r"(?s)override a=shuffle.*same after a restart.*leave out shuffle"):
            of(line)


@pytest.mark.parametrize("line", ["a=tag(log,interval(0,1))", "a=interval(1,1)", "a=interval(2,1)"])
def test_an_interval_must_be_one_and_above_zero_on_a_logarithmic_scale(line: str) -> None:
    with pytest.raises(ConfigError, match="expected: a start below the end"):
        of(line)


@pytest.mark.parametrize("line", ["a=tag(log,range(1,100))", "a=tag(log,choice(1,10))"])
def test_a_logarithmic_scale_is_for_intervals(line: str) -> None:
    with pytest.raises(ConfigError, match=r"tag\(log, interval\(low, high\)\)"):
        of(line)


def test_a_condition_names_another_key_and_its_values() -> None:
    assert of("m=interval(0,1)", "optimizer=sgd, rmsprop").condition == ("optimizer", ("sgd", "rmsprop"))


def test_what_others_wait_for_is_drawn_first_and_what_does_not_apply_is_left_out() -> None:
    dims = [
        of("m=interval(0,1)", "opt=sgd"),
        of("opt=adam,sgd"),
        of("n=true,false", "m=2.0"),
        of("q=1,2", "data=cifar"),
    ]
    first = {"opt": "sgd", "m": 2.0, "n": "true", "q": "1"}
    assert draw(dims, {"data": "mnist"}, lambda each: first[each.key]) == {"opt": "sgd", "m": 2.0, "n": "true"}
    assert draw(dims, {"data": "cifar"}, lambda each: (first | {"opt": "adam"})[each.key]) == {"opt": "adam", "q": "1"}


def test_a_chain_of_conditions_holds_in_whichever_order_it_is_written() -> None:
    chain = [of("c=1,2", "b=1"), of("b=1,2", "a=1"), of("a=1,2")]
    assert draw(chain, {}, lambda each: "1") == {"a": "1", "b": "1", "c": "1"}
    assert draw(chain, {}, lambda each: "2" if each.key == "a" else "1") == {"a": "2"}
    circle = [of("a=1,2", "b=1"), of("b=1,2", "a=1")]
    assert draw(circle, {}, lambda each: "1") == {}


@pytest.mark.parametrize(
    "lines",
    [
        ["seed=0,1,2"],
        ["optimizer=adam,sgd", "seed=range(0,3)"],
        ["optimizer.lr=0.1,0.01", "model=mlp", "seed=5,6", "+x=[1,2],[3,4]"],
        ["a=range(0,1,0.3)", "b=null,x", "c='p,q',r"],
        ["a=sort(3,1,2,reverse=true)", "b=choice(1,2)"],
    ],
)
def test_a_grid_is_numbered_as_by_hydras_own_sweeper(lines: list[str]) -> None:
    overrides = parsed(*lines)
    (theirs,) = BasicSweeper.split_arguments(overrides, None)
    swept = [each for each in overrides if each.is_sweep_override()]
    keys = {each.get_key_element() for each in swept}
    dims = [Dimension(each.get_key_element(), "choice", tuple(each.sweep_string_iterator())) for each in swept]
    ours = [[f"{key}={value}" for key, value in job.items()] for job in grid(dims, {})]
    assert ours == [[word for word in job if word.partition("=")[0] in keys] for job in theirs]


def test_a_grid_goes_through_a_conditional_key_only_where_it_applies() -> None:
    dims = [of("optimizer=adam,sgd"), of("momentum=0.0,0.9", "optimizer=sgd"), of("seed=0,1")]
    assert grid(dims, {}) == [
        {"optimizer": "adam", "seed": "0"},
        {"optimizer": "adam", "seed": "1"},
        {"optimizer": "sgd", "momentum": "0.0", "seed": "0"},
        {"optimizer": "sgd", "momentum": "0.0", "seed": "1"},
        {"optimizer": "sgd", "momentum": "0.9", "seed": "0"},
        {"optimizer": "sgd", "momentum": "0.9", "seed": "1"},
    ]


def test_a_grid_needs_an_end() -> None:
    with pytest.raises(ConfigError, match=r"(?s)lr: an interval.*values that a grid.*search=default"):
        grid([of("lr=interval(0,1)"), of("seed=1,2")], {})
    assert grid([], {}) == [{}]
