"""What the tests of sweeps share."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from lorelab.config.resolvers import register_resolvers
from lorelab.config.trust import instantiate
from lorelab.paths import CONF


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
