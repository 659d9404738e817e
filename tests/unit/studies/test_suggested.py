from worked_study import row, study

from lorelab.studies.measured import measured
from lorelab.studies.suggested import suggestions


def ranged(seed: int, rate: float, suggested: float = 1.0):
    return row(
        arm="b", seed=seed, metrics={"test/accuracy": 0.9, "lr_range/rate": rate, "lr_range/suggested": suggested}
    )


ROWS = [
    *(row(arm="a", seed=seed, params={"optimizer.lr": 0.01}) for seed in range(4)),
    *(ranged(seed, rate) for seed, rate in enumerate([0.0034, 0.0029, 0.029])),
    ranged(3, 0.01, suggested=0.0),
]


def test_suggestions_within_a_factor_of_three_are_counted_by_hand() -> None:
    known = study(suggestions={"arm": "b", "optimum": "a"})
    (digits,) = suggestions(known, ROWS)
    assert (digits.task, digits.runs, digits.near) == ("digits", 4, 2), "0.0034 and 0.029; the last test suggested none"
    assert digits.suggested == (0.0029, 0.0034, 0.029)
    assert digits.median == 0.0034
    assert digits.optimum == 0.01


def test_nothing_is_said_where_the_study_does_not_ask() -> None:
    assert suggestions(study(), ROWS) == []
    assert not list(measured(study(), ROWS))
    assert list(measured(study(suggestions={"arm": "b", "optimum": "a"}), ROWS))
