"""What tests share that start processes of their own."""

from collections.abc import Iterator

import pytest

from benchmarks.forked import Server


@pytest.fixture(scope="session")
def _one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(_one_server: Server) -> Iterator[Server]:
    """Forks ``lorelab`` commands: processes like others, without the ten seconds in which a fresh one imports. What a
    test leaves under way ends with it."""
    yield _one_server
    _one_server.end()
