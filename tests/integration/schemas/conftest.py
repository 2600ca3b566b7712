"""A registry that can be made to fail, and how it is reached."""

from collections.abc import Iterator

import pytest

from inflect.schemas.registry import Registry, RegistryAccess
from tests.registry_fake import FakeRegistry


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    """A running fake, empty and without a fault."""
    with FakeRegistry() as server:
        yield server


@pytest.fixture
def client(fake: FakeRegistry) -> Iterator[Registry]:
    """A client of the fake."""
    with Registry(RegistryAccess(fake.url)) as registry:
        yield registry
