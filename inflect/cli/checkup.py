"""What `inflect doctor` looks at, one finding a check, each with the mend when it failed.

Everything is really tried: a row is not needed, but LISTEN must be heard, and a throw-away transactional id must be
given by the brokers. Checks that need what failed before them are left out.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from inflect.cli.session import database, kafka_admin, registry
from inflect.control.sync import compile_directory
from inflect.engine.compile import compile_files
from inflect.errors import DeniedError, InflectError, UnreachableError
from inflect.kafka.producer import NotReadyError, TransactionSink
from inflect.model.document import parse_pipeline
from inflect.settings import Settings
from inflect.store import migrations, pipelines
from inflect.store.database import Database
from inflect.store.notifier import Listener

_PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is well, and the fact or the mend."""

    check: str
    ok: bool
    message: str
    exit_code: int = 0


def examine(read_settings: Callable[[], Settings]) -> Iterator[Finding]:
    """Look at everything, in the order things depend on each other; yields as it goes."""
    settings = None

    def read() -> str:
        nonlocal settings
        settings = read_settings()
        return "read"

    yield _look("settings", read)
    if settings is None:
        return
    with ExitStack() as open_servers:
        yield from _postgres(settings, open_servers)
    with ExitStack() as open_servers:
        yield from _kafka(settings, open_servers)
    yield _look("schema registry", lambda: _registry(settings))
    yield _look("processors", lambda: _processors(settings))
    yield _look("V8", _engine)


def _look(check: str, fact: Callable[[], str]) -> Finding:
    try:
        return Finding(check, ok=True, message=fact())
    except (UnreachableError, DeniedError) as error:
        return Finding(check, ok=False, message=_one_line(error), exit_code=error.exit_code)
    except (InflectError, OSError) as error:
        return Finding(check, ok=False, message=_one_line(error), exit_code=1)


def _one_line(error: Exception) -> str:
    return "; ".join(str(error).splitlines())


def _postgres(settings: Settings, stack: ExitStack) -> Iterator[Finding]:
    db: list[Database] = []

    def reach() -> str:
        opened = stack.enter_context(database(settings))
        waiting = migrations.pending(opened)
        db.append(opened)
        if waiting:
            raise InflectError(f"reached, but the schema lacks {', '.join(waiting)}; run `inflect migrate`")
        return f"reached at {opened.server}, the schema is current"

    yield _look("Postgres", reach)
    if not db:
        return
    yield _look("Postgres LISTEN", lambda: _listen(settings.database_url))
    yield _look("pipelines", lambda: _stored(db[0]))


def _listen(url: str) -> str:
    with Listener(url) as listener:
        listener.check(time.monotonic())
        if not listener.connected:
            raise UnreachableError(listener.problem)
    return "a notification arrives"


def _stored(db: Database) -> str:
    rows = pipelines.list_pipelines(db)
    for row in rows:
        parse_pipeline(row.document)
    return f"{len(rows)} stored, all of them readable"


def _kafka(settings: Settings, stack: ExitStack) -> Iterator[Finding]:
    reached: list[bool] = []

    def reach() -> str:
        cluster = stack.enter_context(kafka_admin(settings)).cluster()
        reached.append(True)
        return f"reached, {cluster.brokers} broker{'s' * (cluster.brokers != 1)}, cluster {cluster.cluster_id}"

    yield _look("Kafka", reach)
    if not reached:
        return
    yield _look("Kafka topics", lambda: _topics(settings))
    yield _look("Kafka transactions", lambda: _transactions(settings))


def _topics(settings: Settings) -> str:
    with kafka_admin(settings) as admin:
        names: Sequence[str] = [topic.name for topic in admin.topics().values() if not topic.internal]
        admin.topic_configs(names[:1])
    return f"{len(names)} to be seen, with their configuration"


def _transactions(settings: Settings) -> str:
    """Let the coordinator hand out a transactional id nobody uses; it forgets it by itself."""
    sink = TransactionSink(settings.kafka, f"inflect-doctor-{secrets.token_hex(4)}", 1_000_000)
    deadline = time.monotonic() + _PATIENCE_S
    try:
        while True:
            try:
                sink.open()
            except NotReadyError as error:
                if time.monotonic() > deadline:
                    raise UnreachableError(str(error)) from error
            else:
                return "a transactional id is given"
    finally:
        sink.close()


def _registry(settings: Settings) -> str:
    with registry(settings) as opened:
        if opened is None:
            return "none is set; schemas come from files"
        subjects = opened.subjects()
    return f"reached at {settings.registry_url}, {len(subjects)} subject{'s' * (len(subjects) != 1)}"


def _processors(settings: Settings) -> str:
    files, faults = compile_directory(settings.processors)
    if faults:
        raise InflectError(f"{settings.processors}: " + "; ".join(str(fault) for fault in faults))
    return f"{len(files)} files in {settings.processors}, all of them sound"


def _engine() -> str:
    compiled = compile_files({"transformations/doctor.js": "module.exports = event => event"})
    if compiled.faults:
        raise InflectError("; ".join(str(fault) for fault in compiled.faults))
    return "runs JavaScript"
