"""What the configs of a sweep and of a search may say."""

import pytest

from lorelab.sweeps.settings import GridSampler, SearchSettings, SweepSettings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"max_failures": 0}, "max_failures must be at least 1"),
        ({"attempts": 0}, "attempts must be at least 1"),
        ({"gpu_share": 0.0}, "gpu_share must be above 0 and at most 1"),
        ({"gpu_share": 1.5}, "gpu_share must be above 0 and at most 1"),
        *(({"name": name}, "usable as a folder") for name in ("", "a b", "a/b", ".hidden", "a'b", 'a"b', "a\\b")),
    ],
)
def test_a_sweep_refuses(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SweepSettings(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"confirm_seeds": 0}, "confirm_seeds must be at least 1"),
        ({"confirm_best": -1}, "confirm_best must be at least 0"),
        ({"startup_trials": 4}, "startup_trials=4 needs a startup_sampler"),
        ({"storage": "postgresql://me:secret@there/db"}, "password; put the URL into LORELAB_SEARCH_URL"),
        ({"conditions": {"m": "o=sgd"}}, "conditions name m, which the space does not hold"),
        ({"space": {"m": "1,2"}, "conditions": {"m": "sgd"}}, "m: sgd, expected OTHER=VALUE"),
    ],
)
def test_a_search_refuses(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchSettings(sampler=GridSampler, **wrong)


def test_a_url_without_a_password_and_a_name_for_a_folder_are_fine() -> None:
    assert SearchSettings(sampler=GridSampler, storage="postgresql://me@there:5432/db").storage.startswith("postgresql")
    assert SearchSettings(sampler=GridSampler, storage="sqlite:////tmp/a.db").trials == 20
    assert SweepSettings(name="lr-of_2026.1").name == "lr-of_2026.1"
