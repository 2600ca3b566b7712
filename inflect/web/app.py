"""The web process: its routes, and a life that ends within two seconds of being asked.

The main thread waits for the end (its pipe from the supervisor, or a signal); the server and its event loop have a
thread of their own, so nothing that a page does can keep the process alive. What handlers need lies in `frame.House`.
"""

import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import wait
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from inflect import lifecycle, logs
from inflect.errors import InflectError, UsageError
from inflect.settings import Settings, split_address
from inflect.store import audit, pipelines, workers
from inflect.store.database import Database
from inflect.web import problems
from inflect.web.brokers import Brokers
from inflect.web.fragments import draw
from inflect.web.frame import House
from inflect.web.live import Hub
from inflect.web.overview import Reading
from inflect.web.pulse import CHANGES_READ, Pulse
from inflect.web.render import environment
from inflect.web.routes import ROUTES
from inflect.web.security import HostRules, Security

END_S = 1.8
_BACKLOG = 256
_COMPRESS_FROM_BYTES = 600
_LOG = logs.get(__name__)


def run(settings: Settings, connection: Any) -> None:
    """Serve pages until `connection` ends or SIGTERM comes; sends ("ready", url) on it once requests are answered.

    The target of a companion process, run in its main thread. UsageError when the address cannot be listened on.
    """
    logs.configure(settings.log_format)
    with (
        lifecycle.StopSignals() as signals,
        _listener(settings.http_address) as listener,
        opened(settings) as here,
        _serving(application(here), here.hub, listener) as server,
    ):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the supervisor says when
        connection.send(("ready", _url(listener)))
        while not (_ended(connection, signals) or server.should_exit):
            pass


def _ended(connection: Any, signals: lifecycle.StopSignals) -> bool:
    """Wait until something is to be read: the pipe's end or a signal are the end, a message is not for us."""
    pipe, asked = connection.fileno(), signals.fileno()
    if asked in wait([pipe, asked]):
        return True
    try:
        connection.recv()
    except (EOFError, OSError):
        return True
    return False


@contextmanager
def opened(settings: Settings) -> Iterator[House]:
    """Open what handlers share: the database, the hub of live streams, the pulse that reads for all."""
    hub = Hub()
    with Database(settings.database_url) as db, Pulse(lambda: read(db), draw, hub) as pulse:
        yield House(settings, db, pulse, hub, Brokers(settings))


def read(db: Database) -> Reading:
    """One look for the pulse: four statements, whatever the number of viewers."""
    return Reading(
        datetime.now(UTC),
        pipelines.list_pipelines(db),
        workers.workers(db),
        workers.progress(db),
        audit.recent(db, limit=CHANGES_READ),
    )


def application(here: House) -> ASGIApp:
    """The whole application around these long-lived things; security stands outside of everything, errors too."""
    handlers: Mapping[Any, Any] = {
        InflectError: problems.known_error,
        HTTPException: problems.http_error,
        Exception: problems.unknown_error,
    }
    compressing = Middleware(GZipMiddleware, minimum_size=_COMPRESS_FROM_BYTES, compresslevel=6)
    environment()
    app = Starlette(routes=ROUTES, middleware=[compressing], exception_handlers=handlers)
    app.state.house = here
    host, _ = split_address(here.settings.http_address)
    return Security(app, HostRules(host, behind_proxy=here.settings.no_auth == "behind-proxy"))


@contextmanager
def _listener(address: str) -> Iterator[socket.socket]:
    host, port = split_address(address)
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
        )
    except OSError as error:
        raise UsageError(f"cannot listen on {address}: {error.strerror}; set another http_address") from error
    with listener:
        yield listener


@contextmanager
def _serving(app: ASGIApp, hub: Hub, listener: socket.socket) -> Iterator[uvicorn.Server]:
    """Run the server in a thread; streams are ended first, because a server waits for what it still sends."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="server", daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(timeout=0.01)
    try:
        yield server
    finally:
        hub.close()
        server.should_exit = True
        thread.join(timeout=END_S)


def _url(listener: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host == "0.0.0.0" else f"[{'::1' if host == '::' else host}]" if ":" in host else host  # noqa: S104  recognised, not bound
    return f"http://{shown}:{port}"
