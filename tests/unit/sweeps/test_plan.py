"""What a command line asks for as a sweep, and which commands go on with which sweep."""

import shlex
import subprocess

import pytest
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode
from omegaconf import OmegaConf

from lorelab.errors import ConfigError, LorelabError
from lorelab.paths import CONF
from lorelab.sweeps import folder as folders
from lorelab.sweeps.folder import About
from lorelab.sweeps.local import Composer
from lorelab.sweeps.plan import make_plan
from lorelab.sweeps.preset import preset_command, write_preset

DIGITS = ("experiment=digits_mlp",)


def about(plan, **changes) -> About:
    return About(
        **{
            "name": plan.name, "identity": plan.identity, "code": plan.code, "direction": plan.direction,
            "monitor": plan.monitor, "total": plan.total, "command": ("-m", "seed=0,1"), "cwd": ".",
            "storage": "journal", "attempts": 3,
        } | changes
    )  # fmt: skip


def test_a_grid_has_a_trial_for_each_combination_in_hydras_order(plans) -> None:
    plan = plans(*DIGITS, "optimizer=adam,sgd", "trainer.max_epochs=2", "seed=range(0,3)")
    assert plan.total == 6
    assert plan.search is None
    assert [plan.overrides(params)[-2:] for params in plan.combinations][:4] == [
        ["optimizer=adam", "seed=0"],
        ["optimizer=adam", "seed=1"],
        ["optimizer=adam", "seed=2"],
        ["optimizer=sgd", "seed=0"],
    ]
    assert "trainer.max_epochs=2" in plan.overrides(plan.combinations[0])
    assert (plan.monitor, plan.direction, plan.seed) == ("val/accuracy", "maximize", 0)
    assert plan.name.startswith("digits-mlp-grid-")


def test_a_sweep_of_nothing_is_one_trial(plans) -> None:
    plan = plans(*DIGITS)
    assert (plan.total, plan.combinations) == (1, ({},))


def test_a_glob_is_all_options_of_its_group(plans) -> None:
    plan = plans(*DIGITS, "optimizer=glob(s*)")
    assert [params["optimizer"] for params in plan.combinations] == ["sgd", "sgd_momentum"]
    plan = plans(*DIGITS, "search=default", "+search.space={optimizer:'glob(*,exclude=rms*)'}")
    assert plan.dimensions[0].choices == ("adam", "adamw", "sgd", "sgd_momentum")


def test_a_search_has_the_space_of_its_config_and_the_sweeps_of_the_command_line_win(plans) -> None:
    plan = plans(*DIGITS, "search=lr")
    (lr,) = plan.dimensions
    assert (lr.key, lr.low, lr.high, lr.log) == ("optimizer.lr", 1e-5, 1.0, True)
    assert (plan.total, plan.combinations) == (24, ())
    plan = plans(*DIGITS, "search=lr", "optimizer.lr=interval(0.1,0.2)", "model.width=int(interval(8,64))")
    assert [(each.key, each.kind, each.low, each.high) for each in plan.dimensions] == [
        ("optimizer.lr", "float", 0.1, 0.2),
        ("model.width", "int", 8, 64),
    ]
    assert plan.name.startswith("digits-mlp-lr-")
    assert plan.overrides({"optimizer.lr": 0.125, "model.width": 9})[-2:] == ["optimizer.lr=0.125", "model.width=9"]


def test_a_conditional_search_renders_what_applies(plans) -> None:
    plan = plans(*DIGITS, "search=optimizer")
    assert {each.key: each.condition for each in plan.dimensions} == {
        "optimizer": None,
        "optimizer.lr": None,
        "optimizer.momentum": ("optimizer", ("sgd",)),
    }
    fixed = len(plan.fixed)
    assert plan.overrides({"optimizer": "adam", "optimizer.lr": 0.1})[fixed:] == ["optimizer.lr=0.1", "optimizer=adam"]


