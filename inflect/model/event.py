"""A batch of events as columns, what failed in it, and the four outcomes.

Columns, because a column is moved by one call where a list of objects costs one call an event. A failed event is a
value (`Failure`), never an exception: an exception means that the machine failed, not the data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

Headers = Sequence[tuple[str, bytes | None]]

Stage = Literal["decode", "incoming_schema", "step", "outgoing_schema", "encode", "produce"]
FailureKind = Literal["exception", "timeout", "memory", "rejected", "schema", "too_large"]
Outcome = Literal["delivered", "filtered", "dead_lettered", "dropped"]


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the user's own file; line and column count from 1, None where not known."""

    file: str
    line: int | None = None
    column: int | None = None
    source_line: str | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one event could not be delivered.

    `step` is the step's name, None outside the steps; `path` is where a schema was broken.
    """

    stage: Stage
    kind: FailureKind
    message: str
    step: str | None = None
    location: Location | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one topic in the order they were fetched; all columns have the same length.

    `values` and `keys` are the raw bytes (None: absent); `headers` entries are None where an event has none;
    `timestamps` are milliseconds since 1970, -1 where the broker gave none. `failures` holds, by index, the events
    that failed before any step could see them: they could not be read whole, or Kafka refused what they became.
    `attempts` holds, by index, which attempt this is for events that are tried again; for all others it is the first.
    """

    topic: str
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    headers: Sequence[Headers | None]
    timestamps: Sequence[int]
    partitions: Sequence[int]
    offsets: Sequence[int]
    failures: Mapping[int, Failure] = field(default_factory=dict)
    attempts: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Record:
    """One record to produce. `timestamp` in ms, -1 leaves it to the broker."""

    topic: str
    value: str | bytes | None
    key: bytes | None
    headers: Headers | None
    timestamp: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many source events had which outcome; `+` adds. Balanced when consumed is the sum of the others."""

    consumed: int = 0
    delivered: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    dropped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def unaccounted(self) -> int:
        """Events without an outcome; anything but 0 is a defect."""
        return self.consumed - self.delivered - self.filtered - self.dead_lettered - self.dropped


@dataclass(frozen=True, slots=True)
class StepCounts:
    """How many source events passed (`ok`), were filtered by, or failed in one step."""

    ok: int = 0
    filtered: int = 0
    failed: int = 0

    def __add__(self, other: "StepCounts") -> "StepCounts":
        return StepCounts(self.ok + other.ok, self.filtered + other.filtered, self.failed + other.failed)
