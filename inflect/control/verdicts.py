"""What is remembered of schemas that cannot be used, so that the next look does not try the same one again.

Trying an Avro or Protobuf schema takes a process and most of a second, and who follows a subject looks every few
seconds. A verdict holds for one content and one message, and for a while only: on a machine that stood still for a
moment a sound schema may look like one that takes too long.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from inflect.control.schemas import unusable
from inflect.errors import Fault
from inflect.model.schema import PinnedSchema

KEPT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Verdict:
    faults: tuple[Fault, ...]
    until: float


class Verdicts:
    """Schemas that were found unusable. Not safe between threads.

    `clock` gives seconds that only grow, `trial` says why a schema cannot be used.
    """

    def __init__(
        self, clock: Callable[[], float] = monotonic, trial: Callable[[PinnedSchema], list[Fault]] = unusable
    ) -> None:
        self._clock = clock
        self._trial = trial
        self._known: dict[tuple[str, str | None], _Verdict] = {}

    def of(self, pinned: PinnedSchema) -> tuple[Fault, ...]:
        """Return why events cannot be checked, read or written by a schema; empty when they can."""
        now, content = self._clock(), (pinned.schema.hash, pinned.message)
        self._known = {key: verdict for key, verdict in self._known.items() if now < verdict.until}
        if content in self._known:
            return self._known[content].faults
        faults = tuple(self._trial(pinned))
        if faults:
            self._known[content] = _Verdict(faults, self._clock() + KEPT_S)
        return faults
