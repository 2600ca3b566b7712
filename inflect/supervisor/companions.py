"""Processes beside the pools that live as long as the supervisor: the web server, the demo's load.

They are kept alive with growing pauses, like workers, and are the last to be stopped, so that a stop can
be watched.
"""

import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any, Final

from inflect import logs
from inflect.supervisor.backoff import after_failure
from inflect.supervisor.children import Children, Ears
from inflect.supervisor.process import Child, Target
from inflect.supervisor.reconcile import Backoff

STOP_WITHIN_S: Final = 5.0

_log = logs.get("supervisor")


@dataclass(frozen=True, slots=True)
class Companion:
    """A process to keep alive: `target(connection, *args)`, importable in the child.

    It may send `("ready", address)` once it serves. End-of-file on the connection, or SIGTERM, ends it.
    """

    name: str
    target: Target
    args: tuple[Any, ...] = ()


@dataclass(slots=True)
class _Life:
    companion: Companion
    child: Child | None = None
    started_at: float = 0.0
    starts: int = 0
    backoff: Backoff = field(default_factory=Backoff)


class Companions:
    """All companions; `on_ready` gets the first address that each of them says."""

    def __init__(
        self, children: Children, companions: Sequence[Companion], on_ready: Callable[[str], None] | None
    ) -> None:
        self._children = children
        self._lives = {companion.name: _Life(companion) for companion in companions}
        self._on_ready = on_ready
        self._announced: set[str] = set()
        self._stop_deadline: float | None = None

    @property
    def alive(self) -> bool:
        """Whether any of them lives."""
        return any(life.child is not None for life in self._lives.values())

    def pid(self, name: str) -> int | None:
        """Return the process id of a companion, None while it does not live."""
        child = self._lives[name].child
        return child.pid if child is not None else None

    def starts(self, name: str) -> int:
        """Return how often a companion was started."""
        return self._lives[name].starts

    def keep(self, now: float) -> None:
        """Start those that are not running and have rested."""
        for life in self._lives.values():
            if life.child is None and life.backoff.not_before <= now:
                self._start(life, now)

    def stop(self, now: float) -> None:
        """End them, the orderly way first; to be called again until none is `alive`."""
        if self._stop_deadline is None:
            self._stop_deadline = now + STOP_WITHIN_S
            self._signal(signal.SIGTERM)
        elif now >= self._stop_deadline:
            self._signal(signal.SIGKILL)

    def kill(self) -> None:
        """End them at once."""
        self._stop_deadline = 0.0
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for life in self._lives.values():
            if life.child is not None:
                life.child.signal(number)

    def _start(self, life: _Life, now: float) -> None:
        companion, life.started_at = life.companion, now
        life.starts += 1
        ears = Ears(
            partial(self._on_message, life),
            lambda why: _log.warning("companion killed", companion=companion.name, why=why),
            partial(self._on_end, life),
        )
        try:
            life.child = self._children.start(ears, companion.name, companion.target, *companion.args)
        except (OSError, EOFError) as error:
            _log.warning("companion not started", companion=companion.name, why=str(error))
            self._rest(life)

    def _on_message(self, life: _Life, message: Any) -> None:
        match message:
            case ("ready", str(address)) if life.companion.name not in self._announced:
                self._announced.add(life.companion.name)
                if self._on_ready is not None:
                    self._on_ready(address)

    def _on_end(self, life: _Life, code: int | None) -> None:
        life.child = None
        if self._stop_deadline is None:
            _log.warning("companion ended; it is started again", companion=life.companion.name, exit_code=code)
            self._rest(life)

    def _rest(self, life: _Life) -> None:
        now = monotonic()
        life.backoff = after_failure(
            life.backoff,
            revision=0,
            lived_s=now - life.started_at,
            now=now,
            chance=random.random(),  # noqa: S311  jitter, not a secret
        )
