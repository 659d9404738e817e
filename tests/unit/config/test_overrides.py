import pytest

from lorelab.config.overrides import compose_all
from lorelab.errors import ConfigError


def refused(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        compose_all(overrides)
    return str(caught.value)


def test_every_bad_override_is_shown_at_once_with_the_nearest_name() -> None:
    message = refused("optimizer.lrr=0.1", "traner.max_epochs=3", "seeed=1")
    assert message.startswith("The configuration has 3 problems; nothing was started.")
    assert "override optimizer.lrr=0.1\n  found:    no key 'lrr' under 'optimizer'" in message
    assert "did you mean 'lr'?" in message
    assert "did you mean 'trainer'" in message
    assert "did you mean 'seed'" in message


def test_an_unknown_option_of_a_group_names_the_nearest_option() -> None:
    message = refused("optimizer=adaam", "data=fashionmnist")
    assert "override optimizer=adaam\n  found:    optimizer=adaam\n  expected: an option of conf/optimizer/" in message
    assert "did you mean 'adam'" in message
    assert "did you mean 'fashion_mnist'" in message


def test_a_group_is_left_out_by_a_tilde_and_not_by_null() -> None:
    message = refused("search/pruner=null", "search=lr")
    assert "override search/pruner=null\n  found:    null" in message
    assert "~search/pruner leaves the group out" in message


def test_a_key_must_exist_under_every_swept_choice() -> None:
    message = refused("optimizer=adam,sgd", "optimizer.nesterov=true")
    assert "no key 'nesterov' under 'optimizer' (with optimizer=adam)" in message


def test_an_override_that_cannot_be_parsed_says_what_is() -> None:
    assert "expected: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION" in refused("optimizer.lr=[1,")


def test_a_multirun_is_composed_for_each_group_choice_and_each_value_once() -> None:
    composed = compose_all(["optimizer=adam,sgd", "optimizer.lr=0.1,0.2,0.3", "seed=range(0,3)"])
    assert len(composed) == 2 * (1 + 2 + 2)
    assert {c.cfg.optimizer["_target_"] for c in composed} == {"torch.optim.Adam", "torch.optim.SGD"}
    assert {c.cfg.optimizer.lr for c in composed} == {0.1, 0.2, 0.3}
    assert all("hydra" not in c.cfg for c in composed)


def test_added_and_deleted_keys_are_taken() -> None:
    (composed,) = compose_all(["+tags.study=q4", "++optimizer.lr=0.5", "~optimizer.fused"])
    assert composed.cfg.tags.study == "q4"
    assert "fused" not in composed.cfg.optimizer
    assert composed.origin.of("optimizer.lr") == "override ++optimizer.lr=0.5"


def test_a_data_set_brings_its_task_and_the_command_line_wins() -> None:
    assert compose_all(["data=diabetes"])[0].origin.choices["task"] == "regression"
    assert compose_all(["data=diabetes", "task=classification"])[0].origin.choices["task"] == "classification"


def test_the_origin_of_a_value_is_the_last_file_that_set_it() -> None:
    (composed,) = compose_all(["experiment=digits_mlp", "model/head=cosine"])
    origin = composed.origin
    assert origin.of("trainer.max_epochs") == "conf/experiment/digits_mlp.yaml: trainer.max_epochs"
    assert origin.of("optimizer.lr") == "conf/optimizer/adam.yaml: optimizer.lr"
    assert origin.of("model.head.temperature") == "conf/model/head/cosine.yaml: model.head.temperature"
    assert origin.of("seed") == "conf/config.yaml: seed"


def test_a_value_that_is_still_missing_can_be_set() -> None:
    (composed,) = compose_all(["data=table", "data.path=mine.csv", "data.target=price"])
    assert composed.cfg.data.path == "mine.csv"


def test_a_data_set_of_another_kind_brings_its_net_and_its_augmentation() -> None:
    (text,) = compose_all(["data=help_topics"])
    assert (text.origin.choices["task"], text.origin.choices["model"]) == ("language", "transformer")
    (points,) = compose_all(["data=rings"])
    assert (points.origin.choices["task"], points.origin.choices["augment"]) == ("nce", "noise")
    assert compose_all(["data=help_topics", "model=char_mlp"])[0].origin.choices["model"] == "char_mlp"


def test_a_bad_option_does_not_hide_a_bad_key() -> None:
    message = refused("optimizer.lrr=0.1", "model=mpl")
    assert message.startswith("The configuration has 2 problems")
    assert "did you mean 'lr'?" in message
    assert "did you mean 'mlp'" in message
