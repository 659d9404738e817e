from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from lorelab.config.describe import as_yaml, flatten
from lorelab.config.describe import signature as signature_of
from lorelab.config.trust import targets_of

CONFIG = {"seed": 0, "optimizer": {"lr": 0.1, "betas": [0.9, 0.999]}, "paths": {"root": "/a"}, "loader": {"workers": 0}}


def signature(config, data="data", code="code") -> str:
    return signature_of(config, data, code)


def test_nested_keys_are_joined_by_dots_and_lists_stay_values() -> None:
    assert flatten({"a": {"b": {"c": 1}}, "d": [1, 2], "e": {}}) == {"a.b.c": 1, "d": [1, 2], "e": {}}


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False),
    st.text("abe1.+-_:#'\" {}[]é\n", max_size=8),
    st.sampled_from(["1e-3", "1_000", "on", "null", "~", ".inf", "nan", "0x1f", "1:30", "2026-11-27", "", "- a"]),
)


@given(st.dictionaries(st.text("abc_", min_size=1), st.one_of(LEAVES, st.lists(LEAVES, max_size=3)), max_size=6))
def test_a_config_is_read_back_as_it_was_written(content) -> None:
    assert OmegaConf.to_container(OmegaConf.create(as_yaml(content))) == content


def test_the_signature_ignores_where_and_with_how_many_workers_a_run_happens() -> None:
    moved = CONFIG | {"paths": {"root": "/b"}, "loader": {"workers": 8}}
    assert signature(moved) == signature(CONFIG)


def test_the_signature_does_not_depend_on_the_order_of_keys() -> None:
    assert signature(dict(reversed(CONFIG.items()))) == signature(CONFIG)


@given(st.floats(1e-6, 10), st.integers(0, 1000))
def test_the_signature_changes_with_every_value_that_matters(lr: float, seed: int) -> None:
    other = CONFIG | {"optimizer": {"lr": lr, "betas": [0.9, 0.999]}, "seed": seed}
    assert (signature(other) == signature(CONFIG)) == (lr == 0.1 and seed == 0)


def test_the_signature_changes_with_the_data_and_with_the_code() -> None:
    assert len({signature(CONFIG), signature(CONFIG, data="other"), signature(CONFIG, code="other")}) == 3


def test_targets_are_found_at_any_depth() -> None:
    config = {"a": {"_target_": "x.Y", "b": [{"_target_": "z.W"}, 1]}, "c": None}
    assert targets_of(config) == {"x.Y", "z.W"}
