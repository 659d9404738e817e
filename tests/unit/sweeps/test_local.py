"""Configs of a sweep's jobs are Hydra's own, only composed faster."""

import pytest
from omegaconf import OmegaConf

TRIALS = [
    [],
    ["seed=3"],
    ["optimizer.lr=0.1", "seed=1"],
    ["optimizer=sgd", "optimizer.lr=0.1"],
    ["optimizer.momentum=0.9", "optimizer=sgd"],
    ["model/head=cosine"],
    ["model=convnet", "model/head=mlp", "model.head.width=7"],
    ["experiment=fashion_mnist_cnn", "optimizer.lr=0.02", "model/head=cosine"],
    ["experiment=digits_mlp", "debug=steps"],
    ["scheduler=warmup_cosine", "trainer.max_epochs=3"],
    ["search=optimizer", "search.trials=3", "search/sampler=gp", "search.sampler.n_startup_trials=4"],
    ["search=lr", "search/pruner=median", "search.space={optimizer.lr:'interval(0.1,1)'}"],
    ["+tags.study=q4", "++tags.arm=sgd", "+tags.deep={a:1,b:[2,3]}"],
    ["+model.extra=1", "~model.extra"],
    ["~optimizer.nesterov", "optimizer=sgd"],
    ["~callbacks"],
    ["tags={a:1}", "+tags.b='x,y'", "+tags.c=null", "+tags.d=[1,2]", "+tags.e='${seed}'"],
    ["hydra.job.name=other", "seed=2", "hydra.sweep.subdir=x/${hydra.job.num}"],
    ["task=auto", "data=table_example"],
]


@pytest.mark.parametrize("overrides", TRIALS, ids=" ".join)
def test_a_config_is_the_one_that_hydra_composes(composers, overrides: list[str]) -> None:
    composer = composers("hydra.sweep.dir=somewhere")
    try:
        theirs = composer.loader.load_sweep_config(composer.master, overrides)
    except Exception as error:
        with pytest.raises(type(error)) as caught:
            composer.compose(overrides)
        assert str(caught.value).splitlines()[0] == str(error).splitlines()[0]
        return
    ours = composer.compose(overrides)
    as_dict = [OmegaConf.to_container(each, resolve=False) for each in (ours, theirs)]
    assert as_dict[0] == as_dict[1]
    assert OmegaConf.is_readonly(ours) == OmegaConf.is_readonly(theirs)
    assert OmegaConf.is_struct(ours)


def test_one_trials_config_does_not_change_the_nexts(composers) -> None:
    composer = composers()
    first = composer.compose(["optimizer=sgd", "optimizer.lr=0.5", "+tags.a=1"])
    second = composer.compose(["optimizer=sgd"])
    assert (first.optimizer.lr, second.optimizer.lr) == (0.5, 0.001)
    assert "a" not in second.tags
    with pytest.raises(Exception, match=r"Could not override 'optimizer\.beta'"):
        composer.compose(["optimizer=sgd", "optimizer.beta=0.5"])
    assert composer.compose(["optimizer=sgd"]).optimizer == second.optimizer


def test_only_what_a_key_names_is_a_group(composers) -> None:
    composer = composers()
    assert composer.is_group("optimizer")
    assert composer.is_group("model/head")
    assert composer.is_group("search/sampler@search.startup_sampler")
    assert not composer.is_group("optimizer.lr")
    assert not composer.is_group("seed")
