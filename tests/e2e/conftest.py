"""What every test from outside starts from: an installation of its own and its own topics on the session's servers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inflect.embedded.kafka import KafkaServer
from tests.e2e.scene import Scene
from tests.e2e.traffic import Broker
from tests.installation import Installation


@pytest.fixture
def broker(kafka: KafkaServer) -> Broker:
    """Write, read and create topics."""
    return Broker(kafka)


@pytest.fixture
def installation(tmp_path: Path, kafka: KafkaServer, database_url: str) -> Iterator[Installation]:
    """A running `inflect serve` with an empty processors directory and a database of its own."""
    with Installation(tmp_path, kafka.bootstrap_servers, database_url) as running:
        yield running


@pytest.fixture
def scene(installation: Installation, broker: Broker, topic_name: Callable[[str], str]) -> Scene:
    """The installation and topics for its pipelines, named after the test's own random word."""
    return Scene(installation, broker, topic_name)
