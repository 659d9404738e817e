"""Which keys and values a ``_target_`` takes."""

from collections.abc import Sequence
from typing import Literal

import pytest

from lorelab.config.origin import Origin
from lorelab.config.signatures import check_signature, fits, type_name


def target(width: int, rate: float = 0.1, names: Sequence[str] = (), mode: Literal["a", "b"] = "a", flag: bool = False):
    """Stands for any factory."""


def problems(**values):
    return list(check_signature("part", {"_target_": "t"} | values, target, Origin()))


def test_a_call_that_fits_has_no_problem() -> None:
    assert not problems(width=1, rate=1, names=["x"], mode="b", flag=True)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"width": 1, "widht": 2}, "part.widht"),
        ({}, "no 'part.width'"),
        ({"width": 1.5}, "1.5 (float)"),
        ({"width": True}, "True (bool)"),
        ({"width": 1, "rate": "fast"}, "'fast' (str)"),
        ({"width": 1, "mode": "c"}, "'c' (str)"),
        ({"width": 1, "names": [1]}, "[1] (list)"),
        ({"width": None}, "None (NoneType)"),
    ],
)
def test_what_does_not_fit_is_named_as_it_was_found(values, found) -> None:
    (problem,) = problems(**values)
    assert problem.found == found


def test_a_partial_may_leave_arguments_for_later_but_not_invent_any() -> None:
    assert not problems(_partial_=True)
    assert len(problems(_partial_=True, depth=1)) == 1


def test_yaml_lists_pass_for_tuples_and_nodes_with_a_target_for_anything() -> None:
    assert fits([0.9, 0.99], tuple[float, float])
    assert not fits([0.9], tuple[float, float])
    assert fits({"_target_": "x"}, int)


def test_types_are_named_as_a_reader_writes_them() -> None:
    assert type_name(int) == "int"
    assert type_name(int | None) == "int | None"
    assert "Literal" in type_name(Literal["a"])
    assert "typing" not in type_name(Literal["a"])
