from lorelab.tracking.protocol import StoredRun
from lorelab.tracking.repeat import Agreement, compare_metrics, overall, provenance_differences, seed_siblings


def agreement(before, again, seeds=()):
    (found,) = compare_metrics({"m": before}, {"m": again}, {"m": list(seeds)})
    return found.agreement


def test_identical_means_equal_bits() -> None:
    assert agreement(0.1, 0.1) is Agreement.IDENTICAL
    assert agreement(float("nan"), float("nan")) is Agreement.IDENTICAL
    assert agreement(0.1, 0.1 + 2e-17 * 4) is Agreement.DIFFERENT


def test_the_spread_is_two_standard_deviations_over_at_least_three_seeds() -> None:
    seeds = [1.0, 2.0, 3.0]  # sd 1
    assert agreement(1.0, 2.9, seeds) is Agreement.WITHIN
    assert agreement(1.0, 3.1, seeds) is Agreement.DIFFERENT
    assert agreement(1.0, 1.1, seeds[:2]) is Agreement.DIFFERENT


def test_a_metric_that_only_one_has_is_different() -> None:
    found = compare_metrics({"a": 1.0}, {"b": 1.0}, {"a": [0, 1, 2], "b": [0, 1, 2]})
    assert [each.agreement for each in found] == [Agreement.DIFFERENT] * 2


def test_the_worst_decides() -> None:
    found = compare_metrics({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.5}, {"b": [0.0, 1.0, 2.0]})
    assert overall(found) is Agreement.WITHIN
    assert overall([]) is Agreement.IDENTICAL


def test_siblings_differ_in_the_seed_alone() -> None:
    def run(name, status="finished", **params):
        return StoredRun(name, name, status, 0.0, 1.0, params)

    own = run("own", seed="0", lr="1")
    others = [run("b", seed="1", lr="1"), run("c", seed="1", lr="2"), run("d", "failed", seed="2", lr="1"), own]
    assert {each.run_id for each in seed_siblings(own, [*others, run("again", seed="0", lr="1")])} == {"own", "b"}


def test_what_differs_in_provenance_is_said_package_by_package() -> None:
    before = {"commit": "a", "gpus": [], "packages": {"torch": "2.1", "gone": "1"}, "command": ["x"]}
    again = {"commit": "b", "gpus": (), "packages": {"torch": "2.2", "new": "3"}, "command": ["y"]}
    assert provenance_differences(before, again) == [
        "commit: a → b",
        "gone: 1 → not there",
        "new: not there → 3",
        "torch: 2.1 → 2.2",
    ]
    assert provenance_differences(before, before) == []
