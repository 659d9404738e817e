"""Ask and tell: what is proposed, by whom a trial is worked on, and what is kept of it."""

import json
import math
import os
import socket
import threading
import time

import optuna
import pytest

from lorelab.errors import LorelabError
from lorelab.sweeps import search as module
from lorelab.sweeps.journal import JOURNAL, VARIABLE
from lorelab.sweeps.proposals import Proposals
from lorelab.sweeps.search import SWEEP, Search
from lorelab.sweeps.space import Dimension
from lorelab.sweeps.trials import Outcome, TrialRun, TrialStatus
from lorelab.tracking.liveness import marks

LR = Dimension("lr", "float", low=1e-5, high=1.0, log=True)
OPTIMIZER = Dimension("optimizer", "choice", ("adam", "sgd"))
MOMENTUM = Dimension("momentum", "float", low=0.0, high=0.99, condition=("optimizer", ("sgd",)))
HOST_NAME = socket.gethostname()
SAMPLERS = ["tpe", "gp", "cmaes", "random", "sobol", "halton"]
GRID = Proposals(dimensions=(LR,), grid=tuple({"lr": 10.0**-power} for power in range(6)))


def sampled(sampler, *dimensions: Dimension, **others) -> Proposals:
    return Proposals(sampler, dimensions=dimensions or (LR,), **others)


def opened(folder, proposals: Proposals | None = GRID, **others) -> Search:
    return Search(folder, "s", "minimize", proposals=proposals, **others)


def finish(search: Search, number: int, value: float) -> None:
    search.tell(number, Outcome(TrialStatus.FINISHED, value))


def bowl(params) -> float:
    """Smallest at a learning rate of 10^-2.5."""
    return (math.log10(params["lr"]) + 2.5) ** 2


def searched(search: Search, total: int, value=bowl) -> list[dict]:
    """Trains the trials that are missing; all parameters so far."""
    while claimed := search.claim(total):
        for trial in claimed:
            finish(search, trial.number, value(trial.params))
    return [dict(trial.params) for trial in search.trials()]


