"""Processes that die: workers, the supervisor, politely or not. Nothing is lost, nothing is left behind."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from inflect.embedded.kafka import KafkaServer
from tests.e2e.scene import Scene
from tests.e2e.traffic import Broker, Load, numbered
from tests.installation import Installation
from tests.waiting import eventually

PASS = {"transformations/same.js": "module.exports = (event) => event\n"}
PARTITIONS = 4


def listening_ports(pid: int) -> set[int]:
    """Ports on which the process and its descendants listen."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return {
        getattr(connection.laddr, "port", 0)
        for one in family
        for connection in one.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def anybody_listens(ports: set[int]) -> bool:
    return any(
        getattr(c.laddr, "port", 0) in ports for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN
    )


def test_a_killed_worker_is_replaced_while_the_others_go_on_and_order_is_kept(scene: Scene) -> None:
    flow = scene.flow("pool", PASS, partitions=PARTITIONS, workers={"min": 3, "max": 4})
    pids = scene.running(flow, 3)
    workers = scene.installation.show("pool")["workers"]
    assert sorted(p for worker in workers for p in worker["partitions"]) == list(range(PARTITIONS))

    with Load(scene.broker, flow.source, PARTITIONS, events_per_second=3000) as load:
        eventually(lambda: scene.counts(flow)["delivered"] > 3000, 20)
        os.kill(pids[0], signal.SIGKILL)
        after = scene.counts(flow)["delivered"]
        eventually(lambda: scene.counts(flow)["delivered"] > after + 1000, 10, why="the others go on")
        eventually(lambda: len(set(scene.running(flow, 3)) - set(pids)) == 1, 30, why="the slot has a new process")
        assert set(pids[1:]) <= set(scene.running(flow, 3))
        written = load.stop()

    assert scene.settled(flow, written)["delivered"] == written
    numbers = scene.broker.numbers(flow.target)
    assert sorted(numbers) == list(range(written))
    for partition in range(PARTITIONS):
        of_key = [n for n in numbers if n % PARTITIONS == partition]
        assert of_key == sorted(of_key)


@pytest.mark.row("E01")
def test_a_killed_supervisor_leaves_no_orphan_and_no_port_and_a_restart_goes_on(scene: Scene) -> None:
    flow = scene.flow("survivor", PASS, partitions=2, workers={"min": 2, "max": 2})
    pids = scene.running(flow, 2)
    scene.broker.write(flow.source, numbered(2000, partitions=2))
    scene.settled(flow, 2000)
    ports = listening_ports(scene.installation.pid)
    assert ports

    scene.installation.kill()
    assert not any(map(psutil.pid_exists, pids))
    eventually(lambda: not anybody_listens(ports), 5, why="no port is left open")
    scene.broker.write(flow.source, numbered(2000, partitions=2, first=2000))

    scene.installation.start()
    assert not set(scene.running(flow, 2)) & set(pids)
    assert scene.settled(flow, 4000)["delivered"] == 4000
    assert sorted(scene.broker.numbers(flow.target)) == list(range(4000))


@pytest.mark.row("A04")
def test_sigterm_under_load_finishes_the_batch_exits_0_and_leaves_nothing(
    tmp_path: Path, broker: Broker, kafka: KafkaServer, database_url: str, topic_name: Callable[[str], str]
) -> None:
    with Installation(tmp_path, kafka.bootstrap_servers, database_url) as installation:
        scene = Scene(installation, broker, topic_name)
        flow = scene.flow("polite", PASS)
        scene.running(flow)
        with Load(broker, flow.source, events_per_second=3000) as load:
            eventually(lambda: scene.counts(flow)["delivered"] > 1000, 20)
            family = psutil.Process(installation.pid).children(recursive=True)
            ports = listening_ports(installation.pid)
            code = installation.stop()
            written = load.stop()

        assert code == 0
        assert not [process for process in family if process.is_running()], "zombies are left behind too"
        assert not anybody_listens(ports)
        assert "Traceback" not in installation.log.read_text()
        left = broker.numbers(flow.target)
        assert left == list(range(len(left)))
        installation.start()
        scene.settled(flow, written)
        assert broker.numbers(flow.target) == list(range(written))
