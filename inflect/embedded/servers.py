"""The servers of one data directory together: started side by side, announced in `servers.json`, stopped as one."""

import json
import os
import threading
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from inflect import logs
from inflect.embedded.kafka import KafkaServer
from inflect.embedded.keeper import Keeper
from inflect.embedded.postgres import PostgresServer
from inflect.embedded.progress import Display, plain_lines
from inflect.embedded.registry import RegistryServer
from inflect.embedded.server import EmbeddedServer
from inflect.errors import InflectError

ANNOUNCEMENT = "servers.json"

_log = logs.get("embedded")


class EmbeddedServers:
    """A context manager around the wanted servers; `kafka`, `postgres` and `registry` are None where not wanted."""

    def __init__(self, data_dir: Path, want: Collection[str], *, late_registry: bool) -> None:
        self._data_dir = data_dir.resolve()
        self._want = want
        self._late_registry = late_registry
        self._running = ExitStack()
        self._keepers: list[Keeper] = []
        self._announcing = threading.Lock()
        self.kafka: KafkaServer | None = None
        self.postgres: PostgresServer | None = None
        self.registry: RegistryServer | None = None

    def __enter__(self) -> Self:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        # The directory holds logs and a password, and stands in the user's repository by default.
        (self._data_dir / ".gitignore").write_text("*\n")
        with ExitStack() as stack:
            with Display() as display:
                self._make(display)
                self._start(stack)
            stack.callback((self._data_dir / ANNOUNCEMENT).unlink, missing_ok=True)
            self._announce()
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the announcement back and stop every server. Idempotent."""
        for keeper in self._keepers:
            keeper.end()
        for server in self._all():
            server.ask_to_stop()
        self._running.close()

    def keep(self) -> None:
        """From now on start again what dies; `stop` ends it."""
        self._keepers += [Keeper(server, self._announce) for server in self._at_once()]

    def start_registry(self) -> None:
        """Start, and then keep, a registry that comes late; return at once. Idempotent."""
        late, self._late_registry = self._late_registry, False
        if self.registry is not None and late:
            self._keepers.append(Keeper(self.registry, self._announce))

    def _make(self, display: Display) -> None:
        if "kafka" in self._want:
            self.kafka = KafkaServer(self._data_dir / "kafka", progress=display.line("Apache Kafka"))
        if "postgres" in self._want:
            self.postgres = PostgresServer(self._data_dir / "postgres", progress=display.line("PostgreSQL"))
        if "registry" in self._want:
            progress = plain_lines() if self._late_registry else display.line("Apicurio Registry")
            self.registry = RegistryServer(self._data_dir / "registry", progress=progress)
            if self._late_registry:
                self.registry.keep_port()  # its address is given away before it serves

    def _all(self) -> list[EmbeddedServer]:
        return [server for server in (self.kafka, self.postgres, self.registry) if server is not None]

    def _at_once(self) -> list[EmbeddedServer]:
        return [server for server in self._all() if server is not self.registry or not self._late_registry]

    def _start(self, stack: ExitStack) -> None:
        """Launch all, then wait for all: the slow starts overlap."""
        for server in self._all():
            stack.callback(server.stop)
        self._fetch_registry()
        for server in self._at_once():
            server.launch()
        for server in self._at_once():
            server.wait_ready()

    def _fetch_registry(self) -> None:
        """Let a registry that cannot be downloaded now come late: most pipelines do without one."""
        if self.registry is None or self._late_registry:
            return
        try:
            self.registry.fetch()
        except InflectError as error:
            _log.warning("going on without the embedded registry; it is tried again", why=str(error))
            self._late_registry = True
            self.registry.keep_port()

    def _announce(self) -> None:
        """Write where the servers are, for people and scripts; only the owner may read it: it holds a password."""
        fresh = self._data_dir / f"{ANNOUNCEMENT}.new"
        with self._announcing:
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(self._serving(), file, indent=2)
            fresh.replace(self._data_dir / ANNOUNCEMENT)

    def _serving(self) -> dict[str, dict[str, str | int]]:
        serving: dict[str, dict[str, str | int]] = {}
        if self.kafka is not None and (pid := self.kafka.running_pid):
            serving["kafka"] = {"bootstrap_servers": self.kafka.bootstrap_servers, "pid": pid}
        if self.postgres is not None and (pid := self.postgres.running_pid):
            serving["postgres"] = {"url": self.postgres.url, "pid": pid}
        if self.registry is not None and (pid := self.registry.running_pid):
            serving["registry"] = {"url": self.registry.url, "pid": pid}
        return serving


def start_servers(
    data_dir: Path, want: Collection[str] = ("kafka", "postgres"), *, late_registry: bool = False
) -> EmbeddedServers:
    """The servers of `data_dir`, for a `with`; nothing is started before it is entered.

    A late registry, and one that cannot be downloaded now, has an address at once and waits for
    `EmbeddedServers.start_registry`. Entering raises InflectError when Kafka cannot be downloaded and UnreachableError
    when a server does not come up; nothing is left running then.
    """
    return EmbeddedServers(data_dir, want, late_registry=late_registry)
