import dataclasses
import math

import pytest
from worked_study import result

from lorelab.studies.decision import Decision, Interval
from lorelab.studies.judge import Judged
from lorelab.studies.rules import Kind, Verdict
from lorelab.studies.words import TONES, asked, effect, facts, ruling, where_intervals_disagree, where_tasks_differ

STUDY, _, (BETTER, SAME), _ = result()


ENDS = {Verdict.SUPPORTED: (1.5, 2.5), Verdict.REFUTED: (-1.0, 0.5), Verdict.INCONCLUSIVE: (-1.0, 3.0)}


def with_verdicts(**verdicts: Verdict) -> Judged:
    """Each with an interval that says so alone; the margin is 1."""
    by_task = {
        task: dataclasses.replace(BETTER.overall, verdict=verdict, interval=Interval("t", *ENDS[verdict]), estimate=1.0)
        for task, verdict in verdicts.items()
    }
    return dataclasses.replace(BETTER, by_task=by_task)


def decision(**changes: object) -> Decision:
    return dataclasses.replace(BETTER.overall, **changes)  # type: ignore[arg-type]


def test_every_verdict_has_a_tone() -> None:
    assert set(TONES) == set(Verdict)


def test_an_effect_is_signed_with_its_interval() -> None:
    assert effect(decision(estimate=0.5, interval=Interval("t", -0.2, 1.2))) == "+0.5 [−0.2, +1.2]"


def test_what_is_asked_names_the_arms_by_their_labels_in_the_claims_direction() -> None:
    assert asked(STUDY, BETTER) == "Adam beats b by at least the margin"
    assert asked(STUDY, SAME) == "b and Adam differ by less than the margin"


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.EXACT])
def test_every_kind_of_claim_between_arms_can_be_asked(kind: Kind) -> None:
    claim = dataclasses.replace(BETTER.claim, kind=kind)
    assert "margin" in asked(STUDY, dataclasses.replace(BETTER, claim=claim))


def test_the_facts_are_those_that_decided() -> None:
    known = decision(estimate=2.0, interval=Interval("t", 1.5, 2.5), n=10, confidence=0.9, margin=1.0)
    told = dict(facts(known, "margins"))
    assert told["effect A − B [90 % interval], in margins"] == "+2.0 [+1.5, +2.5]"
    assert told["seeds per arm"] == "10"


def test_the_p_value_shown_is_of_the_verdict_that_was_given() -> None:
    known = {"p_supported": 0.9, "holm_supported": 1.0, "p_refuted": 0.00001, "holm_refuted": 0.02}
    assert dict(facts(decision(verdict=Verdict.REFUTED, **known), "x"))["p (alone; with Holm)"] == "< 0.0001; 0.02"
    assert dict(facts(decision(verdict=Verdict.SUPPORTED, **known), "x"))["p (alone; with Holm)"] == "0.9; 1"
    alone = decision(p_supported=0.5, holm_supported=math.nan, verdict=Verdict.INCONCLUSIVE)
    assert dict(facts(alone, "x"))["p (alone; with Holm)"] == "0.5; –"


def test_only_an_open_claim_says_how_many_more_seeds_and_only_divergence_is_counted() -> None:
    open_yet = dict(facts(decision(verdict=Verdict.INCONCLUSIVE, more_seeds=7, diverged=(1, 0)), "x"))
    assert open_yet["more seeds that would probably decide it"] == "7"
    assert open_yet["diverged, of A and of B"] == "1 and 0"
    hopeless = dict(facts(decision(verdict=Verdict.INCONCLUSIVE, more_seeds=None), "x"))
    assert hopeless["more seeds that would probably decide it"] == "more than 1,000"
    decided = dict(facts(decision(verdict=Verdict.SUPPORTED, diverged=(0, 0)), "x"))
    assert not {name for name in decided if "more seeds" in name or "diverged" in name}


def test_where_tasks_agree_and_where_they_do_not() -> None:
    yes, no, unclear = Verdict.SUPPORTED, Verdict.REFUTED, Verdict.INCONCLUSIVE
    assert where_tasks_differ(with_verdicts(x=yes, y=yes)) == "Every task says supported."
    differ = where_tasks_differ(with_verdicts(x=yes, y=no, z=yes, w=unclear))
    assert differ == "It depends on the task: supported on x, z; refuted on y; inconclusive on w."


def test_a_refuted_superiority_that_is_a_difference_all_the_same_is_said_to_be_one() -> None:
    judged = with_verdicts(x=Verdict.REFUTED)
    less = dataclasses.replace(judged, overall=decision(verdict=Verdict.REFUTED, interval=Interval("t", 0.5, 0.9)))
    assert where_tasks_differ(less).startswith(
        "There is a difference in the direction that is claimed, but it is smaller"
    )
    worse = dataclasses.replace(judged, overall=decision(verdict=Verdict.REFUTED, interval=Interval("t", -0.5, 0.9)))
    assert where_tasks_differ(worse) == "Every task says refuted."


