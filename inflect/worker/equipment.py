"""What a revision needs in order to run here: its chain, its sink, and the limits of the topics both write to."""

from collections.abc import Mapping
from dataclasses import dataclass

from inflect.kafka.producer import DeliverySink, Sink, TransactionSink
from inflect.model.revision import Revision
from inflect.processing.chain import Chain


@dataclass(frozen=True, slots=True)
class Equipment:
    """A revision's chain and sink, made for topics with these `max.message.bytes`."""

    limits: Mapping[str, int]
    chain: Chain
    sink: Sink

    def close(self) -> None:
        """Give up the producer, and with it what is not committed, and the isolate."""
        self.sink.close()
        self.chain.close()


def equip(kafka: Mapping[str, str], slot: int, revision: Revision, limits: Mapping[str, int]) -> Equipment:
    """Load the revision; the sink is not open yet. Raises `RefusedError` when a processor cannot be loaded."""
    return Equipment(limits, Chain(revision, max_record_bytes=limits), _sink(kafka, slot, revision, limits))


def _sink(kafka: Mapping[str, str], slot: int, revision: Revision, limits: Mapping[str, int]) -> Sink:
    pipeline = revision.pipeline
    if pipeline.guarantee == "exactly_once":
        return TransactionSink(kafka, pipeline.transactional_id(slot), *limits.values())
    return DeliverySink(kafka, *limits.values())
