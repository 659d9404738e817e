"""What every task kind must do, run over all of them: ``contract_KIND.py`` holds the toy problems of a kind."""

from importlib import import_module
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lorelab.paths import CONF
from lorelab.testing import CONTRACT, trained

FILES = sorted(Path(__file__).parent.glob("contract_*.py"))
TOYS = {name: toy for path in FILES for name, toy in import_module(path.stem).TOYS.items()}


@pytest.mark.parametrize("toy", TOYS.values(), ids=TOYS)
@pytest.mark.parametrize("clause", CONTRACT, ids=lambda clause: clause.__name__)
def test_a_task_kind_keeps_the_contract(toy, clause):
    clause(toy)


def test_every_configured_task_kind_has_a_toy_problem():
    # A file that leaves the monitor open is no kind: it lets the data choose one.
    kinds = {path.stem for path in (CONF / "task").glob("*.yaml") if OmegaConf.load(path).monitor is not None}
    assert {path.stem.removeprefix("contract_") for path in FILES} == kinds


@pytest.mark.parametrize("toy", TOYS.values(), ids=TOYS)
def test_what_can_be_monitored_is_measured(toy):
    task = toy.build()[0]
    assert {f"val/{name}" for name in task.better} <= {name for name, _, _ in trained(toy).tracker.points}
    assert task.monitor.removeprefix("val/") in task.better
    at_test = {**task.better, **getattr(task, "better_at_test", {})}
    assert {f"test/{name}" for name in at_test} <= set(trained(toy).record.metrics)
