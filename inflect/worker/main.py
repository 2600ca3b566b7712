"""A worker process from its first instruction to its exit code.

The same life on one box (`run_local`, forked from a clean forkserver, directed by a pipe) and in a pod
(`worker.pod`).
It ends by itself with `os._exit`: an isolate that once timed out may keep the interpreter from ending, and everything
worth
keeping is in Kafka by then.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn

from multiprocess.connection import Connection  # type: ignore[import-untyped]  # ships no types

from inflect import lifecycle, logs
from inflect.errors import CannotRunError, InflectError, RefusedError, UnreachableError
from inflect.kafka.admin import Admin
from inflect.model.revision import Revision
from inflect.model.status import Quarantined, Report, Run
from inflect.worker.equipment import NO_SCHEMAS, SchemaAccess
from inflect.worker.link import Link, PipeLink
from inflect.worker.loop import Post, Worker

ORPHAN_EXIT_S = 5.0
ASK_AGAIN_S = 1.0

_log = logs.get("worker")


def run_local(
    connection: Connection,
    slot: int,
    kafka: Mapping[str, str],
    log_format: str,
    schemas: SchemaAccess = NO_SCHEMAS,
) -> NoReturn:
    """Child of the supervisor: the first message on the pipe is the revision to run, end-of-file means stop."""
    logs.configure(log_format)
    lifecycle.quiet_core_dumps()
    lifecycle.hard_exit_when_orphaned(connection, ORPHAN_EXIT_S)
    with lifecycle.StopSignals() as signals:
        link = PipeLink(connection)
        first = link.first_revision()
        code = lifecycle.EXIT_OK
        if first is not None:
            code = run(link, slot, kafka, first, lambda: signals.stop_requested, schemas)
    leave(code)


def run(  # noqa: PLR0913, PLR0917  a worker's whole world, from the two that start one
    link: Link,
    slot: int,
    kafka: Mapping[str, str],
    revision: Revision,
    stop_requested: Callable[[], bool],
    schemas: SchemaAccess = NO_SCHEMAS,
) -> int:
    """Run until told to stop; every end is an exit code that tells the supervisor what to do next."""
    post = Post(slot, kafka, link, lambda wanted: record_limits(kafka, wanted), stop_requested, schemas)
    worker = Worker(post, revision)
    try:
        if not wait_for_kafka(link, kafka, revision, stop_requested):
            return lifecycle.EXIT_OK
        return worker.run()
    except (CannotRunError, RefusedError) as error:
        return quarantine(link, worker.revision, str(error))
    except InflectError as error:
        _log.warning("ending", pipeline=revision.pipeline.name, slot=slot, why=str(error))
        link.say(Report(state="stopping", revision=revision.number, detail=str(error)))
    except Exception as error:  # noqa: BLE001  the supervisor restarts with back-off; the log keeps where it happened
        _log.exception("failed", pipeline=revision.pipeline.name, slot=slot)
        link.say(Report(state="stopping", revision=revision.number, detail=f"{type(error).__name__}: {error}"))
    return 1


def quarantine(link: Link, revision: Revision, reason: str) -> int:
    """Say why this revision cannot run, and the code that keeps it from being tried again."""
    _log.error("cannot run", pipeline=revision.pipeline.name, revision=revision.number, why=reason)
    link.say(Quarantined(revision.number, reason))
    return lifecycle.EXIT_CANNOT_RUN


def wait_for_kafka(
    link: Link, kafka: Mapping[str, str], revision: Revision, stop_requested: Callable[[], bool]
) -> bool:
    """Wait until the brokers answer, saying so; False when told to stop meanwhile."""
    while not stop_requested():
        try:
            with Admin(kafka, timeout_s=5.0) as admin:
                admin.cluster()
        except UnreachableError as error:
            link.say(Report(state="waiting", revision=revision.number, detail=str(error)))
            if not link.wait(ASK_AGAIN_S):
                return False
        else:
            return True
    return False


def record_limits(kafka: Mapping[str, str], revision: Revision) -> dict[str, int]:
    """The size limit of every topic the revision writes; raises `CannotRunError` naming the topics that are
    missing.
    """
    pipeline = revision.pipeline
    written = [pipeline.target.topic, *pipeline.side_topics]
    with Admin(kafka) as admin:
        needed = dict.fromkeys((pipeline.source.topic, *written))
        missing = ", ".join(sorted(needed.keys() - admin.describe(list(needed)).keys()))
        if missing:
            raise CannotRunError(f"missing topic: {missing}. Create it, then resume {pipeline.name}.")
        return admin.max_record_bytes(written)


def leave(code: int) -> NoReturn:
    """End the process now."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


__all__ = ["Run", "leave", "quarantine", "record_limits", "run", "run_local", "wait_for_kafka"]