def test_a_task_that_carries_the_mean_is_named_with_what_is_left_without_it() -> None:
    judged = with_verdicts(x=Verdict.SUPPORTED, y=Verdict.SUPPORTED, z=Verdict.SUPPORTED)
    assert "Most of it" not in where_tasks_differ(judged)
    by_task = judged.by_task | {"z": dataclasses.replace(judged.by_task["z"], estimate=5.0)}
    said = where_tasks_differ(dataclasses.replace(judged, by_task=by_task))
    assert said.endswith("Most of it comes from z: without it the others' mean is +1 margins.")
    little = dataclasses.replace(judged, by_task=by_task, overall=decision(estimate=0.9))
    assert "Most of it" not in where_tasks_differ(little), "below a margin there is nothing to be carried"


def test_intervals_that_would_say_otherwise_are_named_with_their_place() -> None:
    agree = dataclasses.replace(BETTER, overall=decision(disagree=()), by_task={"x": decision(disagree=())})
    assert where_intervals_disagree(agree) == ""
    odd = dataclasses.replace(agree, by_task={"x": decision(disagree=("BCa bootstrap", "sign flips"))})
    assert "(x: BCa bootstrap, sign flips)" in where_intervals_disagree(odd)


def equivalence(low: float, high: float, **more: object) -> Decision:
    """Of a claim of no difference, with margin 1: supported alone within −1 and 1, refuted alone outside."""
    known = {"kind": Kind.EQUIVALENCE, "margin": 1.0, "estimate": (low + high) / 2, "disagree": (), "diverged": (0, 0)}
    return decision(**known, interval=Interval("t", low, high), **more)


def test_a_task_that_hides_behind_the_average_is_named_and_not_taken_for_holms_doing() -> None:
    whole = equivalence(-0.6, -0.2, verdict=Verdict.INCONCLUSIVE, holm_supported=0.001, more_seeds=None)
    apart = {
        "same": equivalence(-0.2, 0.2, verdict=Verdict.SUPPORTED),
        "other": equivalence(-3.0, -2.0, verdict=Verdict.INCONCLUSIVE),  # and of this one Holm took the verdict away
    }
    judged = dataclasses.replace(SAME, overall=whole, by_task=apart)
    assert judged.hidden == ("other",)
    assert ruling(whole, judged.hidden) == "inconclusive (on average supported; other alone: refuted)"
    assert where_tasks_differ(judged) == (
        "On average it would be supported, but other alone refutes it: inconclusive because the tasks differ, which "
        "more seeds do not change. It depends on the task: supported on same; inconclusive (alone: refuted) on other."
    )
    told = dict(facts(whole, "margins", judged.hidden))
    assert told["more seeds"] == "do not decide it: the tasks differ (other from the average)"
    assert "more seeds that would probably decide it" not in told
    two = dataclasses.replace(judged, by_task=apart | {"third": equivalence(2.0, 3.0, verdict=Verdict.REFUTED)})
    assert "but other, third alone refute it" in where_tasks_differ(two)

    for innocent in (
        dataclasses.replace(whole, holm_supported=0.06),  # here it is Holm's
        dataclasses.replace(whole, verdict=Verdict.SUPPORTED),
        equivalence(-1.6, -0.2, verdict=Verdict.INCONCLUSIVE, holm_supported=0.001),
    ):
        assert dataclasses.replace(judged, overall=innocent).hidden == ()
    assert dataclasses.replace(judged, by_task={"same": apart["same"]}).hidden == ()
    with_holm = dataclasses.replace(judged, overall=dataclasses.replace(whole, holm_supported=0.06))
    assert "On average" not in where_tasks_differ(with_holm)
    assert ruling(with_holm.overall, with_holm.hidden) == "inconclusive (alone: supported)"


def test_a_verdict_that_holm_took_away_is_named_beside_the_one_that_is_left() -> None:
    decision = BETTER.by_task["digits"]
    clear = dataclasses.replace(decision, interval=dataclasses.replace(decision.interval, low=0.05, high=0.2))
    assert ruling(dataclasses.replace(clear, verdict=Verdict.SUPPORTED)) == "supported"
    assert ruling(dataclasses.replace(clear, verdict=Verdict.INCONCLUSIVE)) == "inconclusive (alone: supported)"
    wide = dataclasses.replace(decision.interval, low=-0.5, high=0.5)
    assert ruling(dataclasses.replace(clear, interval=wide, verdict=Verdict.INCONCLUSIVE)) == "inconclusive"
