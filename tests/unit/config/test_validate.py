from pathlib import Path

import pytest
from torch import nn

from lorelab.config.overrides import compose_all, survey
from lorelab.config.validate import locate, validate, validate_all
from lorelab.errors import ConfigError


def refused(*overrides: str) -> str:
    (composed,) = compose_all(overrides)
    with pytest.raises(ConfigError) as caught:
        validate(composed.cfg, composed.origin)
    return str(caught.value)


def refused_whole(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        validate_all(survey(overrides))
    return str(caught.value)


def test_the_defaults_are_valid() -> None:
    (composed,) = compose_all([])
    validate(composed.cfg, composed.origin)


def test_a_key_that_the_target_does_not_take_names_the_nearest_argument() -> None:
    message = refused("+optimizer.weight_decai=0.1")
    assert "override +optimizer.weight_decai=0.1" in message
    assert "expected: an argument of torch.optim.Adam" in message
    assert "did you mean 'weight_decay'" in message


@pytest.mark.parametrize(
    ("override", "found", "expected"),
    [
        ("optimizer.lr=fast", "'fast' (str)", "float"),
        ("model.depth=2.5", "2.5 (float)", "int"),
        ("model.width=true", "True (bool)", "int"),
        ("trainer.precision=17", "17 (int)", "Literal"),
        ("loader.batch_size=big", "'big' (str)", "int"),
        ("seed=one", "'one' (str)", "int"),
    ],
)
def test_a_wrong_type_says_what_was_found_and_expected(override: str, found: str, expected: str) -> None:
    message = refused(override)
    assert f"override {override}\n  found:    {found}" in message
    assert expected in message.partition("expected:")[2]


def test_batches_without_examples_are_refused() -> None:
    message = refused("loader.batch_size=0", "loader.workers=-1")
    assert "override loader.batch_size=0\n  found:    0\n  expected: a number of at least 1" in message
    assert "override loader.workers=-1" in message


def test_a_missing_value_is_named() -> None:
    assert "set it: optimizer.lr=VALUE" in refused("optimizer.lr=???")


def test_an_interpolation_that_does_not_resolve_is_shown() -> None:
    message = refused("optimizer.lr=${model.learning_rate}")
    assert "found:    ${model.learning_rate}" in message
    assert "expected: an interpolation that resolves" in message


def test_a_target_that_does_not_exist_names_the_nearest() -> None:
    message = refused("optimizer._target_=torch.optim.Adan")
    assert "module 'torch.optim' has no 'Adan'; did you mean Adam" in message


def test_values_out_of_range_are_found_before_anything_is_loaded() -> None:
    message = refused("optimizer.lr=-1", "trainer.max_epochs=0", "scheduler=step", "scheduler.gamma=-2")
    assert message.startswith("The configuration has 3 problems")
    assert "override trainer.max_epochs=0\n  found:    max_epochs must be greater than 0, got 0" in message
    assert "learning rate" in message
    assert "gamma" in message


def test_a_task_on_targets_of_another_kind_is_impossible() -> None:
    message = refused("data=diabetes", "task=classification")
    assert "lorelab.tasks.classification.Classification on lorelab.data.builtin.diabetes" in message
    assert "whose targets are 'real'" in message
    assert "expected: targets of kind 'class'" in message


def test_a_net_that_cannot_read_the_inputs_is_impossible() -> None:
    message = refused("data=diabetes", "model=convnet")
    assert "whose inputs are 'table'" in message
    assert "inputs of kind 'image'" in message


def test_problems_of_different_kinds_are_shown_together() -> None:
    message = refused("optimizer.lr=fast", "model.depth=2.5", "data=diabetes", "task=classification")
    assert message.startswith("The configuration has 3 problems")


def test_locate_finds_functions_classes_and_methods() -> None:
    assert locate("json.dumps").__name__ == "dumps"
    assert locate("collections.OrderedDict.fromkeys").__name__ == "fromkeys"
    with pytest.raises(ImportError, match="no module 'nowhere'"):
        locate("nowhere.thing")
    with pytest.raises(ImportError, match="not a dotted path"):
        locate("thing")


@pytest.mark.parametrize("key", ["seed", "model", "trainer", "data"])
def test_a_part_that_was_removed_is_asked_for(key: str) -> None:
    assert f"override ~{key}\n  found:    no '{key}'" in refused(f"~{key}")


def test_a_value_is_blamed_on_its_override_even_if_the_library_does_not_name_the_key() -> None:
    assert "override optimizer.lr=-1\n  found:    Invalid learning rate: -1" in refused("optimizer.lr=-1")


def test_more_than_one_device_is_refused() -> None:
    assert "devices must be 1, got 2" in refused("trainer.devices=2")


@pytest.mark.parametrize(
    ("overrides", "blamed", "said"),
    [
        (["model.depth=-1"], "override model.depth=-1", "depth"),
        (["model.activation=reluu"], "override model.activation=reluu", "relu"),
        (["task.label_smoothing=2"], "override task.label_smoothing=2", "[0, 1)"),
        (["task.monitor=val/acc"], "override task.monitor=val/acc", "val/accuracy"),
        (["data=fashion_mnist", "model=convnet", "model.width=-3"], "override model.width=-3", "width"),
        (["data=tinyshakespeare", "model.heads=5"], "override model.heads=5", "heads"),
        (["data=rings", "task.grid_size=0"], "override task.grid_size=0", "grid_size"),
        (["data.val_fraction=2"], "override data.val_fraction=2", "below 1"),
        (["data.val_fraction=0.6", "data.test_fraction=0.4"], "override data.val_fraction=0.6", "below 1"),
        (["data.limit_train=0"], "override data.limit_train=0", "at least 1"),
        (["callbacks=early_stopping", "callbacks.early_stopping.monitor=val/acc"], "monitor=val/acc", "'val/accuracy'"),
        (["callbacks=early_stopping", "callbacks.early_stopping.mode=best"], "mode=best", "best"),
        (["+callbacks.mine=hello"], "override +callbacks.mine=hello", "a callback"),
        (["trainer.accelerator=tpu"], "override trainer.accelerator=tpu", "'gpu'"),
        (["tracker.uri=some/folder"], "override tracker.uri=some/folder", "a folder"),
    ],
)
def test_what_a_part_says_of_its_values_is_heard_before_any_data_is_loaded(overrides, blamed, said) -> None:
    message = refused(*overrides)
    assert "has 1 problem;" in message
    assert blamed in message
    assert said in message


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data=digits", "model=convnet", "model.channels=[8,8,8,8]"], "images of 8x8 are too small"),
        (["data=fashion_mnist", "model=convnet", "model.channels=[4,4,4,4,4]"], "images of 28x28 are too small"),
        (["data=cifar10", "model=convnet", "model.channels=[4,4,4,4,4,4]"], "images of 32x32 are too small"),
        (["data=digits", "task.class_weights=[1,2]"], "class_weights"),
        (["data=breast_cancer", "task.class_weights=[1,2,3]"], "class_weights"),
        (
            ["data=image_folder", "data.root=photos", "data.size=8", "model=convnet", "model.channels=[4,4,4,4]"],
            "images of 8x8 are too small",
        ),
    ],
)
def test_a_part_that_does_not_fit_the_data_is_refused_before_they_are_loaded(overrides, said, monkeypatch) -> None:
    monkeypatch.setenv("LORELAB_DATA_DIR", "/nowhere")
    message = refused(*overrides)
    assert "has 1 problem;" in message
    assert f"override {overrides[-1]}\n" in message
    assert said in message


