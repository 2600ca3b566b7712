from collections.abc import Iterator

import pytest

from inflect.store.database import Database
from tests.integration.web.house import Web, served, settings_for


@pytest.fixture
def web(database: Database, database_url: str) -> Iterator[Web]:
    """The pages over a fresh database, without a broker."""
    with served(settings_for(database_url), database) as running:
        yield running
