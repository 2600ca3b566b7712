"""The embedded broker, from its directory to its end."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.embedded.process import ServerProcess
from inflect.errors import InflectError, UnreachableError
from inflect.kafka.admin import Admin, NewTopicSpec
from tests.waiting import eventually


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KafkaServer]:
    """A broker of the test's own, not started."""
    broker = KafkaServer(tmp_path / "kafka", port=None)
    yield broker
    broker.stop()


def admin(server: KafkaServer) -> Admin:
    return Admin({"bootstrap.servers": server.bootstrap_servers})


def test_the_broker_answers_under_its_address_and_runs_as_its_pid(kafka: KafkaServer) -> None:
    with admin(kafka) as client:
        assert client.cluster().brokers == 1
    assert "java" in psutil.Process(kafka.pid).name()


def test_what_was_made_survives_kill_and_stop_under_the_same_address(
    server: KafkaServer, topic_name: Callable[[str], str]
) -> None:
    server.start()
    address, topic = server.bootstrap_servers, topic_name("kept")
    with admin(server) as client:
        client.create_topics([NewTopicSpec(topic, partitions=3)])
    for end in (server.kill, server.stop):
        killed = server.pid
        end()
        assert not psutil.pid_exists(killed)
        server.start()
        assert server.bootstrap_servers == address
        with admin(server) as client:
            assert client.topics()[topic].partitions == 3


def test_a_new_owner_of_the_directory_finds_the_same_cluster(server: KafkaServer, tmp_path: Path) -> None:
    server.start()
    address = server.bootstrap_servers
    with admin(server) as client:
        cluster = client.cluster().cluster_id
    server.stop()
    with KafkaServer(tmp_path / "kafka", port=None) as successor, admin(successor) as client:
        assert client.cluster().cluster_id == cluster
        assert successor.bootstrap_servers == address


def test_a_taken_port_is_left_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with KafkaServer(tmp_path, port=port) as server, admin(server) as client:
            assert server.bootstrap_servers != f"127.0.0.1:{port}"
            assert client.cluster().brokers == 1


def test_a_broker_started_by_a_thread_outlives_the_thread(server: KafkaServer) -> None:
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    with admin(server) as client:
        assert client.cluster().brokers == 1


def test_a_start_that_fails_shows_the_end_of_the_log(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path, port=None, settings={"num.io.threads": "none"})
    with pytest.raises(InflectError, match=r"(?s)num\.io\.threads"):
        server.start()
    assert [process for process in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(process.info)] == []


def test_a_broker_that_never_answers_is_given_up_after_the_bound(
    server: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    server.stop()
    # A process that is alive and silent in the broker's place.
    monkeypatch.setattr(
        server,
        "_run",
        lambda _jars, *_arguments: ServerProcess(
            ["/bin/sh", "-c", "echo waiting for nothing; exec sleep 60"],
            directory=server._directory,
            log=server._output,
        ),
    )
    server.launch()
    silent = server.pid
    eventually(lambda: "waiting for nothing" in server._output.read_text())
    with pytest.raises(UnreachableError, match="waiting for nothing"):
        server.wait_ready(timeout_s=0.2)
    assert not psutil.pid_exists(silent)
