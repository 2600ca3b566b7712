"""The scenes of a module play at the same time, on the session's broker."""

from collections.abc import Iterator
from typing import Any

import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.supervisor.process import start_forkserver
from tests.faults.stage import Played, bodies_of


@pytest.fixture(scope="session")
def context() -> Any:
    """What workers are forked from."""
    return start_forkserver()


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, kafka: KafkaServer, context: Any) -> Iterator[Played]:
    """All scenes of this module, begun."""
    scenes = Played(bodies_of(request.session.items, request.module), kafka.bootstrap_servers, context)
    try:
        yield scenes
    finally:
        scenes.close()