def test_in_a_multirun_every_data_set_is_held_against_every_net() -> None:
    message = refused_whole("data=digits,mnist", "model=mlp,convnet", "+model.channels=[8,8,8,8]", "trainer=cpu")
    assert "images of 8x8" in message
    assert "28x28" not in message


def test_task_and_net_speak_of_their_values_together() -> None:
    message = refused("task.label_smoothing=2", "model.depth=-1")
    assert message.startswith("The configuration has 2 problems")
    message = refused("data=diabetes", "task=classification", "model.depth=-1", "optimizer.lr=-1")
    assert message.startswith("The configuration has 3 problems")


class Picky(nn.Module):
    """A net of the user's that reads rows of 10 alone."""

    def __init__(self, input_shape, out_features, head) -> None:
        if tuple(input_shape) != (10,):
            raise ValueError(f"input_shape={tuple(input_shape)}, expected (10,)")
        super().__init__()


def test_an_own_net_is_held_against_the_shape_that_the_data_will_have(monkeypatch) -> None:
    monkeypatch.setenv("LORELAB_TRUST", __name__)
    own = [f"model._target_={__name__}.Picky", "~model.width", "~model.depth", "~model.activation", "~model.dropout"]
    assert "input_shape=(30,), expected (10,)" in refused("data=breast_cancer", *own)
    (fitting,) = compose_all(["data=diabetes", *own])
    validate(fitting.cfg, fitting.origin)


def test_what_only_the_data_can_tell_waits_for_the_data() -> None:
    accepted = ["data=table", "data.path=x.csv", "data.target=y", "task=classification", "task.class_weights=[1,2]"]
    for composed in compose_all(accepted):
        validate(composed.cfg, composed.origin)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data=breast_cancer", "task=contrastive"], "without views"),
        (["data=digits", "augment=two_views"], "adds an axis of views"),
        (["data=breast_cancer", "task=contrastive", "augment=two_views"], "inputs of kind 'table'"),
    ],
)
def test_views_are_made_where_they_are_compared_and_only_there(overrides, said) -> None:
    assert said in refused(*overrides)


