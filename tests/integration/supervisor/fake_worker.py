"""A worker without Kafka that speaks the pipe's vocabulary; the pipeline's label `mode` says how it behaves."""

import contextlib
import os
import signal
import struct
import threading
from typing import Any, NoReturn

from inflect import lifecycle
from inflect.model.event import Counts
from inflect.model.pipeline import Pipeline, Source, Target
from inflect.model.revision import Revision
from inflect.model.status import Halted, MetricSample, PartitionProgress, Quarantined, Report, Run, Stop

REPORT_EVERY_S = 0.1


def revision(name: str, number: int = 1, mode: str = "obeys", topic: str = "orders") -> Revision:
    """Return a revision that makes the fake worker behave in a mode."""
    pipeline = Pipeline(name=name, source=Source(topic), target=Target("clean"), labels={"mode": mode})
    return Revision(number, pipeline, {}, ())


def run(connection: Any, slot: int, *_args: Any) -> NoReturn:
    """Live as the first message's pipeline says; ends by `os._exit` as the real worker does."""
    lifecycle.hard_exit_when_orphaned(connection, 2.0)
    order = connection.recv()
    mode = order.revision.pipeline.labels["mode"]
    {
        "obeys": obey,
        "ignores-stop": ignore_stop,
        "crashes": crash,
        "hangs": hang,
        "halts": halt,
        "cannot-run": cannot_run,
        "garbage": speak_garbage,
        "half": speak_half,
        "deaf": be_deaf,
        "leaves": leave,
    }[mode](connection, slot, order.revision)
    os._exit(lifecycle.EXIT_OK)


def obey(connection: Any, slot: int, current: Revision) -> None:
    offset = 0
    with lifecycle.StopSignals() as signals:
        while not signals.stop_requested:
            offset += 1
            progress = {slot: PartitionProgress(offset, offset, current.number, Counts(offset, offset))}
            sample = MetricSample("inflect_transactions_total", (("result", "committed"),), 1.0)
            connection.send(Report("running", current.number, (slot,), progress, (sample,), 1))
            try:
                if not connection.poll(REPORT_EVERY_S):
                    continue
                order = connection.recv()
            except EOFError:
                return
            if isinstance(order, Stop):
                connection.send(Report("stopping", current.number, (slot,), progress))
                return
            assert isinstance(order, Run)
            current = order.revision


def ignore_stop(connection: Any, _slot: int, current: Revision) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection.send(Report("running", current.number))
    threading.Event().wait()


def crash(connection: Any, _slot: int, current: Revision) -> None:
    connection.send(Report("stopping", current.number, detail="boom"))
    os._exit(3)


def hang(connection: Any, _slot: int, current: Revision) -> None:
    connection.send(Report("running", current.number))
    threading.Event().wait()


def halt(connection: Any, _slot: int, _current: Revision) -> None:
    connection.send(Halted(0, 7, "event orders:0:7 met on_error: stop"))
    os._exit(lifecycle.EXIT_HALTED)


def cannot_run(connection: Any, _slot: int, current: Revision) -> None:
    connection.send(Quarantined(current.number, "missing topic: clean"))
    os._exit(lifecycle.EXIT_CANNOT_RUN)


def speak_garbage(connection: Any, _slot: int, _current: Revision) -> None:
    os.write(connection.fileno(), struct.pack("!i", 7) + b"garbage")
    threading.Event().wait()


def speak_half(connection: Any, _slot: int, _current: Revision) -> None:
    os.write(connection.fileno(), struct.pack("!i", 1000) + b"half")
    threading.Event().wait()


def be_deaf(connection: Any, _slot: int, current: Revision) -> None:
    while True:
        connection.send(Report("running", current.number))
        threading.Event().wait(REPORT_EVERY_S)


def leave(connection: Any, _slot: int, current: Revision) -> None:
    connection.send(Report("running", current.number))
    os._exit(lifecycle.EXIT_OK)


def web(connection: Any, address: str) -> None:
    """Be a companion: say an address, then live until the supervisor is gone."""
    connection.send(("ready", address))
    with contextlib.suppress(EOFError):
        connection.recv()


def short_lived(connection: Any, address: str) -> None:
    """Be a companion that dies once it has spoken."""
    connection.send(("ready", address))
    os._exit(1)
