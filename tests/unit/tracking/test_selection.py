"""What a name means, and when two values are the same."""

import pytest

from lorelab.errors import StoreError
from lorelab.tracking.protocol import StoredRun
from lorelab.tracking.selection import known_names, lookup, matches, require_names, tag_name

RUN = StoredRun(
    "0123",
    "digits",
    "finished",
    0.0,
    1.0,
    params={"optimizer.lr": "0.01", "task": "classification", "bias": "True", "clip": "None", "seed": "0"},
    tags={"lorelab.sweep": "s1", "lorelab.task": "tag", "note": "mine", "lorelab.owner": "me"},
)


def test_our_own_tags_need_no_prefix_and_parameters_go_first() -> None:
    assert tag_name("sweep") == tag_name("lorelab.sweep") == tag_name("tags.lorelab.sweep") == "lorelab.sweep"
    assert tag_name("optimizer.lr") is None
    found = {key: lookup(RUN, key) for key in ("status", "sweep", "task", "note", "owner", "lorelab.task", "nothing")}
    assert found == {
        "status": "finished",
        "sweep": "s1",
        "task": "classification",
        "note": "mine",
        "owner": "me",
        "lorelab.task": "tag",
        "nothing": None,
    }


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("optimizer.lr", "1e-2", True),
        ("optimizer.lr", "0.010", True),
        ("optimizer.lr", "0.1", False),
        ("bias", "true", True),
        ("bias", "false", False),
        ("clip", "null", True),
        ("seed", "0", True),
        ("seed", "False", False),
        ("task", "Classification", False),
        ("nothing", "None", False),
    ],
)
def test_values_are_equal_as_the_config_means_them(key: str, value: str, same: bool) -> None:
    assert matches(RUN, key, value) is same


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    require_names(["optimizer.lr", "sweep", "lorelab.sweep", "owner", "status"], [RUN], "--by")
    assert {"optimizer.lr", "owner", "name"} <= set(known_names([RUN]))
    with pytest.raises(
        StoreError, match=r"--by 'optimiser.lr': no parameter or tag .* in 1 runs; did you mean 'optimizer.lr'"
    ):
        require_names(["optimiser.lr"], [RUN], "--by")


@pytest.mark.parametrize("name", ["lorelab.stacked", "share_seconds"])
def test_a_tag_that_only_some_runs_have_is_known_where_none_has_it(name) -> None:
    run = StoredRun("1", "alone", "finished", started=0.0, seconds=1.0)
    require_names([name], [run], "--columns")
    assert lookup(run, name) is None
    with pytest.raises(StoreError, match="no parameter or tag of this name in 1 runs"):
        require_names([f"{name}x"], [run], "--columns")
