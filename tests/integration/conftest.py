"""What tests share that start processes of their own."""

from collections.abc import Iterator

import pytest

from benchmarks.forked import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Forks ``lorelab`` commands: processes like others, without the ten seconds in which a fresh one imports."""
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server