def test_a_condition_may_name_what_does_not_vary(plans) -> None:
    asked = ("search=default", "+search.space={optimizer.momentum:'interval(0,1)',seed:'1,2'}",
             "+search.conditions={optimizer.momentum:'optimizer=sgd',seed:'loader.batch_size=32'}")  # fmt: skip
    assert plans(*DIGITS, *asked, "optimizer=sgd").outside == {"optimizer": "sgd", "loader.batch_size": "32"}


def test_a_grid_search_stops_at_its_trials_and_by_null_at_its_end(plans) -> None:
    asked = (*DIGITS, "search=default", "search/sampler=grid", "optimizer.lr=0.1,0.01", "seed=range(0,20)")
    assert plans(*asked).total == 20
    assert plans(*asked, "search.trials=null").total == 40
    assert plans(*asked, "search.trials=400").total == 40
    with pytest.raises(ConfigError, match=r"(?s)search\.trials.*null.*only a grid has an end of its own"):
        plans(*DIGITS, "search=lr", "search.trials=null")
    with pytest.raises(ConfigError, match=r"optimizer\.lr: an interval"):
        plans(*DIGITS, "optimizer.lr=interval(0,1)")


@pytest.mark.parametrize(
    ("overrides", "direction"),
    [
        (["search=lr", "search.direction=minimize"], "minimize"),
        (["task=auto"], "maximize"),  # the data say what kind of problem it is
        (["data=diabetes", "task=auto"], "minimize"),
        (["experiment=nce_moons"], None),
        (["task.monitor=val/loss", "task.mode=min"], "minimize"),
    ],
)
def test_the_direction_is_the_tasks_unless_the_search_says_otherwise(plans, overrides, direction) -> None:
    plan = plans(*overrides)
    mode = plan.base.task.get("mode")
    assert plan.direction == (direction or {"min": "minimize", "max": "maximize"}[mode])


def test_equal_commands_have_equal_names_whatever_changes_no_result(plans) -> None:
    asked = (*DIGITS, "optimizer.lr=0.1,0.01", "seed=0,1")
    name = plans(*asked).name
    assert name == plans(*asked).name
    assert name.isascii()
    assert " " not in name
    for volatile in ("progress=quiet", "tracker=none", "+tags.study=q4", "sweep.workers=2", "sweep.max_failures=9",
                     "sweep.batch=3", "loader.workers=1", "trainer.checkpoint_every_steps=7"):  # fmt: skip
        assert plans(*asked, volatile).name == name, volatile


@pytest.mark.parametrize(
    "other",
    [
        ["trainer.max_epochs=3"],
        ["optimizer.weight_decay=0.1"],
        ["seed=0,1,2"],
        ["optimizer.lr=0.01,0.1"],
        ["model=convnet"],
        ["model.width=1,2"],
        ["+model.head.extra=1"],
        ["data.split_seed=3"],
        ["reproducible=strict"],
        ["search=default", "search/sampler=grid"],
    ],
)
def test_a_command_with_other_results_has_another_name(plans, other: list[str]) -> None:
    asked = (*DIGITS, "optimizer.lr=0.1,0.01", "seed=0,1")
    assert plans(*asked).name != plans(*asked, *other).name


@pytest.mark.parametrize(
    ("asked", "first", "second"),
    [
        (["optimizer=adam,sgd"], ["optimizer.lr=0.1"], ["optimizer.lr=0.2"]),
        (["model=mlp,convnet"], ["model.head.bias=true"], ["model.head.bias=false"]),
        (["search=optimizer"], ["optimizer.weight_decay=0"], ["optimizer.weight_decay=0.1"]),
    ],
)
def test_a_value_below_a_group_that_varies_belongs_to_the_sweep(plans, asked, first, second) -> None:
    assert plans(*DIGITS, *asked, *first).name != plans(*DIGITS, *asked, *second).name


def test_a_search_is_known_by_its_space_its_sampler_and_its_judge_but_not_by_its_length(plans) -> None:
    asked = (*DIGITS, "search=lr")
    name = plans(*asked).name
    for same in ("search.trials=99", "search.confirm_best=0", "search.confirm_seeds=2", "search.storage=env"):
        assert plans(*asked, same).name == name, same
    others = [
        ["search.seed=1"], ["search/sampler=gp"], ["search/pruner=median"], ["search.seeds=2"], ["search.value=worst"],
        ["search.startup_trials=4"], ["search.sampler.n_startup_trials=4"], ["search.direction=minimize"],
        ["search.space={optimizer.lr:'interval(0,1)'}"], ["optimizer.lr=interval(0.1,1)"], ["search.test=true"],
    ]  # fmt: skip
    names = {plans(*asked, *other).name for other in others}
    assert len(names - {name}) == len(others)


