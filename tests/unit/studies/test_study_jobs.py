import math

import numpy as np
import pytest
from worked_study import lost, plain, row, study

from lorelab.cli.study_design import draws
from lorelab.errors import LorelabError
from lorelab.studies.jobs import choose, deciding, tuning
from lorelab.studies.spec import FRESH_SEED, TUNING_SEED, Search

SPACE = {"optimizer.lr": "tag(log, interval(1e-4, 1e-1))"}


def trial(score: float, number: int, task: str = "digits", **changes):
    return row(task, "a", TUNING_SEED, score, role="tune", trial=number, params={"lr": number}, metrics={}, **changes)


def test_arms_share_their_seeds_so_that_differences_are_paired() -> None:
    jobs = deciding(study(), {}, range(3))
    by_arm = {arm: [(job.task, job.seed) for job in jobs if job.arm == arm] for arm in ("a", "b")}
    assert by_arm["a"] == by_arm["b"] == [(task, seed) for task in ("digits", "houses") for seed in range(3)]
    assert all(f"seed={job.seed}" in job.overrides for job in jobs)


def test_tuning_reads_no_test_data_and_has_seeds_of_its_own() -> None:
    known = study()
    tuned, decided = tuning(known, draws), deciding(known, {}, known.seeds)
    assert all(job.overrides[-1] == "trainer.test=false" for job in tuned)
    assert not any("trainer.test" in word for job in decided for word in job.overrides)
    assert {job.seed for job in tuned} == {TUNING_SEED}
    assert TUNING_SEED not in {job.seed for job in decided}
    assert FRESH_SEED in {job.seed for job in decided}


def test_only_arms_with_a_search_are_tuned_with_its_number_of_trials_on_every_task() -> None:
    jobs = tuning(study(), draws)
    assert [(job.task, job.arm, job.trial) for job in jobs] == [
        (task, "a", trial) for task in ("digits", "houses") for trial in range(2)
    ]


def test_later_words_win_task_then_arm_then_what_was_tried_then_the_seed() -> None:
    job = tuning(study(), lambda search: [{"optimizer.lr": 0.5}] * search.trials)[0]
    assert job.overrides == (
        "experiment=digits_mlp", "trainer.max_epochs=1", "optimizer=adam", "optimizer.lr=0.5", "seed=1000",
        "+tags.arm=a", "trainer.test=false",
    )  # fmt: skip


def test_what_tuning_chose_is_what_decides_and_on_each_task_its_own() -> None:
    chosen = {("digits", "a"): {"optimizer.lr": 0.5}, ("houses", "a"): {"optimizer.lr": 0.25}}
    for job in deciding(study(), chosen, [0]):
        rates = [word for word in job.overrides if word.startswith("optimizer.lr")]
        assert rates == ([f"optimizer.lr={chosen[job.task, 'a']['optimizer.lr']}"] if job.arm == "a" else [])


def test_names_are_unique_and_do_not_depend_on_what_else_there_is() -> None:
    known = study()
    names = [job.name for job in (*tuning(known, draws), *deciding(known, {}, known.seeds))]
    assert len(set(names)) == len(names) == 4 + 12
    more = plain()
    more["arms"] = {"c": {}} | more["arms"]
    wider = study(arms=more["arms"])
    assert set(names) < {job.name for job in (*tuning(wider, draws), *deciding(wider, {}, wider.seeds))}


def test_equal_spaces_draw_equal_points_and_a_larger_budget_adds_to_them() -> None:
    first, again, more = draws(Search(SPACE, 4)), draws(Search(dict(SPACE), 4)), draws(Search(SPACE, 8))
    assert first == again == more[:4]
    assert len({point["optimizer.lr"] for point in more}) == 8
    assert all(1e-4 <= point["optimizer.lr"] <= 1e-1 for point in more)


def test_a_dozen_draws_leave_no_gap_in_the_space() -> None:
    for high in ("1e-1", "1", "10"):
        tuned = Search({"optimizer.lr": f"tag(log, interval(1e-4, {high}))"}, 12)
        places = sorted(math.log10(point["optimizer.lr"]) for point in draws(tuned))
        whole = math.log10(float(high)) + 4
        assert max(np.diff([-4, *places, -4 + whole])) < whole / 4, "independent draws leave a third open half the time"


def test_the_order_of_the_keys_changes_no_draw() -> None:
    two = {"model.width": "choice(8, 16)", **SPACE}
    assert draws(Search(two, 5)) == draws(Search(dict(reversed(two.items())), 5))


def test_other_spaces_draw_other_points() -> None:
    other = {"optimizer.lr": "tag(log, interval(1e-4, 1e0))"}
    assert draws(Search(SPACE, 3)) != draws(Search(other, 3))


def test_the_best_validation_score_chooses_in_the_direction_of_the_score() -> None:
    table = [
        *(trial(score, number) for number, score in enumerate([0.2, 0.9, 0.5])),
        *(trial(score, number, "houses") for number, score in enumerate([60.0, 55.0, 54.0, 70.0])),
    ]
    assert choose(study(), table) == {("digits", "a"): {"lr": 1}, ("houses", "a"): {"lr": 2}}


def test_of_equals_the_earlier_trial_is_chosen_whatever_the_order_of_the_rows() -> None:
    table = [trial(0.9, 2), trial(0.9, 1), trial(0.1, 0), trial(1.0, 0, "houses")]
    assert choose(study(), table)["digits", "a"] == {"lr": 1}


def test_what_diverged_is_never_chosen_and_scores_of_runs_that_decide_play_no_part() -> None:
    bad = lost(role="tune", trial=0, params={"lr": 0})
    table = [bad, trial(math.inf, 3), trial(0.1, 1), row(value=0.99, params={"lr": 9}), trial(1.0, 0, "houses")]
    assert choose(study(), table)["digits", "a"] == {"lr": 1}


def test_an_arm_all_of_whose_trials_diverged_is_an_error_that_names_it() -> None:
    table = [lost(role="tune", trial=0), trial(1.0, 0, "houses")]
    with pytest.raises(LorelabError, match=r"none of the 1 trials of arm 'a' on digits .* Widen arms.a.search.space"):
        choose(study(), table)