def test_a_task_that_waits_for_the_targets_is_valid_with_early_stopping() -> None:
    own = ["data=table", "data.path=x.csv", "data.target=y", "callbacks=early_stopping"]
    (composed,) = compose_all(own)
    validate(composed.cfg, composed.origin)
    assert composed.cfg.task.monitor is None


def test_problems_of_the_overrides_and_of_the_values_are_shown_together() -> None:
    overrides = [
        "optimizer.lrr=0.1",  # no such key
        "model=mpl",  # no such option
        "model.depth=2.5",  # a wrong type, of the option meant
        "trainer.max_epochs=0",  # out of range
        "data=diabetes",
        "task=classification",  # impossible on real values
        "seed=???",  # missing
        "loader.batch_size=${nowhere}",  # resolves to nothing
    ]
    message = refused_whole(*overrides)
    assert message.startswith("The configuration has 7 problems; nothing was started.")
    for said in ("'lrr'", "model=mpl\n", "2.5 (float)", "max_epochs must be", "are 'real'", "seed=VALUE", "${nowhere}"):
        assert said in message


def test_an_option_that_is_nothing_like_any_other_hides_no_mistake_elsewhere() -> None:
    message = refused_whole("model=zzz", "model.rows=1", "optimizer.lr=fast", "optimizer.lrr=1", "task=regression")
    assert message.startswith("The configuration has 4 problems")
    assert "whose targets are 'class'" in message
    message = refused_whole("data=zzz", "task=nce", "optimizer.lr=fast")
    assert message.startswith("The configuration has 2 problems")


def test_a_part_that_was_removed_hides_no_mistake_elsewhere() -> None:
    message = refused_whole("~model", "~seed", "optimizer.lr=fast", "loader.batch_size=0")
    assert message.startswith("The configuration has 4 problems")


def test_a_wrong_optimiser_does_not_hide_that_a_device_is_not_here(monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    message = refused_whole("trainer=gpu", "optimizer.lr=fast")
    assert message.startswith("The configuration has 2 problems")
    assert "gpu, but PyTorch finds none" in message


def test_a_missing_value_hides_no_mistake_beside_it() -> None:
    message = refused_whole("optimizer.lr=???", "optimizer.weight_decay=much", "data=table")
    assert message.startswith("The configuration has 4 problems")
    for said in ("optimizer.lr=VALUE", "'much' (str)", "data.path=VALUE", "data.target=VALUE"):
        assert said in message
    assert "needs it" not in message


def test_a_missing_value_within_a_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "augment").mkdir()
    crop = "{_target_: lorelab.data.augment.RandomCrop, padding: '???'}"
    text = f"_target_: lorelab.data.augment.Compose\ntransforms: [{crop}]\n"
    (tmp_path / "augment" / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"set it: augment.transforms.0.padding=VALUE") as caught:
        validate_all(survey(["augment=mine", "seed=one"], config_dir=str(tmp_path)))
    assert len(caught.value.problems) == 2


def test_null_is_no_option_and_no_part() -> None:
    message = refused_whole("model=null", "loader=null", "model.head=null", "seed=one", "paths.outputs=null")
    assert message.startswith("The configuration has 4 problems")
    assert "found:    model=null\n  expected: an option of conf/model/" in message
    assert "override loader=null\n  found:    loader=None" in message
    assert "override paths.outputs=null" in message


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("experiment/mine", "# @package _global_\ntraner:\n  max_epochs: 3\n", "'traner', which nothing reads"),
        ("local/default", "trainer:\n  threads: 2\n", "begin the file with the line  # @package _global_"),
        ("experiment/mine", "model:\n  width: 3\n", "begin the file with the line  # @package _global_"),
    ],
)
def test_a_key_of_a_file_that_nothing_reads_is_a_problem(tmp_path: Path, file: str, content: str, said: str) -> None:
    path = tmp_path / f"{file}.yaml"
    path.parent.mkdir()
    path.write_text(content)
    overrides = ["experiment=mine"] if "experiment" in file else []
    with pytest.raises(ConfigError) as caught:
        validate_all(survey(overrides, config_dir=str(tmp_path)))
    assert f"{path}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_key_for_interpolations_and_one_that_was_added_are_no_problems(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    content = "# @package _global_\nsize: 12\nmodel:\n  width: ${size}\n  depth: ${mine.depth}\ntrusted: [mine]\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(content)
    validate_all(survey(["experiment=mine", "+mine.depth=3", "+note=why"], config_dir=str(tmp_path)))


def test_a_key_that_was_taken_away_leaves_its_default() -> None:
    (composed,) = compose_all(["~loader.workers", "~trainer.precision"])
    validate(composed.cfg, composed.origin)