def test_a_sweep_that_is_forced_is_one_of_its_own(plans) -> None:
    asked = (*DIGITS, "seed=0,1", "force=true")
    assert plans(*asked).name != plans(*asked).name


def test_an_option_of_a_group_that_was_edited_makes_another_sweep(composers, tmp_path) -> None:
    mine = tmp_path / "mine" / "optimizer"
    mine.mkdir(parents=True)
    names = []
    for lr in (0.1, 0.2):
        (mine / "own.yaml").write_text(yaml.safe_dump({"_target_": "torch.optim.SGD", "_partial_": True, "lr": lr}))
        path = f"hydra.searchpath=[file://{mine.parent}]"
        names.append(make_plan([*DIGITS, "optimizer=adam,own"], composers.__wrapped__(path)).name)  # not a kept one
    assert names[0] != names[1]


def test_a_name_that_is_given_is_taken_and_its_sweep_must_be_the_same(plans, tmp_path) -> None:
    plan = plans(*DIGITS, "seed=0,1", "sweep.name=mine")
    assert (plan.name, plan.folder) == ("mine", tmp_path / "sweeps" / "mine")
    plan.folder.mkdir(parents=True)
    begun = folders.join(plan.folder, about(plan))
    assert begun.created > 0
    assert folders.join(plan.folder, about(plan)) == begun == folders.read(plan.folder)
    raised = folders.join(plan.folder, about(plan, total=9, confirm=(1, 2)))
    assert (raised.total, raised.confirm, raised.created) == (9, (1, 2), begun.created)
    wrong = {
        "space": ["seed=0,2"],
        "config: trainer.max_epochs was 30 and is now 3": ["seed=0,1", "trainer.max_epochs=3"],
        "config: optimizer._target_ was torch.optim.Adam and is now torch.optim.SGD": ["seed=0,1", "optimizer=sgd"],
    }
    for difference, overrides in wrong.items():
        other = plans(*DIGITS, *overrides, "sweep.name=mine")
        with pytest.raises(LorelabError, match=r"sweep\.name=mine: there is a sweep of this name") as caught:
            folders.join(plan.folder, about(other))
        assert difference in str(caught.value)
        assert "begun with (lorelab train -m seed=0,1); choose another sweep.name=" in str(caught.value)
    search = plans(*DIGITS, "search=lr", "sweep.name=other")
    search.folder.mkdir(parents=True)
    folders.join(search.folder, about(search))
    with pytest.raises(LorelabError, match=r"another search: seed was 0 and is now 1"):
        folders.join(search.folder, about(plans(*DIGITS, "search=lr", "search.seed=1", "sweep.name=other")))


def test_other_code_is_warned_of_and_an_unknown_sweep_is_named(plans, capsys, tmp_path) -> None:
    plan = plans(*DIGITS, "seed=0,1", "sweep.name=digits")
    plan.folder.mkdir(parents=True)
    folders.join(plan.folder, about(plan))
    folders.join(plan.folder, about(plan, code="another"))
    assert "sweep digits was begun with other code" in capsys.readouterr().err
    with pytest.raises(LorelabError, match=r"found no sweep 'digit'; .*digits"):
        folders.read(plan.folder.with_name("digit"))


