"""The session's broker."""

import secrets
from collections.abc import Callable, Iterator

import pytest

from inflect.embedded.kafka import KafkaServer


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A running broker for the session. A test that stops or kills it starts it again."""
    with KafkaServer(tmp_path_factory.mktemp("kafka"), port=None) as server:
        yield server


@pytest.fixture
def topic_name() -> Callable[..., str]:
    """A name that no other test uses: `topic_name("orders")`."""

    def name(prefix: str = "topic") -> str:
        return f"{prefix}-{secrets.token_hex(4)}"

    return name
