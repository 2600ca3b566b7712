"""Both servers together, and what becomes of them when their owner does not say goodbye."""

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from structlog.testing import capture_logs

from inflect.embedded.registry import RegistryServer
from inflect.embedded.servers import start_servers
from inflect.errors import InflectError
from inflect.kafka.admin import Admin
from tests.waiting import eventually

OWNER = Path(__file__).with_name("owner.py")


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has both servers running in `tmp_path`."""
    process = subprocess.Popen([sys.executable, OWNER, tmp_path], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Guards, servers and all of theirs."""
    return psutil.Process(process.pid).children(recursive=True)


def test_servers_json_says_where_the_servers_are_while_they_run(tmp_path: Path) -> None:
    announcement = tmp_path / "servers.json"
    with start_servers(tmp_path) as servers:
        said = json.loads(announcement.read_text())
        assert servers.kafka is not None
        assert servers.postgres is not None
        assert said["kafka"] == {"bootstrap_servers": servers.kafka.bootstrap_servers, "pid": servers.kafka.pid}
        assert said["postgres"] == {"url": servers.postgres.url, "pid": servers.postgres.pid}
        assert stat.S_IMODE(announcement.stat().st_mode) == 0o600
        with Admin({"bootstrap.servers": said["kafka"]["bootstrap_servers"]}) as admin:
            assert admin.cluster().brokers == 1
        psycopg.connect(said["postgres"]["url"]).close()
    assert not announcement.exists()
    assert not any(psutil.pid_exists(server["pid"]) for server in said.values())


def test_only_the_wanted_server_is_started(tmp_path: Path) -> None:
    with start_servers(tmp_path, want=("postgres",)) as servers:
        assert servers.kafka is None
        assert list(json.loads((tmp_path / "servers.json").read_text())) == ["postgres"]


def test_a_late_server_is_announced_when_it_has_come_and_a_dead_one_again(tmp_path: Path) -> None:
    announcement = tmp_path / "servers.json"

    def announced() -> dict[str, dict[str, str | int]]:
        said: dict[str, dict[str, str | int]] = json.loads(announcement.read_text())
        return said

    with start_servers(tmp_path, want=("postgres", "registry"), late_registry=True) as servers:
        assert servers.registry is not None
        assert servers.postgres is not None
        address, first = servers.registry.url, servers.postgres.pid
        assert list(announced()) == ["postgres"]
        servers.keep()
        servers.start_registry()
        psutil.Process(first).send_signal(signal.SIGKILL)
        eventually(lambda: announced().get("postgres", {}).get("pid") not in {first, None}, within_s=30)
        psycopg.connect(servers.postgres.url).close()
        eventually(lambda: announced().get("registry"), within_s=60)
        assert announced()["registry"] == {"url": address, "pid": servers.registry.pid}
        pids = [servers.postgres.pid, servers.registry.pid]
    assert not announcement.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_registry_that_cannot_be_downloaded_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_server: RegistryServer) -> None:
        raise InflectError("cannot download it: no network")

    monkeypatch.setattr(RegistryServer, "fetch", refuse)
    with capture_logs() as lines, start_servers(tmp_path, want=("postgres", "registry")) as servers:
        assert servers.registry is not None
        assert list(json.loads((tmp_path / "servers.json").read_text())) == ["postgres"]
        servers.keep()
        servers.start_registry()
        eventually(lambda: "an embedded server does not start; it is tried again" in [line["event"] for line in lines])
        assert not servers.registry.is_running
    assert lines[0]["event"] == "going on without the embedded registry; it is tried again"
    assert "no network" in lines[0]["why"]


def test_a_server_that_cannot_start_takes_the_other_with_it(tmp_path: Path) -> None:
    with start_servers(tmp_path, want=("postgres",)):
        pass
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(Exception, match="did not start"), start_servers(tmp_path):
        pass
    left = [process.info for process in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(process.info)]
    assert left == []
    assert not (tmp_path / "servers.json").exists()


def test_an_owner_killed_with_sigkill_leaves_no_process(owner: subprocess.Popen[str], tmp_path: Path) -> None:
    processes = family(owner)
    assert {"java", "postgres"} <= {process.name() for process in processes}
    owner.kill()
    eventually(lambda: not any(process.is_running() for process in processes), within_s=20)
    with start_servers(tmp_path) as successor:
        assert successor.kafka is not None


def test_a_guard_killed_with_sigkill_takes_its_server_along(owner: subprocess.Popen[str]) -> None:
    processes = family(owner)
    guards = psutil.Process(owner.pid).children()
    assert len(guards) == 2
    for guard in guards:
        guard.send_signal(signal.SIGKILL)
    servers = [process for process in processes if process not in guards]
    eventually(lambda: not any(process.is_running() for process in servers), within_s=20)
