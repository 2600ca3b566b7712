"""The embedded PostgreSQL, from its directory to its end."""

import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from inflect.embedded.postgres import PostgresServer
from inflect.errors import InflectError, UnreachableError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server of the test's own, running."""
    with PostgresServer(tmp_path / "postgres", port=None) as running:
        yield running


def answer(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row and row[0]


def test_any_client_gets_in_by_the_url(server: PostgresServer) -> None:
    assert answer(server.url, "SELECT current_database() || ' ' || current_user") == "inflect inflect"
    assert psutil.Process(server.pid).name() == "postgres"


def test_nobody_gets_in_without_the_password(server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url.replace("inflect:", "inflect:x", 1))
    address = Path(server._address)
    assert stat.S_IMODE(address.stat().st_mode) == 0o600


def test_committed_rows_survive_kill_and_stop_under_the_same_url(server: PostgresServer) -> None:
    url = server.url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    for end in (server.kill, server.stop):
        end()
        server.start()
        assert server.url == url
        assert answer(url, "SELECT n FROM kept") == 7


def test_a_kill_leaves_no_process_of_the_server(server: PostgresServer) -> None:
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    assert len(family) > 3
    with psycopg.connect(server.url):
        server.kill()
    assert [process for process in family if process.is_running()] == []


def test_a_running_directory_is_not_started_twice(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inflect.embedded.process._LOCK_WAIT_S", 0.2)
    with pytest.raises(InflectError, match="in use by another running server"):
        PostgresServer(server._directory, port=None).start()
    assert answer(server.url, "SELECT 1") == 1


def test_a_start_that_fails_shows_the_end_of_the_log(server: PostgresServer) -> None:
    server.stop()
    (server._data / "postgresql.conf").write_text("shared_buffers = 'a lot'\n")
    with pytest.raises(UnreachableError, match="shared_buffers"):
        server.start()


def test_a_cut_off_initialisation_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "fresh" / "data").mkdir(parents=True)
    (tmp_path / "fresh" / "data" / "PG_VERSION").write_text("18\n")
    with PostgresServer(tmp_path, port=None) as server:
        assert answer(server.url, "SELECT 1") == 1
