import json
import math
from dataclasses import fields

import numpy as np
import pytest

from lorelab.studies.decision import Decision
from lorelab.studies.differences import paired
from lorelab.studies.multiplicity import read_together
from lorelab.studies.plain import from_plain, to_plain
from lorelab.studies.rules import Claim, Kind
from lorelab.studies.verdict import decide, decide_exact

SCORES = np.random.default_rng(0).normal(0.8, 0.1, (2, 5))


def decisions() -> list[Decision]:
    rng, claim = np.random.default_rng(1), Claim(Kind.SUPERIORITY, 0.01)
    lost = SCORES.copy()
    lost[0, 1] = math.nan
    finite, infinite = decide(claim, paired(*SCORES, "max"), rng), decide(claim, paired(*lost, "min"), rng)
    exact = decide_exact({"float32": np.ones(1), "float64": np.array([math.nan])}, {"float32": 0.0, "float64": 1.0})
    return [finite, infinite, exact, *read_together([finite, infinite])]


@pytest.mark.parametrize("decision", decisions(), ids=range(5))
def test_a_decision_survives_strict_json(decision: Decision) -> None:
    text = json.dumps(to_plain(decision), allow_nan=False)
    again = from_plain(json.loads(text))
    assert repr(again) == repr(decision)  # NaN is not equal to itself
    assert all(type(getattr(again, f.name)) is type(getattr(decision, f.name)) for f in fields(Decision))


def test_infinities_and_nan_are_words() -> None:
    plain = to_plain(decisions()[1])
    assert (plain["interval"]["low"], plain["interval"]["high"], plain["spread"]) == ("-inf", "inf", "nan")
    assert (plain["kind"], plain["verdict"]) == ("superiority", "inconclusive")
