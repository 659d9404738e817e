"""What the tests of sweeps share."""

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
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


@pytest.fixture(scope="session")
def composers() -> Callable[..., Composer]:
    """``composers("hydra.job.name=x")``: a composer as ``lorelab train -m`` makes it; kept, because the first config of
    each kind takes long. Its arguments are overrides of Hydra's own node."""
    register_resolvers()

    @functools.cache
    def make(*hydras: str) -> Composer:
        loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
        return Composer(loader, loader.load_configuration("config", list(hydras), run_mode=RunMode.MULTIRUN))

    return make


@pytest.fixture
def plans(composers, tmp_path: Path) -> Callable[..., Plan]:
    """``plans("search=lr")``: the plan of ``lorelab train -m search=lr`` on outputs of the test's own."""
    return lambda *overrides: make_plan([*overrides, f"paths.outputs={tmp_path}"], composers())
