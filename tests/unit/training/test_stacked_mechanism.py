"""The mechanism callback in a stack: what it measures of each member is what it measures of that run alone."""

from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping
from stacks import (
    CLASSIFY,
    DROPOUT_NET,
    IMAGES,
    MLP_NET,
    QUIET,
    SPEAK,
    TABLE,
    Shaken,
    agree,
    alone,
    both,
    splits_of,
    with_,
)
from torch import nn
from torch.optim import SGD

from lorelab.nets.convnet import ConvNet
from lorelab.nets.mlp import MLP
from lorelab.nets.transformer import Transformer
from lorelab.training.mechanism import COSINE, SIGNS, Mechanism
from lorelab.training.stacked import Unstackable, fit_stacked, why_not

EXAMPLES = 30  # of 37
UNITS = 24
MEMBERS = [{"seed": 0, "lr": 0.02}, {"seed": 1, "lr": 0.005}, {"seed": 1, "lr": 0.02}]
RATES = (0.02, 1e25, 0.01, 0.05)
FIELDS = ("inputs", "targets")
MEASURED = with_(CLASSIFY, callbacks=lambda: [Mechanism(EXAMPLES)])
PICTURES = with_(MEASURED, splits=IMAGES, optimizer=partial(SGD, momentum=0.9))
CONV = partial(ConvNet, head=nn.Linear, channels=(4,), width=8)
TALKER = partial(Transformer, head=partial(nn.Linear, bias=False), layers=1, heads=2, width=8)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch) -> None:
    """A picture takes longer than a run here."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda _self, path, **_: Path(path).write_bytes(b""))


def measured_alike(case, members=MEMBERS, units=UNITS):
    """All that is asked of a stack, and the mechanism to rounding."""
    pairs = both(case, members)
    for one, many in pairs:
        alike(one, many, units)
    return pairs


def alike(one, many, units=UNITS) -> None:
    """But for a few units, of all that are counted in a step, that lie at zero but for rounding."""
    for name, by in ((SIGNS, 3 / (units * EXAMPLES)), (COSINE, 1e-4)):
        expected, found = one.tracker.history(name), many.tracker.history(name)
        assert expected or one.tracker.record.status == "diverged"
        assert [step for step, _ in found] == [step for step, _ in expected]
        assert [value for _, value in found] == pytest.approx([value for _, value in expected], abs=by)
    if one.tracker.record.status == "finished":
        assert many.callbacks[1]._counts == one.callbacks[1]._counts


@pytest.mark.parametrize(
    "case",
    [
        MEASURED,
        with_(MEASURED, net=partial(MLP_NET, activation="abs")),
        with_(MEASURED, net=DROPOUT_NET, augment=Shaken),
    ],
    ids=["mlp", "abs", "dropout, and another activation in the head"],
)
def test_perceptrons_are_measured_in_a_stack_as_alone(case) -> None:
    pairs = measured_alike(case)
    assert all(many.callbacks[1]._signs is None for _, many in pairs), "none measures by itself"
    for name in (SIGNS, COSINE):
        assert len({many.tracker.history(name)[-1] for _, many in pairs}) == len(pairs), "each has its own"


@pytest.mark.parametrize(
    "net", [CONV, partial(CONV, batch_norm=True), partial(CONV, dropout=0.3)], ids=["plain", "norm", "dropout"]
)
def test_other_nets_are_measured_in_a_stack_as_alone(net) -> None:
    measured_alike(with_(PICTURES, net=net), units=8)


def test_a_transformer_is_measured_in_a_stack_as_alone() -> None:
    measured_alike(with_(SPEAK, net=TALKER, callbacks=MEASURED.callbacks))


@pytest.mark.parametrize(
    "settings",
    [
        {"accumulate_grad_batches": 3, "max_epochs": 4},
        {"gradient_clip_val": 0.05},
        {"gradient_clip_val": 0.001, "gradient_clip_algorithm": "value"},
        {"val_check_interval": 3},
        {"val_check_interval": 5, "accumulate_grad_batches": 2},
        {"check_val_every_n_epoch": 2},
        {"max_epochs": None, "max_steps": 6},
    ],
    ids=str,
)
def test_the_steps_that_are_measured_are_those_of_the_run_alone(settings) -> None:
    measured_alike(with_(MEASURED, settings=settings))


def test_weight_decay_which_changes_gradients_in_place_is_not_measured() -> None:
    measured_alike(with_(MEASURED, optimizer=partial(SGD, weight_decay=0.3)))


def of_two_data_sets():
    """Two members of one and two of the other, so that none but the shared form would do for the first two."""
    turned = [torch.cat([getattr(part, name) for part in TABLE.by_name().values()]).flip(0) for name in FIELDS]
    other = with_(MEASURED, splits=splits_of(TABLE.spec, *turned))
    return [
        case.member(seed=seed, lr=lr) for seed, (case, lr) in enumerate(zip((MEASURED, other) * 2, RATES, strict=True))
    ]


def test_members_are_asked_about_examples_of_their_own_data() -> None:
    single, stacked = of_two_data_sets(), of_two_data_sets()
    for one, many, found in zip(single, stacked, fit_stacked(stacked, QUIET), strict=True):
        agree(one, many, alone(one), found)
        alike(one, many)
    assert [many.tracker.record.status for many in stacked] == ["finished", "diverged", "finished", "finished"]


@pytest.mark.parametrize("case", [with_(MEASURED, net=DROPOUT_NET), with_(PICTURES, net=CONV)], ids=["mlp", "convnet"])
@pytest.mark.parametrize("accumulated", [1, 2])
def test_whoever_leaves_takes_its_own_numbers_with_it(case, accumulated) -> None:
    settings = {"log_every_n_steps": 1, "accumulate_grad_batches": accumulated}
    case = with_(case, optimizer=partial(SGD, momentum=0.9), settings=settings)
    pairs = measured_alike(case, [{"lr": lr, "seed": seed} for seed, lr in enumerate(RATES)], units=8)
    assert [many.tracker.record.status for _, many in pairs] == ["finished", "diverged", "finished", "finished"]


def test_a_run_that_stops_early_is_measured_until_then() -> None:
    stops = lambda: [Mechanism(EXAMPLES), EarlyStopping("val/loss", patience=1, min_delta=0.05)]  # noqa: E731
    case = with_(MEASURED, callbacks=stops, settings={"max_epochs": 12})
    pairs = measured_alike(case, [{"lr": lr, "seed": seed} for seed, lr in enumerate((0.03, 0.005, 1e-5))])
    assert len({many.tracker.record.steps for _, many in pairs}) > 1


@pytest.mark.parametrize(
    "case",
    [with_(CLASSIFY, net=DROPOUT_NET), with_(PICTURES, net=partial(CONV, batch_norm=True, dropout=0.3))],
    ids=["mlp", "convnet"],
)
def test_a_stack_trains_the_same_with_it_and_without(case) -> None:
    found = []
    for callbacks in (tuple, lambda: [Mechanism(EXAMPLES)]):
        members = [with_(case, callbacks=callbacks).member(**each) for each in MEMBERS]
        fit_stacked(members, QUIET)
        found.append([member.callbacks[0].weights for member in members])
    for one, other in zip(*found, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def measuring(*examples: int, **more) -> list:
    """Members that ask about so many examples each; 0: that have no such callback."""
    cases = [with_(CLASSIFY, callbacks=lambda n=n: [Mechanism(n)] if n else [], **more) for n in examples]
    return [case.member(seed=seed) for seed, case in enumerate(cases)]


class Mine(Mechanism):
    """Does something else at a step."""

    def on_train_batch_end(self, *_: object) -> None:
        pass


class Mute(MLP):
    """Calls its activation something else."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.nonlinear = self.activation
        del self.activation

    def features(self, x):
        return self.nonlinear(self.layers[0](x.flatten(1)))


