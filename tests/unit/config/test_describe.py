from hypothesis import given
from hypothesis import strategies as st

from lorelab.config.describe import flatten, signature

CONFIG = {"seed": 0, "optimizer": {"lr": 0.1, "betas": [0.9, 0.999]}, "paths": {"root": "/a"}, "loader": {"workers": 0}}


def test_nested_keys_are_joined_by_dots_and_lists_stay_values() -> None:
    assert flatten({"a": {"b": {"c": 1}}, "d": [1, 2], "e": {}}) == {"a.b.c": 1, "d": [1, 2], "e": {}}


def test_the_signature_ignores_where_and_with_how_many_workers_a_run_happens() -> None:
    moved = CONFIG | {"paths": {"root": "/b"}, "loader": {"workers": 8}}
    assert signature(moved) == signature(CONFIG)


def test_the_signature_does_not_depend_on_the_order_of_keys() -> None:
    assert signature(dict(reversed(CONFIG.items()))) == signature(CONFIG)


@given(st.floats(1e-6, 10), st.integers(0, 1000))
def test_the_signature_changes_with_every_value_that_matters(lr: float, seed: int) -> None:
    other = CONFIG | {"optimizer": {"lr": lr, "betas": [0.9, 0.999]}, "seed": seed}
    assert (signature(other) == signature(CONFIG)) == (lr == 0.1 and seed == 0)
