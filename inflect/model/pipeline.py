"""A pipeline as its owner describes it: source, steps, target and how failures end.

The document a user writes (YAML or JSON, a plain `dict` here) is what is stored and exported; the dataclasses below
are its typed reading with every default filled in. `model.document` checks documents and builds these.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"

Format = Literal["json", "avro", "protobuf", "string", "bytes"]
OnError = Literal["dead_letter", "drop", "stop"]
Guarantee = Literal["exactly_once", "at_least_once"]
Tombstones = Literal["deliver", "filter"]
StepKind = Literal["transformation", "filter"]

STEP_FOLDERS: dict[StepKind, str] = {"transformation": "transformations", "filter": "filters"}


@dataclass(frozen=True, slots=True)
class SchemaReference:
    """A registry subject and version, or a file beside the pipeline. Exactly one of `subject` and `file` is set.

    `message` is the full name of a Protobuf message, None the first one of the schema.
    """

    subject: str | None = None
    version: int | Literal["latest"] = "latest"
    file: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where events come from. `start` counts only for partitions that have no committed offset."""

    topic: str
    format: Format = "json"
    schema: SchemaReference | None = None
    start: str = "earliest"
    tombstones: Tombstones = "deliver"


@dataclass(frozen=True, slots=True)
class TopicCreation:
    """How a missing target topic is made; `None` leaves the choice to the source topic or the broker."""

    partitions: int | None = None
    replication_factor: int | None = None
    config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """Where delivered events go. `wire_prefix` None: the default of the format (see the contract)."""

    topic: str
    format: Format = "json"
    schema: SchemaReference | None = None
    create: TopicCreation | None = None
    wire_prefix: bool | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One use of a processor. `name` is unique in the pipeline; topics and policy are those in force, defaults applied.

    `dead_letter` is the topic failures of this step go to (its own, else the pipeline's, else None).
    """

    name: str
    kind: StepKind
    processor: str
    params: dict[str, Any] = field(default_factory=dict)
    dead_letter: str | None = None
    filtered: str | None = None
    on_error: OnError = "stop"

    @property
    def path(self) -> str:
        """The processor's path inside the processors directory, without its ending: `filters/only-paid`."""
        return f"{STEP_FOLDERS[self.kind]}/{self.processor}"


@dataclass(frozen=True, slots=True)
class Workers:
    """Bounds of the pool, and the lag in events one worker is expected to carry."""

    min: int = 1
    max: int = 4
    lag_per_worker: int = 10_000


@dataclass(frozen=True, slots=True)
class Partitions:
    """Whether the source topic may be given more partitions, and up to how many."""

    autoscale: bool = False
    max: int = 12


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How many events one transaction takes at most, and how long a worker waits for them."""

    max_events: int = 10_000
    max_wait_ms: int = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """What user code may use: time for one event, JavaScript heap for one isolate."""

    timeout_ms: int = 1000
    memory_mb: int = 128


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A whole pipeline, defaults applied. `dead_letter` and `on_error` hold for everything outside the steps."""

    name: str
    source: Source
    target: Target
    description: str = ""
    steps: tuple[Step, ...] = ()
    dead_letter: str | None = None
    on_error: OnError = "stop"
    guarantee: Guarantee = "exactly_once"
    stamp: bool = False
    workers: Workers = field(default_factory=Workers)
    partitions: Partitions = field(default_factory=Partitions)
    batch: BatchLimits = field(default_factory=BatchLimits)
    limits: Limits = field(default_factory=Limits)
    labels: dict[str, str] = field(default_factory=dict)
    tests: tuple[dict[str, Any], ...] = ()

    @property
    def group(self) -> str:
        """The consumer group."""
        return f"inflect-{self.name}"

    def transactional_id(self, slot: int) -> str:
        """The transactional id of one worker; stable per slot: a successor ends what a dead worker left open."""
        return f"inflect-{self.name}-{slot}"

    @property
    def dead_letter_topics(self) -> tuple[str, ...]:
        """Where failures go, the pipeline's topic and those of its steps, each once."""
        names = [self.dead_letter, *(step.dead_letter for step in self.steps)]
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def side_topics(self) -> tuple[str, ...]:
        """Dead letter and filtered topics, each once, in order of first use. Created when missing."""
        names = [self.dead_letter, *(t for s in self.steps for t in (s.dead_letter, s.filtered))]
        return tuple(dict.fromkeys(name for name in names if name))
