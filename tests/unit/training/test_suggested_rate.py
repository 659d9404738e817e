"""A run at the rate that the range test suggests: what is suggested is what is trained at, and nothing else changes."""

import pytest
import torch
from stacks import CLASSIFY, DROPOUT_NET, QUIET, agree, alone, both, with_

from lorelab.data.builtin import digits
from lorelab.data.loading import DataModule
from lorelab.nets.mlp import MLP
from lorelab.records import RunStart
from lorelab.tasks.classification import Classification
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.fit import fit
from lorelab.training.learner import Learner
from lorelab.training.lr_range import RangeOptions, at_rate, lr_range
from lorelab.training.progress import ProgressLine
from lorelab.training.schedules import Cosine
from lorelab.training.settings import TrainerSettings
from lorelab.training.stacked import fit_stacked
from lorelab.training.suggested_rate import SuggestedRate

SETTINGS = TrainerSettings(max_epochs=2, accelerator="cpu", log_every_n_steps=1)


@pytest.fixture(scope="module")
def splits():
    return digits(limit_train=600)


def parts(splits, rate: float = 0.001, schedule=None):
    torch.manual_seed(0)
    net = MLP(splits.spec.input_shape, 10, torch.nn.Linear, width=32)
    make = lambda parameters: torch.optim.Adam(parameters, lr=rate)  # noqa: E731
    learner = Learner(net, Classification(splits.spec), make, *([schedule] if schedule else []))
    return learner, DataModule(splits, batch_size=32, seed=0)


def trained(learner, data, *callbacks):
    tracker = MemoryTracker()
    record = fit(
        learner, data, SETTINGS, tracker=tracker, start=RunStart("r", {}, {}), callbacks=callbacks,
        progress=ProgressLine("quiet"),
    )  # fmt: skip
    return record, tracker


@pytest.mark.parametrize("schedule", [None, Cosine()], ids=["constant", "cosine"])
def test_it_trains_as_a_run_that_was_given_the_suggested_rate(splits, schedule) -> None:
    record, tracker = trained(*parts(splits, schedule=schedule), SuggestedRate(steps=100))
    learner, data = parts(splits)
    rate = lr_range(learner, data, SETTINGS, options=RangeOptions(steps=100)).suggestion.chosen
    assert rate is not None
    assert tracker.history("lr_range/rate") == [(0, rate)]
    assert tracker.history("lr_range/suggested") == [(0, 1.0)]
    assert record.metrics["lr_range/rate"] == rate
    assert record.steps == 2 * 19, "the steps of the test are not the run's"
    told = parts(splits, rate, schedule)
    assert trained(*told)[0].weights == record.weights


def test_without_a_suggestion_it_trains_at_the_configured_rate(splits) -> None:
    none = SuggestedRate(start=1e-9, end=1e-8, steps=20)  # nothing is learned there
    record, tracker = trained(*parts(splits, 0.003), none)
    assert tracker.history("lr_range/rate") == [(0, 0.003)]
    assert tracker.history("lr_range/suggested") == [(0, 0.0)]
    assert record.weights == trained(*parts(splits, 0.003))[0].weights


def test_a_rate_is_that_of_all_groups() -> None:
    made = at_rate(lambda p: torch.optim.SGD([{"params": [each], "lr": 1.0} for each in p], lr=0.1), 0.5)
    assert {group["lr"] for group in made(torch.nn.Linear(2, 2).parameters()).param_groups} == {0.5}


def test_an_option_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="steps is 3"):
        SuggestedRate(steps=3)


@pytest.mark.parametrize("form", [{}, {"net": DROPOUT_NET, "schedule": Cosine()}], ids=["plain", "dropout, cosine"])
def test_members_of_a_stack_train_each_at_its_own_suggestion(form) -> None:
    case = with_(CLASSIFY, callbacks=lambda: [SuggestedRate(steps=60)], **form)
    pairs = both(case, [{"seed": 0}, {"seed": 1, "lr": 0.5}, {"seed": 2}])
    rates = [[member.tracker.history("lr_range/rate") for member in pair] for pair in pairs]
    assert all(alone == stacked for alone, stacked in rates)
    assert len({stacked[0][1] for _, stacked in rates}) > 1, "each has its own"
    assert all("lr_range.png" in stacked.tracker.files for _, stacked in pairs)


class Fails(SuggestedRate):
    def prepare(self, learner, data, settings, seed) -> None:
        raise RuntimeError("no rate today")


def test_a_member_that_cannot_be_prepared_leaves_the_others_alone() -> None:
    members = [CLASSIFY.member(seed=0), with_(CLASSIFY, callbacks=lambda: [Fails()]).member(seed=1)]
    found = fit_stacked(members, QUIET)
    assert [record.status for record in found] == ["finished", "failed"]
    assert "no rate today" in found[1].error
    agree(again := CLASSIFY.member(seed=0), members[0], alone(again), found[0])
