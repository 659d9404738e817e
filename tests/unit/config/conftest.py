import pytest

from lorelab.config.resolvers import register_resolvers


@pytest.fixture(autouse=True)
def _resolvers() -> None:
    register_resolvers()
