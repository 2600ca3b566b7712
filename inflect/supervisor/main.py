"""The supervisor's life: one loop in the main thread that no database and no worker can hold up.

Order matters: the forkserver starts before the first thread and client, workers end before the companions that show
them, and the store's thread ends last, with the final status.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from inflect import logs
from inflect.lifecycle import EXIT_OK, StopSignals, raise_open_files_limit
from inflect.settings import Settings
from inflect.supervisor.children import Children
from inflect.supervisor.companions import Companion, Companions
from inflect.supervisor.desired import Desired
from inflect.supervisor.local import LocalPools
from inflect.supervisor.mailbox import Mailbox
from inflect.supervisor.position import position_in_child
from inflect.supervisor.process import PRELOAD, Target, end_forkserver, start_forkserver
from inflect.supervisor.reconcile import reconcile
from inflect.supervisor.status import status_of, stopped_status
from inflect.supervisor.store_thread import StoreThread
from inflect.worker.equipment import SchemaAccess
from inflect.worker.main import run_local

__all__ = ["Companion", "serve"]

TICK_S: Final = 0.5
STATUS_S: Final = 1.0
FROZEN_S: Final = 10.0
"""A turn that took so long means that this process was stopped, not that all workers fell silent."""

_log = logs.get("supervisor")


def serve(
    settings: Settings,
    *,
    companions: Sequence[Companion] = (),
    on_ready: Callable[[str], None] | None = None,
    worker: Target = run_local,
    preload: tuple[str, ...] = PRELOAD,
) -> int:
    """Run pools of workers until SIGTERM or SIGINT and return the exit code; call it from the main thread.

    The first signal stops the workers, which finish their batches, then the companions; a second one kills all.
    `on_ready` gets each companion's address once. `worker(connection, slot, kafka, log_format, schemas)` runs in the
    children.
    Raises InflectError when this supervisor must not go on: a newer database, or another supervisor took over.
    """
    raise_open_files_limit()
    context = start_forkserver(preload)
    with ExitStack() as life:
        life.callback(end_forkserver)
        mailbox = Mailbox()
        life.callback(mailbox.close)
        signals = life.enter_context(StopSignals())
        life.enter_context(StoreThread(settings, mailbox, partial(position_in_child, context, settings.kafka)))
        children = life.enter_context(Children(context))
        schemas = SchemaAccess(settings.registry(), settings.data_dir / "schemas")
        pools = LocalPools(children, worker, settings.kafka, settings.log_format, schemas, on_samples=mailbox.count)
        beside = Companions(children, companions, on_ready)
        return _Loop(signals, mailbox, children, pools, beside).run()


class _Loop:
    """The main thread's loop from start to exit code."""

    def __init__(
        self, signals: StopSignals, mailbox: Mailbox, children: Children, pools: LocalPools, companions: Companions
    ) -> None:
        self._signals = signals
        self._mailbox = mailbox
        self._children = children
        self._pools = pools
        self._companions = companions
        self._desired: Desired | None = None
        self._turned = self._reconciled = self._told = time.monotonic()
        self._killed = False
        children.watch(signals, signals.drain)
        children.watch(mailbox.for_main, mailbox.for_main.hush)

    def run(self) -> int:
        """Turn until stopped; raises what the store's thread failed with."""
        while not (self._signals.stop_requested or self._mailbox.failure):
            self._turn()
            if self._desired is not None:
                self._companions.keep(time.monotonic())
        self._stop()
        if self._mailbox.failure is not None:
            raise self._mailbox.failure
        return EXIT_OK

    def _turn(self) -> None:
        self._children.wait(TICK_S)
        now = time.monotonic()
        if now - self._turned > FROZEN_S:
            self._pools.excuse_silence(now)
        self._turned = now
        fresh = self._mailbox.desired
        if fresh is not None and fresh is not self._desired:
            self._adopt(fresh)
        if self._desired is None:
            return
        if self._pools.changed or now - self._reconciled >= TICK_S:
            self._reconcile(self._desired, now)
        if now - self._told >= STATUS_S:
            self._told = now
            self._mailbox.hand_over(status_of(self._pools, self._desired, now))

    def _adopt(self, fresh: Desired) -> None:
        self._desired = fresh
        for name, halt in fresh.recorded.items():
            self._pools.forget_halt(name, halt)
        self._pools.forgive(fresh)
        self._pools.changed = True

    def _reconcile(self, desired: Desired, now: float) -> None:
        self._reconciled = now
        self._pools.carry_out(reconcile(desired.pools, self._pools.observe(now)), desired)

    def _stop(self) -> None:
        """End workers, then companions: each finishes what it does, until a second signal."""
        _log.info("stopping", workers=self._pools.alive)
        last = self._desired or Desired()
        while self._pools.alive:
            self._kill_if_told_twice()
            self._reconcile(Desired(), time.monotonic())
            self._children.wait(TICK_S)
        self._mailbox.hand_over(stopped_status(self._pools, last, time.monotonic()))
        while self._companions.alive:
            self._companions.stop(time.monotonic())
            self._kill_if_told_twice()
            self._children.wait(TICK_S)

    def _kill_if_told_twice(self) -> None:
        if self._signals.count > 1 and not self._killed:
            self._killed = True
            self._pools.kill_all()
            self._companions.kill()