PRESETS = [
    (["optimizer.lr=0.1,0.2", "seed=0"], {"optimizer.lr": "0.2"}),
    (["experiment=digits_mlp", "optimizer=adam,sgd", "optimizer.lr=0.1,0.2"],
     {"optimizer": "sgd", "optimizer.lr": "0.2"}),
    (["experiment=digits_mlp", "model/head=linear,cosine", "seed=1,2"], {"model/head": "cosine", "seed": "2"}),
    (["model=mlp,convnet", "data=fashion_mnist", "model/head=mlp"], {"model": "convnet"}),
    (["experiment=digits_mlp,fashion_mnist_mlp", "trainer.max_epochs=2"], {"experiment": "fashion_mnist_mlp"}),
    (["experiment=digits_mlp", "search=optimizer"],
     {"optimizer": "sgd", "optimizer.lr": 0.015625, "optimizer.momentum": 0.5}),
    (["experiment=digits_mlp", "search=lr", "scheduler=warmup_cosine", "trainer.max_epochs=2"],
     {"optimizer.lr": 1.2345678901234567e-05}),
    (["experiment=digits_mlp", "+model.extra=[1,2],[3]", "++model.more={a:1}"], {"+model.extra": "[3]"}),
    (["experiment=digits_mlp", "debug=steps", "seed=0,1"], {"seed": "1"}),
    (["experiment=digits_mlp", "~scheduler", "seed=0,1"], {"seed": "1"}),
    (["experiment=digits_mlp", "+model/head@second=linear,cosine"], {"+model/head@second": "cosine"}),
    (["experiment=digits_mlp", "callbacks=none", "optimizer.betas=[0.9,0.99],[0.8,0.9]", "loader.batch_size=16"],
     {"optimizer.betas": "[0.8,0.9]"}),
    (["experiment=digits_mlp", "augment=noise", "scheduler=constant,cosine", "reproducible=strict"],
     {"scheduler": "cosine"}),
    (["experiment=digits_mlp", "optimizer=sgd", "~optimizer.nesterov", "seed=0,1"], {"seed": "1"}),
    (["experiment=digits_mlp", "+model.note='a: \"b\", c','d'", "data.split_seed=1"], {"+model.note": "'a: \"b\", c'"}),
]  # fmt: skip
NOT_OF_THE_PRESET = ("seed", "paths", "search", "sweep", "tracker", "progress", "tags", "force")


@pytest.mark.parametrize(("command", "params"), PRESETS, ids=" ".join)
def test_the_preset_that_is_written_composes_to_the_winners_config(composers, tmp_path, command, params) -> None:
    composer = composers()
    plan = make_plan([*command, f"paths.outputs={tmp_path}"], composer)
    overrides = plan.overrides(params)
    said = write_preset(tmp_path, "mine", overrides, composer, ["The best."])
    first, *words = shlex.split(said.removeprefix(f"lorelab train --config-dir {tmp_path / 'conf'} "))
    assert first == "experiment=mine"
    assert preset_command(tmp_path, "mine") == said
    again = composers(f"hydra.searchpath=[file://{tmp_path / 'conf'}]").compose([first, *words])
    winner = composer.compose(overrides)
    for cfg in (again, winner):
        OmegaConf.set_readonly(cfg, False)
        OmegaConf.set_struct(cfg, False)
        for key in ("hydra", *NOT_OF_THE_PRESET):
            cfg.pop(key, None)
    assert OmegaConf.to_container(again) == OmegaConf.to_container(winner)


def test_a_preset_that_builds_on_a_folder_of_ones_own_is_copied_there(tmp_path) -> None:
    mine, places = tmp_path / "my conf", create_config_search_path(str(CONF))
    (mine / "optimizer").mkdir(parents=True)
    (mine / "optimizer" / "own.yaml").write_text(yaml.safe_dump({"_target_": "torch.optim.SGD", "_partial_": True}))
    places.prepend("command-line", f"file://{mine}")  # as --config-dir does
    loader = ConfigLoaderImpl(places)
    composer = Composer(loader, loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN))
    command = write_preset(tmp_path / "sweep", "best", ["optimizer=own"], composer)
    copy, train = command.rsplit(" && ", 1)
    subprocess.run(copy, shell=True, check=True)
    assert shlex.split(train) == ["lorelab", "train", "--config-dir", str(mine), "experiment=best"]
    assert loader.load_configuration("config", ["experiment=best"], run_mode=RunMode.RUN).optimizer == {
        "_target_": "torch.optim.SGD",
        "_partial_": True,
    }
