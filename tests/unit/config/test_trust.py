"""A config or a checkpoint from elsewhere runs nothing: shown by the absence of the side effect."""

from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from lorelab.config import trust
from lorelab.config.restore import restore
from lorelab.config.trust import UntrustedTargetError, instantiate, judge_name, judge_object, trusted
from lorelab.errors import ConfigError, DataError, LorelabError
from lorelab.nets.mlp import MLP
from lorelab.records import DataSpec, RunRecord, RunStatus
from lorelab.training.checkpoint import save_checkpoint


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "subprocess.run",
        "torch.hub.load",
        "torch.load",
        "torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler",
        "lorelab.training.provenance.subprocess.run",
        "lorelab.training.provenance._git",
        "lorelab.cli.ui.main",
        "lorelabel.thing",
        "hydra.utils.get_method",
        "torch.nn.functional.handle_torch_function",
        "torchvision.models.WeightsEnum.get_state_dict",
        "torchvision.models.get_weight",
        "lorelab.data.examples.write_table",
        "lorelab.data.files.data_root",
        "lorelab.tracking.mlflow_tracker.MLflowTracker.artifact",
        "lorelab.tracking.outbox.Outbox.replace",
        "lorelab.training.provenance.capture",
    ],
)
def test_what_is_no_part_of_a_run_is_refused(target: str) -> None:
    with pytest.raises(ConfigError, match=r"conf/local/default\.yaml"):
        instantiate(OmegaConf.create({"deep": [{"_target_": target, "_args_": ["x"]}]}))


@pytest.mark.parametrize(
    "target", ["torch.optim.Adam", "torch.nn.Linear", "lorelab.nets.mlp.MLP", "pytorch_lightning.callbacks.Timer"]
)
def test_parts_are_trusted(target: str) -> None:
    judge_name(target)


def test_a_malicious_config_has_no_effect(lorelab, work: Path) -> None:
    trap = work / "sprung"
    for key in ("+callbacks.x", "optimizer", "model.head", "+hydra.callbacks.x"):
        target = [f"{key}._target_=os.system", f"+{key.lstrip('+')}.command='touch {trap}'"]
        done = lorelab("train", "experiment=digits_mlp", *target, check=False)
        assert done.returncode == 2, key
        assert "'os.system' is not in a trusted module" in done.stderr
    assert not trap.exists()


def test_a_module_of_the_users_is_not_imported_before_it_is_trusted(lorelab, work: Path) -> None:
    (work / "mine.py").write_text(f"open({str(work / 'sprung')!r}, 'w')\nclass Part: pass\n")
    done = lorelab("train", "+callbacks.x._target_=mine.Part", check=False, LORELAB_TRUST="")
    assert (done.returncode, (work / "sprung").exists()) == (2, False)
    assert "LORELAB_TRUST=module" in done.stderr


def test_the_config_inside_a_checkpoint_is_judged_too(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    config = {"task": {"_target_": "os.system", "command": f"touch {trap}"}, "model": {"_target_": "x.y"}}
    spec = DataSpec("toy", "table", (3,), "class", 2, ("a", "b"))
    record = RunRecord("id", "r", RunStatus.FINISHED, "val/accuracy", "max")
    net = MLP((3,), 2, torch.nn.Linear)
    save_checkpoint(tmp_path / "best.ckpt", record, net.state_dict(), config, spec)
    with pytest.raises(LorelabError, match=r"os\.system"):
        restore(tmp_path / "best.ckpt")
    assert not trap.exists()


def test_the_user_trusts_by_file_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "default.yaml").write_text("trusted: [mine, yours.sub]\n")
    monkeypatch.setattr(trust, "LOCAL", tmp_path / "default.yaml")
    monkeypatch.setenv("LORELAB_TRUST", "theirs, ")
    assert {"mine", "yours.sub", "theirs"} < set(trusted())
    judge_name("yours.sub.Thing")
    with pytest.raises(UntrustedTargetError):
        judge_name("yours.Thing")


def test_what_a_trusted_name_leads_to_must_be_trusted_itself() -> None:
    import subprocess

    with pytest.raises(UntrustedTargetError, match="leads to subprocess"):
        judge_object("lorelab.training.provenance.run", subprocess.run)


