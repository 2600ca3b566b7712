"""What a revision needs in order to run here: its chain, its sink, schemas, and the limits of the topics it writes."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from inflect.kafka.producer import DeliverySink, Sink, TransactionSink
from inflect.model.revision import Revision
from inflect.processing.chain import Chain
from inflect.schemas.writers import WriterSchemas
from inflect.settings import RegistryAccess


@dataclass(frozen=True, slots=True)
class SchemaAccess:
    """Where schemas that events name are found: the registry, None for none, and a directory that remembers them."""

    registry: RegistryAccess | None = None
    cache_dir: Path | None = None


NO_SCHEMAS = SchemaAccess()


@dataclass(frozen=True, slots=True)
class Equipment:
    """A revision's chain and sink, made for topics with these `max.message.bytes`."""

    limits: Mapping[str, int]
    chain: Chain
    sink: Sink
    writers: WriterSchemas | None = None

    def close(self) -> None:
        """Give up the producer, and with it what is not committed, the isolate and the connections to the registry."""
        self.sink.close()
        self.chain.close()
        if self.writers is not None:
            self.writers.close()


def equip(
    kafka: Mapping[str, str],
    slot: int,
    revision: Revision,
    limits: Mapping[str, int],
    schemas: SchemaAccess = NO_SCHEMAS,
) -> Equipment:
    """Load the revision; the sink is not open yet. Raises `RefusedError` when a processor or schema cannot be loaded.

    The registry is not asked: what the revision pins is known.
    """
    with ExitStack() as until_loaded:
        writers = _writers(revision, schemas)
        if writers is not None:
            until_loaded.enter_context(writers)
        chain = Chain(revision, max_record_bytes=limits, writers=writers)
        until_loaded.pop_all()
    return Equipment(limits, chain, _sink(kafka, slot, revision, limits), writers)


def _writers(revision: Revision, schemas: SchemaAccess) -> WriterSchemas | None:
    if schemas.registry is None:
        return None
    return WriterSchemas(schemas.registry, schemas.cache_dir, revision.pinned)


def _sink(kafka: Mapping[str, str], slot: int, revision: Revision, limits: Mapping[str, int]) -> Sink:
    pipeline = revision.pipeline
    if pipeline.guarantee == "exactly_once":
        return TransactionSink(kafka, pipeline.transactional_id(slot), *limits.values())
    return DeliverySink(kafka, *limits.values())
