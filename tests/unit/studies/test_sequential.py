import numpy as np
import pytest

from lorelab.errors import LorelabError
from lorelab.studies.differences import Differences
from lorelab.studies.rules import Claim, Kind
from lorelab.studies.sequential import looks, next_look, shares
from lorelab.studies.verdict import decide


def test_looks_go_in_blocks_and_end_at_the_maximum() -> None:
    assert looks(5, 20, 5) == (5, 10, 15, 20)
    assert looks(5, 12, 5) == (5, 10, 12)
    assert looks(10, 10, 3) == (10,)


@pytest.mark.parametrize("plan", [(1, 5, 1), (6, 5, 1), (5, 20, 0)])
def test_an_impossible_plan_is_refused(plan: tuple[int, int, int]) -> None:
    with pytest.raises(LorelabError, match=r"seeds=auto: found minimum .*; expected 2 ≤ minimum ≤ maximum"):
        looks(*plan)


def test_shares_are_the_increments_of_the_squared_fraction() -> None:
    assert shares((5, 10, 15, 20)) == pytest.approx((1 / 16, 3 / 16, 5 / 16, 7 / 16))
    assert shares((10,)) == (1.0,)
    assert sum(shares(looks(3, 17, 4))) == pytest.approx(1.0)


def test_seeds_are_added_until_every_claim_is_decided_or_the_last_look_is_over() -> None:
    spread = np.linspace(-1, 1, 10)
    clear, open_yet = (
        decide(Claim(Kind.SUPERIORITY, 1.0), Differences(spread + mean, 0.0, (0, 0)), np.random.default_rng(0))
        for mean in (9.0, 1.0)
    )
    counts = looks(5, 20, 5)
    assert next_look(counts, 0, []) == 5
    assert next_look(counts, 5, [clear, open_yet]) == 10
    assert next_look(counts, 5, [clear, clear]) is None
    assert next_look(counts, 20, [open_yet]) is None
    assert next_look(counts, 7, [clear]) == 10, "between looks nothing is judged"