def test_errors_of_our_own_come_out_as_they_are_and_others_as_hydras(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mine\.npz cannot be read"):
        instantiate({"_target_": "lorelab.data.arrays.arrays", "path": str(tmp_path / "mine.npz")})
    with pytest.raises(InstantiationException) as caught:
        instantiate({"_target_": "torch.nn.Dropout", "p": 2.0})
    assert isinstance(caught.value.__cause__, ValueError)


def test_nothing_else_builds_from_configs() -> None:
    root = Path(trust.__file__).parents[1]
    users = [path.name for path in root.rglob("*.py") if "hydra.utils" in path.read_text()]
    assert users == ["trust.py"]


@pytest.mark.parametrize(
    "override",
    [
        "+hydra.job.env_set={{GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: core.fsmonitor, GIT_CONFIG_VALUE_0: {script}}}",
        "hydra.searchpath=[pkg://evil]",
        "+hydra.hydra_logging={{version: 1, formatters: {{f: {{class: evil.X}}}}}}",
        "+hydra.job_logging.formatters.x={{'()': os.system, command: {script}}}",
        "+hydra.callbacks.x._target_=hydra.core.utils.os.system",
    ],
)
def test_hydras_own_node_runs_nothing_either(lorelab, work: Path, override: str) -> None:
    script = work / "script.sh"
    script.write_text(f"#!/bin/sh\ntouch {work}/sprung\n")
    script.chmod(0o755)
    (work / "evil.py").write_text(f"open({str(work / 'sprung')!r}, 'w')\n")
    done = lorelab("train", "experiment=digits_mlp", override.format(script=script), check=False, PYTHONPATH=str(work))
    assert done.returncode == 2, done.stderr
    assert "nothing was started" in done.stderr
    assert not (work / "sprung").exists()


@pytest.mark.parametrize("flags", [[], ["--help"], ["--cfg", "job"], ["--info", "all"]], ids="".join)
@pytest.mark.parametrize(
    "hydra",
    [
        "hydra: {searchpath: ['pkg://evil']}",
        "hydra: {searchpath: ['structured://evil']}",
        "hydra: {searchpath: ['${place}']}\nplace: pkg://evil",
        "hydra: {searchpath: '${places}'}\nplaces: ['pkg://evil']",
        "hydra: ${other}\nother: {searchpath: ['pkg://evil']}",
        "hydra: {hydra_logging: {version: 1, formatters: {f: {'()': evil.X}}}}",
    ],
)
def test_a_primary_config_of_another_tree_runs_nothing(lorelab, work: Path, hydra: str, flags: list[str]) -> None:
    (work / "evil.py").write_text(f"open({str(work / 'sprung')!r}, 'w')\n")
    (work / "tree").mkdir()
    (work / "tree" / "config.yaml").write_text(hydra + "\n")
    done = lorelab("train", "--config-path", str(work / "tree"), *flags, check=False)
    assert done.returncode == 2, done.stderr
    assert "nothing was started" in done.stderr
    assert not (work / "sprung").exists()


def test_a_primary_config_in_a_folder_of_options_is_judged_too(lorelab, work: Path) -> None:
    (work / "evil.py").write_text(f"open({str(work / 'sprung')!r}, 'w')\n")
    (work / "mine.yml").write_text("hydra: {searchpath: ['pkg://evil']}\n")
    done = lorelab("train", f"--config-dir={work}", "--config-name=mine.yml", check=False)
    assert (done.returncode, (work / "sprung").exists()) == (2, False)
    assert f"{work}/mine.yml: hydra.searchpath" in done.stderr
    assert "pkg://evil" in done.stderr


def test_a_search_path_of_folders_is_no_problem(lorelab, work: Path) -> None:
    (work / "more" / "model").mkdir(parents=True)
    (work / "more" / "model" / "wide.yaml").write_text("width: 99\n")
    (work / "tree").mkdir()
    path = f"hydra: {{searchpath: ['file://{work}/more', {work}]}}"
    (work / "tree" / "config.yaml").write_text(f"defaults: [model: wide, _self_]\n{path}\n")
    done = lorelab("train", "-cp", str(work / "tree"), "--cfg", "job")
    assert "width: 99" in done.stdout


@pytest.mark.parametrize("option", ["--config-pat=tree", "--experimental-rerun=job.pickle", "-cnmine"])
def test_options_that_the_check_does_not_know_are_not_handed_to_hydra(lorelab, option: str) -> None:
    done = lorelab("train", option, check=False)
    assert done.returncode == 2
    assert f"option {option.partition('=')[0]}" in done.stderr
    assert "nothing was started" in done.stderr


def test_weights_that_torchvision_would_unpickle_are_refused() -> None:
    with pytest.raises(ConfigError, match="their files are pickles"):
        instantiate(OmegaConf.create({"_target_": "torchvision.models.resnet18", "weights": "DEFAULT"}))
