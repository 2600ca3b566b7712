"""Where a pipeline begins that does not start at the earliest event: its group's first offsets, set before its workers.

In a process of its own, so that the supervisor holds no Kafka client: librdkafka's admin client can crash on the answer
of a broker that has just started (it asks a group for its coordinator, and has no group), and that must end one
attempt, not all pools.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from multiprocess.connection import Connection  # type: ignore[import-untyped]  # ships no types

from inflect.errors import InflectError, UnreachableError
from inflect.kafka.admin import Admin
from inflect.lifecycle import hard_exit_when_orphaned
from inflect.model.pipeline import Pipeline
from inflect.supervisor.process import start_quietly
from inflect.supervisor.reconcile import Hold, HoldState

ADMIN_TIMEOUT_S: Final = 5.0
ANSWER_S: Final = 20.0
_ORPHAN_S: Final = 1.0

Position = Callable[[Pipeline], Hold | None]


def position_in_child(context: Any, kafka: Mapping[str, str], pipeline: Pipeline) -> Hold | None:
    """Set the group's offsets where it has none; return why the pool must wait, None when it need not."""
    ours, theirs = context.Pipe(duplex=True)
    with ours:
        with theirs:
            request = (theirs, dict(kafka), pipeline.group, pipeline.source.topic, pipeline.source.start)
            process = context.Process(name=f"position-{pipeline.name}", target=answer, args=request)
            try:
                start_quietly(process)
            except (OSError, EOFError) as error:
                return Hold("starting", f"its start position waits: {error}")
        try:
            if not ours.poll(ANSWER_S):
                return Hold("starting", "Kafka takes long to say where it starts; it is asked again")
            return _hold(ours.recv())
        except EOFError:
            return Hold("starting", "finding its start position failed; it is tried again")
        finally:
            process.kill()
            process.join()


def answer(connection: Connection, kafka: Mapping[str, str], group: str, topic: str, start: str) -> None:
    """Run in the child: set the offsets and send `(state, reason)`, an empty state when all is well."""
    hard_exit_when_orphaned(connection, _ORPHAN_S)
    try:
        with Admin(kafka, timeout_s=ADMIN_TIMEOUT_S) as admin:
            admin.initialise_offsets(group, topic, start)
    except UnreachableError as error:
        connection.send(("starting", str(error)))
    except InflectError as error:
        connection.send(("failed", str(error)))
    else:
        connection.send(("", ""))


def _hold(said: tuple[HoldState | None, str]) -> Hold | None:
    state, reason = said
    return Hold(state, reason) if state else None
