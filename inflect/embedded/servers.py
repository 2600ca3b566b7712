"""The servers of one data directory together: started side by side, announced in `servers.json`, stopped as one."""

import json
import os
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from inflect.embedded.kafka import KafkaServer
from inflect.embedded.postgres import PostgresServer
from inflect.embedded.progress import Display

ANNOUNCEMENT = "servers.json"


class EmbeddedServers:
    """A context manager around the wanted servers; `kafka` and `postgres` are None where not wanted."""

    def __init__(self, data_dir: Path, want: Collection[str]) -> None:
        self._data_dir = data_dir.resolve()
        self._want = want
        self._running = ExitStack()
        self.kafka: KafkaServer | None = None
        self.postgres: PostgresServer | None = None

    def __enter__(self) -> Self:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        # The directory holds logs and a password, and stands in the user's repository by default.
        (self._data_dir / ".gitignore").write_text("*\n")
        with ExitStack() as stack:
            with Display() as display:
                self._start(stack, display)
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
        self._running.close()

    def _start(self, stack: ExitStack, display: Display) -> None:
        """Launch all, then wait for all: the slow starts overlap."""
        if "kafka" in self._want:
            self.kafka = KafkaServer(self._data_dir / "kafka", progress=display.line("Apache Kafka"))
            stack.callback(self.kafka.stop)
            self.kafka.launch()
        if "postgres" in self._want:
            self.postgres = PostgresServer(self._data_dir / "postgres", progress=display.line("PostgreSQL"))
            stack.callback(self.postgres.stop)
            self.postgres.launch()
        for server in (self.postgres, self.kafka):
            if server is not None:
                server.wait_ready()

    def _announce(self) -> None:
        """Write where the servers are, for people and scripts; only the owner may read it: it holds a password."""
        servers: dict[str, dict[str, str | int]] = {}
        if self.kafka is not None:
            servers["kafka"] = {"bootstrap_servers": self.kafka.bootstrap_servers, "pid": self.kafka.pid}
        if self.postgres is not None:
            servers["postgres"] = {"url": self.postgres.url, "pid": self.postgres.pid}
        fresh = self._data_dir / f"{ANNOUNCEMENT}.new"
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(servers, file, indent=2)
        fresh.replace(self._data_dir / ANNOUNCEMENT)


def start_servers(data_dir: Path, want: Collection[str] = ("kafka", "postgres")) -> EmbeddedServers:
    """The servers of `data_dir`, for a `with`; nothing is started before it is entered.

    Entering raises InflectError when the cache cannot be filled and UnreachableError when a server does not come up;
    nothing is left running then.
    """
    return EmbeddedServers(data_dir, want)