def theirs(sampler, total: int, *dimensions: Dimension, value=bowl) -> list[dict]:
    """The same by Optuna itself."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        return value(
            {each.key: trial.suggest_float(each.key, each.low, each.high, log=each.log) for each in dimensions}
        )

    study.optimize(objective, n_trials=total)
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize(("name", "seed"), [*((name, 0) for name in SAMPLERS), ("tpe", 3)])
def test_one_worker_proposes_what_optuna_itself_proposes(folder, searches, name: str, seed: int) -> None:
    sampler, trials = searches("search=default", f"search/sampler={name}").sampler, 11 if name == "gp" else 20
    ours = searched(opened(folder, sampled(sampler, seed=seed)), trials)
    assert ours == theirs(sampler(seed=seed), trials, LR)
    assert min(map(bowl, ours)) < 0.2**2  # within a fifth of a decade of the optimum


def test_an_evolution_strategy_in_two_dimensions_does_so_too(folder, searches) -> None:
    sampler, other = searches("search=default", "search/sampler=cmaes").sampler, Dimension("x", "float", low=-1, high=1)

    def value(params) -> float:
        return bowl(params) + params["x"] ** 2

    ours = searched(opened(folder, sampled(sampler, LR, other)), 16, value)
    assert ours == theirs(sampler(seed=0), 16, LR, other, value=value)


def test_a_startup_sampler_proposes_first_and_the_sampler_learns_from_it(folder, searches) -> None:
    settings = searches("search=lr")
    known = sampled(settings.sampler, startup=settings.startup_sampler, startup_trials=8)
    points = searched(opened(folder, known), 24)
    assert points[:8] == theirs(settings.startup_sampler(seed=0), 8, LR)
    assert sum(map(bowl, points[16:])) < sum(map(bowl, points[:8])) / 1.5


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_search_that_is_started_again_proposes_new_points(folder, searches, name: str) -> None:
    settings = searches("search=default", f"search/sampler={name}")
    for total in (1, 3, 5):  # each by a new process, as far as the search can tell
        points = searched(opened(folder, sampled(settings.sampler)), total)
    assert len({point["lr"] for point in points}) == 5


@pytest.mark.parametrize("name", ["tpe", "random", "sobol"])
def test_points_that_were_interrupted_are_not_proposed_again(folder, searches, dead, name: str, monkeypatch) -> None:
    settings = searches("search=default", f"search/sampler={name}")
    for _ in range(2):  # two workers that begin a trial and die with their sweep
        search = opened(folder, sampled(settings.sampler))
        search._me = dead
        search.claim(9)
        monkeypatch.setattr(module, "is_gone", lambda claimed: False)  # the first still lives when the second begins
    monkeypatch.undo()
    assert [trial.status for trial in search.trials()] == [TrialStatus.INTERRUPTED] * 2
    begun = [trial.params["lr"] for trial in search.trials()]
    points = [point["lr"] for point in searched(opened(folder, sampled(settings.sampler)), 6)]
    assert points[:2] == begun
    assert len(set(points)) == 6


@pytest.mark.parametrize("name", ["sobol", "halton"])
def test_a_quasi_random_sequence_goes_on_after_restarts_and_across_workers(folder, searches, dead, name: str) -> None:
    sampler = searches("search=default", f"search/sampler={name}").sampler
    searched(opened(folder, sampled(sampler)), 4)
    search = opened(folder, sampled(sampler))
    search._me = dead
    search.claim(8)  # interrupted; goes on with its point
    workers = [opened(folder, sampled(sampler)) for _ in range(2)]
    for number in range(4, 8):
        (trial,) = workers[number % 2].claim(8)
        finish(workers[number % 2], trial.number, bowl(trial.params))
    assert [dict(trial.params) for trial in search.trials()] == theirs(sampler(seed=0), 8, LR)


def test_what_a_quasi_random_sampler_draws_by_itself_is_not_drawn_twice(folder, searches) -> None:
    sampler = searches("search=default", "search/sampler=sobol").sampler
    for total in range(1, 10):
        searched(opened(folder, sampled(sampler, OPTIMIZER, MOMENTUM)), total, lambda _: 0.0)
    drawn = [trial.params["momentum"] for trial in opened(folder, None).trials() if "momentum" in trial.params]
    assert len(drawn) > 2
    assert len(set(drawn)) == len(drawn)


def test_a_startup_sampler_does_not_draw_its_points_twice(folder, searches) -> None:
    settings = searches("search=lr", "search/startup_sampler=random")
    for total in (1, 2, 3):
        known = sampled(settings.sampler, startup=settings.startup_sampler, startup_trials=8)
        points = searched(opened(folder, known), total)
    assert len({point["lr"] for point in points}) == 3


def test_a_conditional_key_is_there_only_where_it_applies(folder, searches) -> None:
    for name in ("tpe", "random"):
        sampler = searches("search=default", f"search/sampler={name}").sampler
        search = Search(folder, name, "minimize", proposals=sampled(sampler, MOMENTUM, OPTIMIZER, LR))
        points = searched(search, 14)
        assert {point["optimizer"] for point in points} == {"adam", "sgd"}
        assert all(("momentum" in point) == (point["optimizer"] == "sgd") for point in points)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "direction"),
    [("tpe", "maximize"), ("gp", "minimize"), ("cmaes", "minimize"), ("random", "maximize"), ("sobol", "minimize")],
)
def test_a_diverged_trial_is_a_value_that_samplers_go_on_with(folder, searches, name: str, direction: str) -> None:
    sampler = searches("search=default", f"search/sampler={name}").sampler
    other = Dimension("x", "float", low=-1.0, high=1.0)
    search = Search(folder, "s", direction, proposals=sampled(sampler, LR, other))
    worst = math.inf if direction == "minimize" else -math.inf
    for number in range(12):
        (trial,) = search.claim(12)
        value = bowl(trial.params) * (1 if direction == "minimize" else -1)
        ended = TrialStatus.DIVERGED if trial.params["lr"] > 0.01 or number == 0 else TrialStatus.FINISHED
        search.tell(number, Outcome(ended, worst if ended is TrialStatus.DIVERGED else value))
    ended = search.trials()
    assert {trial.status for trial in ended} == {TrialStatus.DIVERGED, TrialStatus.FINISHED}
    assert all(trial.value == worst for trial in ended if trial.status is TrialStatus.DIVERGED)
    assert opened(folder, None).trials() == ended  # as it is stored
    assert set(search.importances()) <= {"lr", "x"}


def test_a_grid_is_gone_through_in_order_and_no_further(folder) -> None:
    search = opened(folder)
    assert [trial.params["lr"] for trial in search.claim(3, most=9)] == [1.0, 0.1, 0.01]
    assert [trial.number for trial in search.claim(5)] == [3]
    assert [trial.number for trial in search.claim(5, most=9)] == [4]
    assert search.claim(5) == []
    assert [trial.number for trial in search.claim(6)] == [5]


def left_by(folder, lines: list[bytes]):
    """A folder in which a process wrote these lines and died."""
    left = folder / str(len(lines))
    left.mkdir()
    (left / JOURNAL).write_bytes(b"".join(lines))
    return left


def test_a_grid_goes_on_after_a_process_that_died_between_two_lines_of_its_journal(folder, dead) -> None:
    first = opened(folder)
    first._me = dead
    first.claim(2, most=2)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        again = opened(left_by(folder, lines[:kept]))
        points = searched(again, 3)
        assert [point["lr"] for point in points] == pytest.approx([1.0, 0.1, 0.01]), lines[kept - 1]
        assert all(trial.status is TrialStatus.FINISHED for trial in again.trials())


def test_a_search_goes_on_after_a_process_that_died_between_two_lines_of_its_journal(folder, dead, searches) -> None:
    known = sampled(searches("search=default", "search/sampler=random").sampler, OPTIMIZER, LR)
    first = opened(folder, known)
    first._me = dead
    first.claim(2, most=2)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        points = searched(opened(left_by(folder, lines[:kept]), known), 3)
        assert all(set(point) == {"optimizer", "lr"} for point in points)
        assert len({point["lr"] for point in points}) == 3


def test_a_journal_that_was_cut_short_within_a_line_is_mended(folder) -> None:
    search = opened(folder)
    searched(search, 2)
    whole = (folder / JOURNAL).read_bytes()
    with (folder / JOURNAL).open("ab") as file:
        file.write(b'{"op_code": 4, "worker_id": "x", "tri')
    again = opened(folder)
    assert [trial.status for trial in again.trials()] == [TrialStatus.FINISHED] * 2
    searched(again, 4)
    assert [trial.status for trial in search.trials()] == [TrialStatus.FINISHED] * 4
    text = (folder / JOURNAL).read_bytes()
    assert text.startswith(whole)
    assert all(json.loads(line) for line in text.splitlines())


def test_two_searches_at_once_never_get_the_same_trial(folder, searches) -> None:
    sampler = searches("search=default", "search/sampler=random").sampler
    taken: list[list[int]] = [[], []]

    def work(index: int) -> None:
        search = opened(folder, sampled(sampler))
        while claimed := search.claim(30, most=1 + index):
            taken[index] += [trial.number for trial in claimed]
            time.sleep(0.06)  # longer than the other one waits before it looks again

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(taken)
    assert sorted(taken[0] + taken[1]) == list(range(30))
    points = {trial.params["lr"] for trial in opened(folder, None).trials()}
    assert len(points) == 30


def test_a_trial_that_somebody_works_on_is_nobody_elses_until_it_is_released(folder) -> None:
    first, second = opened(folder), opened(folder)
    (trial,) = first.claim(1)
    assert (trial.number, trial.status, trial.attempts) == (0, TrialStatus.RUNNING, 1)
    assert second.claim(1) == []
    assert second.processes_here() == {os.getpid()}
    first.release(0)
    assert second.trial(0).status is TrialStatus.INTERRUPTED
    (trial,) = second.claim(1)
    assert (trial.number, trial.attempts) == (0, 2)


def test_a_trial_of_another_host_is_left_alone(folder) -> None:
    search = opened(folder)
    search._me = {key: value.replace(HOST_NAME, "another-host") for key, value in marks().items()}
    search.claim(1)
    assert opened(folder).claim(1) == []
    assert opened(folder).processes_here() == set()


def test_the_trial_of_a_process_that_is_gone_is_gone_on_with(folder, dead) -> None:
    search = opened(folder)
    search._me = dead
    search.claim(2)
    again = opened(folder)
    assert again.trial(0).status is TrialStatus.INTERRUPTED
    assert again.processes_here() == set()
    taken = again.claim(2, most=2)
    assert [(trial.number, trial.attempts) for trial in taken] == [(0, 2), (1, 1)]


def test_a_death_counts_only_while_the_sweep_lives(folder, dead, monkeypatch) -> None:
    for _ in range(5):  # each time the sweep was killed together with its worker
        search = opened(folder)
        search._me = dead
        assert [trial.number for trial in search.claim(1)] == [0]
    monkeypatch.setenv(SWEEP, json.dumps(marks()))  # and now only workers die
    for attempt in (6, 7, 8):
        search = opened(folder)
        search._me = dead
        (trial,) = search.claim(1)
        assert trial.attempts == attempt
    assert opened(folder).claim(1) == []
    trial = opened(folder).trial(0)
    assert trial.status is TrialStatus.FAILED
    assert trial.error == "3 workers died of this trial (killed by the system, perhaps for memory)"


def test_a_launcher_tells_of_deaths_too(folder) -> None:
    search = opened(folder, attempts=2)
    search.claim(1)
    search.died(0)
    assert search.trial(0).status is TrialStatus.INTERRUPTED
    search.claim(1)
    search.died(0)
    assert search.trial(0).status is TrialStatus.FAILED
    search.died(0)  # nothing more can come of it
    assert search.trial(0).error.startswith("2 workers died")


def test_a_trial_keeps_its_runs_its_time_and_how_it_ended(folder) -> None:
    search = opened(folder)
    search.claim(5, most=5)
    runs = [TrialRun("id", "name", seed, "finished", 0.5, 1.5, 30, "there") for seed in (0, 1)]
    for run in runs:
        search.note(0, run)
    finish(search, 0, 0.25)
    search.tell(1, Outcome(TrialStatus.FAILED, error="Traceback …\nKeyError: 'x'"))
    search.report(2, 0.7, 1)
    search.report(2, 0.6, 2)
    search.tell(2, Outcome(TrialStatus.PRUNED))
    search.tell(3, Outcome(TrialStatus.DIVERGED, math.inf))
    finished, failed, pruned, diverged, running = opened(folder, None).trials()
    assert finished.status is TrialStatus.FINISHED
    assert list(finished.runs) == runs
    assert finished.value == 0.25
    assert finished.counts
    assert 0 <= finished.seconds < 60
    assert failed.status is TrialStatus.FAILED
    assert failed.error.endswith("KeyError: 'x'")
    assert failed.value is None
    assert (pruned.status, pruned.value, pruned.counts) == (TrialStatus.PRUNED, 0.6, False)
    assert (diverged.status, diverged.value, diverged.counts) == (TrialStatus.DIVERGED, math.inf, False)
    assert (running.status, running.seconds) == (TrialStatus.RUNNING, None)


def test_a_trial_that_has_ended_stays_as_it_is(folder) -> None:
    search = opened(folder)
    search.claim(1)
    finish(search, 0, 0.25)
    search.tell(0, Outcome(TrialStatus.FAILED, error="too late"))
    finish(search, 0, 0.5)
    (trial,) = search.trials()
    assert (trial.status, trial.value, trial.error) == (TrialStatus.FINISHED, 0.25, "")


def test_a_pruner_judges_from_whichever_process_a_trial_reports(folder, searches) -> None:
    pruner = searches("search=default", "search/pruner=median").pruner
    for number in range(6):
        opened(folder).claim(6)
        worker = opened(folder, None, pruner=pruner)
        verdicts = [worker.report(number, float(number), step) for step in (1, 2, 3)]
        if number < 5:  # five trials of grace
            assert verdicts == [False] * 3
            finish(worker, number, float(number))
        else:
            assert verdicts == [True] * 3


def test_a_search_in_a_database_is_the_same(folder, searches, tmp_path, monkeypatch) -> None:
    url = f"sqlite:///{tmp_path / 'search.db'}"
    sampler = searches("search=default", "search/sampler=random").sampler
    points = searched(opened(folder, sampled(sampler), where=url), 3)
    assert points == theirs(sampler(seed=0), 3, LR)
    assert not (folder / JOURNAL).exists()
    monkeypatch.setenv(VARIABLE, url)
    search = opened(folder, sampled(sampler), where="env")
    (trial,) = search.claim(4)
    search.tell(trial.number, Outcome(TrialStatus.DIVERGED, math.inf))
    assert search.trial(3).value == math.inf


def test_a_database_that_cannot_be_had_is_named_without_its_password(folder, monkeypatch) -> None:
    with pytest.raises(LorelabError, match=r"search\.storage=env: found no LORELAB_SEARCH_URL"):
        opened(folder, where="env")
    monkeypatch.setenv(VARIABLE, "sqlite:////nowhere/at/all.db?password=secret")
    with pytest.raises(LorelabError, match="the database at LORELAB_SEARCH_URL cannot be used") as caught:
        opened(folder, where="env")
    assert "secret" not in str(caught.value)


def test_a_claim_that_was_put_back_never_was(folder) -> None:
    search = opened(folder)
    search.claim(3, 3)
    search.put_back(1)
    search.put_back(1)  # it has no claim any more
    assert [(trial.status, trial.attempts) for trial in search.trials()] == [
        (TrialStatus.RUNNING, 1), (TrialStatus.INTERRUPTED, 0), (TrialStatus.RUNNING, 1),
    ]  # fmt: skip
    assert [trial.number for trial in opened(folder).claim(3, 3)] == [1]
    finish(search, 0, 1.0)
    search.put_back(0)
    assert [(trial.status, trial.attempts) for trial in search.trials()[:2]] == [
        (TrialStatus.FINISHED, 1), (TrialStatus.RUNNING, 1),
    ]  # fmt: skip


def test_a_stack_is_claimed_whole_by_whoever_stacks(folder) -> None:
    search = opened(folder)
    search.claim(6, 6)
    for number in range(6):
        search.put_back(number)
    search.stack([0, 3, 4])
    search.stack([1, 5])
    assert [trial.number for trial in search.claim(6, stacks=True)] == [0, 3, 4]
    assert [trial.number for trial in search.claim(6)] == [2], "one of no stack, by a process that does not stack"
    assert [trial.number for trial in search.claim(6)] == [1], "for want of another"
    search.put_back(0)
    search.release(3)
    assert [trial.number for trial in search.claim(6, stacks=True)] == [3], "others of its stack are taken"
    assert [trial.number for trial in search.claim(6, 2, stacks=True)] == [5], "a stack is not filled up"
    assert [trial.number for trial in search.claim(6, stacks=True)] == [0], "what was put back is of no stack"
    assert not search.claim(6, 2, stacks=True)
    finish(search, 0, 1.0)
    search.stack([0, 1])
    assert not search.claim(6, 2, stacks=True), "what has ended, or is worked on, stays as it is"


def test_what_another_process_took_over_is_not_put_back(folder, dead) -> None:
    search = opened(folder)
    search.claim(1)
    search._set(0, "claim", {"worker": dead, "sweep": marks()})
    search.put_back(0)
    assert search.trial(0).attempts == 1
