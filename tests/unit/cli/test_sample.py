"""``lorelab sample`` on a real store."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from lorelab.cli.sample import main
from lorelab.errors import LorelabError
from lorelab.paths import CONF
from lorelab.records import DataSpec, RunRecord, RunStart, RunStatus
from lorelab.tracking.mlflow_tracker import MLflowTracker
from lorelab.training.checkpoint import save_checkpoint

TEXT = DataSpec("greetings", "text", (8,), "token", num_classes=5, vocabulary=("\ufffd", "\n", "e", "h", "y"))
IMAGES = DataSpec("digits", "image", (1, 8, 8), "class", num_classes=3)


def resolved(task: str, model: str, **options: object) -> dict:
    group = OmegaConf.load(CONF / "model" / f"{model}.yaml")
    group.pop("defaults")
    head = OmegaConf.load(CONF / "model" / "head" / "linear.yaml")
    config = OmegaConf.merge({"task": OmegaConf.load(CONF / "task" / f"{task}.yaml")}, {"model": group})
    return OmegaConf.to_container(OmegaConf.merge(config, {"model": {"head": head} | options}))


def store_run(uri: str, folder: Path, name: str, data: DataSpec, config: dict, net: nn.Module) -> str:
    tracker = MLflowTracker(uri)
    run_id = tracker.start(RunStart(name, {}, {}))
    record = RunRecord(run_id, name, RunStatus.FINISHED, "val/loss", "min", 0.1)
    save_checkpoint(folder / name / "best.ckpt", record, net.state_dict(), config, data)
    tracker.artifact(folder / name / "best.ckpt", "checkpoints")
    tracker.finish(record)
    return run_id


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Its URI, and the id of a model that says "hey" and a new line for ever."""
    from lorelab.nets.charmlp import CharMLP
    from lorelab.nets.mlp import MLP

    folder = tmp_path_factory.mktemp("sample")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    net = CharMLP((8,), 5, nn.Linear, reach=1, embedding=6, width=6)
    following = {1: 3, 3: 2, 2: 4, 4: 1}  # new line, h, e, y
    with torch.no_grad():
        net.tokens.weight.copy_(torch.eye(6))
        net.layers[0].weight.copy_(5 * torch.eye(6))
        net.layers[0].bias.zero_()
        net.head.weight.zero_()
        net.head.bias.zero_()
        for token, then in following.items():
            net.head.weight[then, token] = 6.0
    config = resolved("language", "char_mlp", reach=1, embedding=6, width=6)
    run_id = store_run(uri, folder, "hey-model", TEXT, config, net)
    classifier = MLP((1, 8, 8), 3, nn.Linear, width=4, depth=1)
    store_run(uri, folder, "digits-mlp", IMAGES, resolved("classification", "mlp", width=4, depth=1), classifier)
    return uri, run_id


def test_greedy_text_follows_the_model_for_any_name_of_the_run(store, capsys) -> None:
    uri, run_id = store
    for name in ("hey-model", run_id, run_id[:10]):
        assert main([name, "--prompt", "he", "--temperature", "0", "--length", "9", "--uri", uri]) == 0
        assert capsys.readouterr().out == "hey\nhey\nhey\n"


def test_without_a_prompt_the_text_begins_after_a_new_line(store, capsys) -> None:
    main(["hey-model", "--temperature", "0", "--length", "3", "--uri", store[0]])
    assert capsys.readouterr().out == "\nhey\n"


def test_the_seed_decides_the_text_and_heat_makes_it_wilder(store, capsys) -> None:
    def text(*options: str) -> str:
        main(["hey-model", "--length", "200", "--uri", store[0], *options])
        return capsys.readouterr().out

    assert text("--seed", "1", "--temperature", "3") == text("--seed", "1", "--temperature", "3")
    assert text("--seed", "1", "--temperature", "3") != text("--seed", "2", "--temperature", "3")
    assert text("--temperature", "0.2").count("hey\n") > 40 > text("--temperature", "9").count("hey\n")


def test_characters_that_the_model_never_saw_are_named_with_those_it_knows(store) -> None:
    with pytest.raises(LorelabError, match=r"--prompt: found 'H' 'z'; expected .* 4 characters .*: '\\nehy'"):
        main(["hey-model", "--prompt", "zeH", "--uri", store[0]])
    with pytest.raises(LorelabError, match=r"--prompt: found no character; expected one or more"):
        main(["hey-model", "--prompt", "", "--uri", store[0]])


def test_a_run_that_is_no_language_model_says_what_it_is(store) -> None:
    pattern = (
        r"run digits-mlp: found a model of 'digits', image to class; expected a language model. Train one: lorelab"
    )
    with pytest.raises(LorelabError, match=pattern):
        main(["digits-mlp", "--uri", store[0]])


def test_a_run_that_is_not_there_is_answered_with_the_nearest(store) -> None:
    with pytest.raises(LorelabError, match="hey-model"):
        main(["hey-modle", "--uri", store[0]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--temperature", "-1"], "'-1' is no temperature; expected a number of at least 0"),
        (["--temperature", "nan"], "'nan' is no temperature"),
        (["--temperature", "warm"], "'warm' is no temperature"),
        (["--length", "0"], "'0' is no length; expected a whole number of at least 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["hey-model", *options])
    assert message in capsys.readouterr().err
