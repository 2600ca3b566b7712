"""What every test from outside starts from: an installation of its own and its own topics on the session's servers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.embedded.postgres import PostgresServer
from tests.e2e.scene import Scene
from tests.e2e.traffic import Broker
from tests.installation import Installation
from tests.plugins.database import fresh_database


@pytest.fixture
def broker(kafka: KafkaServer) -> Broker:
    """Write, read and create topics."""
    return Broker(kafka)


@pytest.fixture
def installation(tmp_path: Path, kafka: KafkaServer, database_url: str) -> Iterator[Installation]:
    """A running `inflect serve` with an empty processors directory and a database of its own."""
    with Installation(tmp_path, kafka.bootstrap_servers, database_url) as running:
        yield running


@pytest.fixture(scope="module")
def shared_installation(
    tmp_path_factory: pytest.TempPathFactory, kafka: KafkaServer, postgres: PostgresServer, database_template: str
) -> Iterator[Installation]:
    """A running `inflect serve` for a whole module."""
    directory = tmp_path_factory.mktemp("shared")
    with (
        fresh_database(postgres, database_template) as url,
        Installation(directory, kafka.bootstrap_servers, url) as running,
    ):
        yield running


@pytest.fixture
def shared_scene(
    shared_installation: Installation, broker: Broker, topic_name: Callable[[str], str]
) -> Iterator[Scene]:
    """For tests that disturb nobody: the module's installation. Their pipelines are deleted afterwards."""
    scene = Scene(shared_installation, broker, topic_name)
    yield scene
    scene.clear()


@pytest.fixture
def scene(installation: Installation, broker: Broker, topic_name: Callable[[str], str]) -> Scene:
    """The installation and topics for its pipelines, named after the test's own random word."""
    return Scene(installation, broker, topic_name)
