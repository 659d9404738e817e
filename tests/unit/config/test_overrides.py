import itertools
from pathlib import Path

import pytest

from lorelab.config.overrides import compose_all, survey, sweeps
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
    assert "override search/pruner=null\n  found:    search/pruner=null" in message
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


def test_the_nearest_option_stands_in_so_that_its_keys_are_looked_at() -> None:
    message = refused("model=convnett", "model.channels=[8]", "model.depth=3")
    assert message.startswith("The configuration has 2 problems")
    assert "no key 'depth' under 'model' (with model=convnett)" in message
    seen = survey(["model=convnett", "model.channels=[8]"])
    assert [each.cfg.model.channels for each in seen.configs] == [[8]]
    assert seen.configs[0].origin.of("model") == "override model=convnett"


def test_nothing_is_said_of_keys_whose_group_is_anyones_guess() -> None:
    assert refused("data=zzz", "data.rows=3", "task.grid_size=5").startswith("The configuration has 1 problem;")
    assert refused("experiment=zzz", "optimizer.momentum=0.9", "model=mpl").startswith("The configuration has 2 prob")


def test_a_wrong_key_is_shown_once_for_all_combinations() -> None:
    message = refused("optimizer=adam,sgd", "model=mlp,convnet", "optimizer.lrr=1")
    assert message.startswith("The configuration has 1 problem;")


def test_a_sweep_keeps_its_good_options_beside_a_bad_one() -> None:
    seen = survey(["optimizer=adam,zzz,sgd", "model.depth=1,2"])
    assert len(seen.problems) == 1
    targets = {each.cfg.optimizer._target_ for each in seen.configs if "optimizer" not in each.unknown}
    assert targets == {"torch.optim.Adam", "torch.optim.SGD"}


def test_a_pattern_that_fits_no_option_is_a_problem() -> None:
    assert "expected: an option of conf/model/" in refused("model=glob(zz*)")


def test_an_override_that_hydra_refuses_is_named_and_does_not_hide_another() -> None:
    message = refused("+optimizer.lr=0.1", "seeed=1")
    assert "override +optimizer.lr=0.1\n  found:    Could not append to config" in message
    assert "override seeed=1" in message


def test_options_in_a_folder_of_ones_own_are_known_and_checked_like_others(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.Adagrad\n_partial_: true\nlr: 0.1\n")
    (composed,) = compose_all(["optimizer=mine"], config_dir=str(tmp_path))
    assert composed.cfg.optimizer._target_ == "torch.optim.Adagrad"
    assert composed.origin.of("optimizer.lr") == f"{tmp_path}/optimizer/mine.yaml: optimizer.lr"
    with pytest.raises(ConfigError) as caught:
        compose_all(["optimizer=mime", "seeed=1"], config_dir=str(tmp_path))
    message = str(caught.value)
    assert "override optimizer=mime\n  found:    optimizer=mime\n  expected: an option of conf/optimizer/" in message
    assert "did you mean 'mine'?" in message
    assert "did you mean 'seed'" in message


def test_of_many_combinations_each_pair_of_options_is_looked_at_and_the_rest_is_counted() -> None:
    swept = {
        "model": ("mlp", "convnet", "resnet18"),
        "optimizer": ("adam", "adamw", "sgd", "rmsprop"),
        "scheduler": ("constant", "cosine", "step"),
        "model/head": ("linear", "cosine"),
    }
    seen = survey([f"{group}={','.join(options)}" for group, options in swept.items()])
    assert len(seen.configs) + seen.later == 3 * 4 * 3 * 2
    assert seen.later > 0
    looked_at = [each.origin.choices for each in seen.configs]
    for one, two in itertools.combinations(swept, 2):
        pairs = set(itertools.product(swept[one], swept[two]))
        assert {(choices[one], choices[two]) for choices in looked_at} == pairs
    assert survey(["model=mlp,convnet", "optimizer=adam,sgd"]).later == 0


def test_an_option_far_down_a_large_product_is_looked_at_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorelab.config.overrides._MOST_GROUP_COMBINATIONS", 12)  # large, and looked at in seconds
    many = ["model=mlp,convnet", "optimizer=adam,adamw,sgd", "scheduler=constant,cosine"]
    assert "did you mean 'linear'" in refused("model/head=cosine,linar", *many)
    message = refused("data=digits,fashion_mnist,diabetes", *many, "data.limit_test=5")
    assert "no key 'limit_test' under 'data' (with data=digits" in message


def test_a_file_that_is_no_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("width: [1,\n")
    with pytest.raises(ConfigError, match=r"mine.yaml\", line 2"):
        compose_all(["model=mine"], config_dir=str(tmp_path))


def test_sweeps_are_told_from_values_and_what_cannot_be_parsed_is_left_alone() -> None:
    swept = ["seed=0,1", "optimizer=choice(adam)", "optimizer.lr=interval(0.1,1)", "seed=range(3)", "data=glob(*)"]
    single = ["seed=0", "+model.sizes=[1,2]", "~scheduler", "tags={a:1,b:2}", "optimizer.lr=[1,"]
    assert sweeps([*swept, *single]) == swept


def test_a_preset_that_chooses_an_option_that_is_not_there_is_refused_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\ndefaults:\n  - override /optimizer: adamm\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        compose_all(["experiment=mine"], config_dir=str(tmp_path))
    assert "found:    optimizer: adamm\n  expected: an option of conf/optimizer/" in str(caught.value)
    assert "did you mean 'adam'" in str(caught.value)


def test_options_in_a_search_path_that_is_typed_are_known(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("_target_: lorelab.nets.mlp.MLP\n_partial_: true\nwidth: 7\n")
    (composed,) = compose_all(["model=mine", f"hydra.searchpath=[file://{tmp_path}]", "model.width=8"])
    assert composed.cfg.model.width == 8
