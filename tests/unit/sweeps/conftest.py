"""What the tests of sweeps share."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from lorelab.config.resolvers import register_resolvers
from lorelab.config.trust import instantiate
from lorelab.paths import CONF
from lorelab.sweeps.local import Composer
from lorelab.sweeps.plan import Plan, make_plan


@pytest.fixture(autouse=True)
def _resolvers() -> None:
    register_resolvers()


@pytest.fixture(scope="session")
def dead() -> dict[str, str]:
    """The marks of a process that has ended."""
    code = "import json; from lorelab.tracking.liveness import marks; print(json.dumps(marks()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def searches() -> Callable[..., Any]:
    """``SearchSettings`` as the command line gives them: ``searches("search=lr", "search/sampler=gp")``."""

    def settings(*overrides: str) -> Any:
        register_resolvers()
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            return instantiate(compose("config", overrides=list(overrides)).search)

    return settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sweep's."""
    made = tmp_path / "sweep"
    made.mkdir()
    return made


@pytest.fixture
def composers(tmp_path: Path) -> Iterator[Callable[..., Composer]]:
    """``composers("search=lr")``: a composer as ``lorelab train -m`` makes it, on outputs of the test's own.

    Its arguments are overrides of Hydra's own node, as ``hydra.launcher=…``.
    """
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):

        def make(*hydras: str) -> Composer:
            loader = GlobalHydra.instance().config_loader()
            master = loader.load_configuration("config", list(hydras), run_mode=RunMode.MULTIRUN)
            return Composer(loader, master)

        yield make


@pytest.fixture
def plans(composers, tmp_path: Path) -> Callable[..., Plan]:
    """``plans("search=lr")``: the plan of ``lorelab train -m search=lr``."""
    composer = composers()
    return lambda *overrides: make_plan([*overrides, f"paths.outputs={tmp_path}"], composer)
