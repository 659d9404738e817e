"""Which configs of a sweep may be trained as one."""

import pytest

from lorelab.config.describe import resolved
from lorelab.config.overrides import compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.config.stacking import apart, groups, kinds, why_not


def config(*overrides: str):
    register_resolvers()
    (composed,) = compose_all(overrides)
    return resolved(composed.cfg)


MAY_DIFFER = [
    "seed=1",
    "optimizer.lr=0.1",
    "optimizer.weight_decay=0.1",
    "optimizer.betas=[0.8,0.99]",
    "task.label_smoothing=0.1",
    "model.dropout=0.2",
    "scheduler=cosine",
    "callbacks=early_stopping",
    "trainer.gradient_clip_val=1.0",
    "data.split_seed=3",
    "+tags.arm=b",
    "trainer.test=false",
    "sweep.name=another",
    "sweep.trial=7",
]
MUST_AGREE = {
    "model.width=32": "model.width differs: 64 and 32",
    "model.activation=tanh": "model.activation differs",
    "optimizer=sgd": "optimizer._target_ differs",
    "trainer.max_epochs=3": "trainer.max_epochs differs",
    "loader.batch_size=16": "loader.batch_size differs",
    "data=breast_cancer": "data._target_ differs",
    "task.class_weights=balanced": "task.class_weights differs: None and balanced",
    "optimizer.amsgrad=true": "optimizer.amsgrad differs",
    "task.loss=one_minus_p": "task.loss differs",
}
UNFIT = {
    "optimizer._target_=torch.optim.Adagrad": "only torch's SGD",
    "reproducible=strict": "reproducible=strict promises",
    "trainer.precision=bf16-mixed": "only 32-true",
    "resume=some-run": "goes on alone",
}


@pytest.fixture(scope="module")
def plain():
    return config()


@pytest.mark.parametrize("override", MAY_DIFFER)
def test_runs_that_differ_in_numbers_may_be_stacked(plain, override) -> None:
    assert why_not([plain, config(override)]) is None


@pytest.mark.parametrize("override", MUST_AGREE)
def test_runs_of_another_form_may_not_and_the_key_is_named(plain, override) -> None:
    assert MUST_AGREE[override] in why_not([plain, config(override)])


@pytest.mark.parametrize("override", UNFIT)
def test_a_run_that_no_stack_takes_says_why(plain, override) -> None:
    assert UNFIT[override] in why_not([plain, config(override)])
    assert UNFIT[override] in why_not([config(override)])


def test_a_sweep_falls_into_groups_in_its_order(plain) -> None:
    strict = config("reproducible=strict")
    sweep = [plain, config("model.width=32"), strict, config("seed=1"), config("model.width=32", "seed=1"), strict]
    assert groups(sweep) == [[0, 3], [1, 4], [2], [5]]


def test_an_initialisation_scale_of_a_net_of_ones_own_may_differ_by_its_name() -> None:
    scaled = [config(f"+model.init_scale={value}") for value in (1.0, 0.5)]
    assert groups(scaled) == [[0, 1]]
    assert groups([config(f"+model.gain={value}") for value in (1.0, 0.5)]) == [[0], [1]]


def test_jobs_are_of_one_kind_by_their_words_if_numbers_alone_set_them_apart() -> None:
    jobs = [
        ["model.width=8", "optimizer.lr=0.1", "seed=0", "sweep.trial=0"],
        ["model.width=8", "optimizer.lr=1e-3", "seed=1", "sweep.trial=1", "scheduler=cosine"],
        ["model.width=9", "optimizer.lr=0.1"],
        ["model.width=8", "+task.label_smoothing=0.1", "model.dropout=0.5"],
        ["model.width=8", "optimizer=sgd"],
        ["model.width=8", "optimizer.nesterov=true"],
        ["model.width=8"],
        ["model.width=8", "optimizer.betas=[0.8,0.99]"],
        ["model.width=8", "model.channels=[8,16]"],
    ]
    assert kinds(jobs) == [[0, 1, 3, 6, 7], [2], [4], [5], [8]]


def test_what_keeps_a_run_from_the_others_is_named(plain) -> None:
    strict, wide = config("reproducible=strict"), config("model.width=32")
    assert apart(wide, [strict, plain]) == "model.width differs, which the runs of a stack have in common"
    assert apart(wide, [strict]) == apart(wide, []) == "no other differs from it in numbers alone"
