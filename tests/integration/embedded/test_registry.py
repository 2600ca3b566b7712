"""The embedded registry, from its directory to its end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from inflect.embedded.registry import RegistryServer
from inflect.model.schema import Schema
from inflect.schemas.registry import Registry, RegistryAccess
from inflect.schemas.sameness import mean_the_same
from tests.plugins.registry import register_at

ORDER = '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "int"}]}'
NEWER = '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]}'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry of the test's own, not started."""
    own = RegistryServer(tmp_path / "registry", port=None)
    yield own
    own.stop()


def test_schemas_and_ids_survive_kill_and_stop_under_the_same_address(server: RegistryServer) -> None:
    server.start()
    url = server.url
    ids = [register_at(url, "orders-value", ORDER), register_at(url, "orders-value", NEWER)]
    ends: tuple[Callable[[], None], ...] = (server.kill, server.stop)
    for end in ends:
        before = server.pid
        end()
        assert not psutil.pid_exists(before)
        server.start()
        assert server.url == url
        with Registry(RegistryAccess(url)) as client:
            assert [client.version("orders-value", number).id for number in (1, 2)] == ids
            for schema_id, text in zip(ids, (ORDER, NEWER), strict=True):
                assert mean_the_same(client.by_id(schema_id), Schema("avro", text))
        assert register_at(url, "orders-value", NEWER) == ids[1]


def test_it_listens_on_loopback_alone_and_stays_small(registry: RegistryServer) -> None:
    process = psutil.Process(registry.pid)
    listening = {connection.laddr.ip for connection in process.net_connections() if connection.status == "LISTEN"}
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert process.memory_info().rss < 500_000_000