class Elsewhere(MLP):
    """Looks at a value to decide, in eval mode only."""

    def features(self, x):
        out = super().features(x)
        return out if self.training or out.sum() > 0 else -out


UNFIT = {
    "Mechanism's examples differ": lambda: measuring(20, 30),
    "the callbacks of every step differ: Mechanism and none": lambda: measuring(20, 0),
    "the callbacks of every step differ: none and Mechanism": lambda: measuring(0, 20),
    "Mechanism: Mute has no module called activation": lambda: measuring(20, 20, net=partial(Mute, head=nn.Linear)),
    "Mine may act on a trainer": lambda: [with_(CLASSIFY, callbacks=lambda: [Mine()]).member()],
}


@pytest.mark.parametrize("reason", UNFIT)
def test_runs_that_cannot_be_measured_as_one_say_why(reason) -> None:
    members = UNFIT[reason]()
    assert reason in why_not(members)
    with pytest.raises(Unstackable, match=reason):
        fit_stacked(members, QUIET)
    assert all(member.tracker.run is None for member in members)


def test_a_net_that_cannot_be_mapped_in_eval_mode_is_found_before_a_run_begins() -> None:
    members = measuring(20, 20, net=partial(Elsewhere, head=nn.Linear))
    assert why_not(members) is None
    with pytest.raises(Unstackable, match="cannot be stacked"):
        fit_stacked(members, QUIET)
    assert all(member.tracker.run is None for member in members)
