"""What a comparison is warned of, and what it is not."""

from lorelab.tracking.fairness import unfairness
from lorelab.tracking.protocol import StoredRun


def run(seed: int, commit: str = "a" * 40, data: str = "f", **params: str) -> StoredRun:
    tags = {"lorelab.commit": commit, "lorelab.data_fingerprint": data}
    named = {key.replace("__", "."): value for key, value in params.items()}
    return StoredRun("id", "name", "finished", 0.0, 1.0, {"seed": str(seed)} | named, {}, tags)


def groups(runs: list[StoredRun], *by: str) -> dict[tuple[str, ...], list[StoredRun]]:
    made: dict[tuple[str, ...], list[StoredRun]] = {}
    for each in runs:
        made.setdefault(tuple(each.params[key] for key in by), []).append(each)
    return made


def findings(runs: list[StoredRun], *by: str) -> tuple[str, ...]:
    return unfairness(groups(runs, *by), by)


def test_groups_that_differ_in_the_compared_parameter_and_the_seed_are_fair() -> None:
    assert findings([run(seed, lr=lr, width="64") for lr in "12" for seed in range(3)], "lr") == ()


def test_a_parameter_that_varies_inside_a_group_is_named() -> None:
    runs = [run(seed, lr=lr, width=str(64 + seed // 2)) for lr in "12" for seed in range(4)]
    assert findings(runs, "lr") == ("groups mix runs that differ in width: add --by for it, or filter with key=value",)
    assert findings(runs, "lr", "width") == ("groups do not hold the same seeds",)


def test_a_parameter_that_varies_along_with_the_groups_is_named() -> None:
    runs = [run(seed, lr=lr, width="6" + lr) for lr in "12" for seed in range(2)]
    runs += [run(seed, lr="3", width="61") for seed in range(2)]
    assert findings(runs, "lr") == ("groups differ also in width: the difference may be due to it",)


def test_what_belongs_to_a_choice_or_copies_a_value_or_only_names_the_run_is_no_difference() -> None:
    runs = [
        run(seed, optimizer=name, optimizer__lr=lr, data__seed=str(seed), label=name, data__root=f"/data/{seed}")
        for name, lr in (("adam", "0.001"), ("sgd", "0.1"))
        for seed in range(2)
    ]
    assert findings(runs, "optimizer") == ()
    assert findings(runs, "optimizer.lr") == (
        "groups differ also in label, optimizer: the difference may be due to it",
    )


def test_whole_presets_may_differ_in_everything_but_not_inside() -> None:
    runs = [run(seed, data=name, experiment=name, model=name) for name in "ab" for seed in range(2)]
    assert findings(runs, "experiment") == ()
    runs.append(run(9, data="a", experiment="a", model="c"))
    assert "groups mix runs that differ in model" in findings(runs, "experiment")[0]


def test_a_seed_that_a_group_holds_twice_is_named() -> None:
    runs = [run(seed, lr=lr) for lr in "12" for seed in (0, 1)] + [run(1, lr="2")]
    assert findings(runs, "lr") == ("group 2 holds seed 1 more than once: n counts both",)


def test_unequal_seeds_are_named() -> None:
    assert findings([run(0, lr="1"), run(1, lr="1"), run(0, lr="2")], "lr") == ("groups do not hold the same seeds",)


def test_unequal_data_for_one_seed_are_named_unless_the_data_are_compared() -> None:
    runs = [run(seed, data=f"split-{seed}-{lr}", lr=lr, data__noise=lr) for lr in "12" for seed in range(2)]
    assert findings(runs, "lr") == ("runs of one seed saw different data (fingerprints)",)
    assert findings(runs, "data.noise") == ()


def test_a_split_that_follows_the_seed_is_fair() -> None:
    assert findings([run(seed, data=f"split-{seed}", lr=lr) for lr in "12" for seed in range(3)], "lr") == ()


def test_several_versions_of_the_code_are_named() -> None:
    commits = {"1": "a" * 40, "2": "b" * 40 + "+dirty"}
    (finding,) = findings([run(0, commits[lr], lr=lr) for lr in "12"], "lr")
    assert finding == "runs come from 2 versions of the code (aaaaaaaaaa, bbbbbbbbbb+dirty)"
