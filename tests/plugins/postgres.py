"""The session's PostgreSQL."""

from collections.abc import Iterator

import pytest

from inflect.embedded.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A running server for the session. A test that stops or kills it starts it again."""
    with PostgresServer(tmp_path_factory.mktemp("postgres"), port=None, durable=False) as server:
        yield server
