"""Every error a broker may answer with, to every request of a transaction: repeated, or renewed; never stuck."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaError

from inflect.kafka.consumer import SourceConsumer
from inflect.kafka.producer import Checkpoint, NotReadyError, Outputs, TransactionFailedError, TransactionSink
from inflect.model.event import Batch, Counts
from inflect.model.status import PartitionProgress
from tests.faults.mock import MockCluster, mock_cluster
from tests.waiting import eventually

REQUESTS = {
    "Produce": 0,
    "InitProducerId": 22,
    "AddPartitionsToTxn": 24,
    "AddOffsetsToTxn": 25,
    "EndTxn": 26,
    "TxnOffsetCommit": 28,
}
ERRORS = tuple(
    """
    UNKNOWN OFFSET_OUT_OF_RANGE INVALID_MSG UNKNOWN_TOPIC_OR_PART LEADER_NOT_AVAILABLE NOT_LEADER_FOR_PARTITION
    REQUEST_TIMED_OUT BROKER_NOT_AVAILABLE MSG_SIZE_TOO_LARGE NETWORK_EXCEPTION COORDINATOR_LOAD_IN_PROGRESS
    COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR TOPIC_EXCEPTION RECORD_LIST_TOO_LARGE NOT_ENOUGH_REPLICAS
    NOT_ENOUGH_REPLICAS_AFTER_APPEND ILLEGAL_GENERATION UNKNOWN_MEMBER_ID REBALANCE_IN_PROGRESS
    TOPIC_AUTHORIZATION_FAILED GROUP_AUTHORIZATION_FAILED CLUSTER_AUTHORIZATION_FAILED INVALID_TIMESTAMP
    OUT_OF_ORDER_SEQUENCE_NUMBER INVALID_PRODUCER_EPOCH INVALID_TXN_STATE
    INVALID_PRODUCER_ID_MAPPING CONCURRENT_TRANSACTIONS TRANSACTION_COORDINATOR_FENCED
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED KAFKA_STORAGE_ERROR UNKNOWN_PRODUCER_ID FENCED_LEADER_EPOCH
    UNKNOWN_LEADER_EPOCH PRODUCER_FENCED THROTTLING_QUOTA_EXCEEDED
    """.split()  # noqa: SIM905  a table to be read
)
ENDS_WITHIN_S = 5.0


class Bench:
    """A transactional sink on a mock cluster, and a membership to commit under."""

    def __init__(self, cluster: MockCluster, source: SourceConsumer, membership: bytes) -> None:
        self.cluster, self._source, self._membership = cluster, source, membership
        self.sink = TransactionSink(cluster.kafka, "bench", 1_000_000)
        self._offset = 0

    def commit(self) -> str:
        """One event in one transaction; Kafka's name for the error when it failed, and then the producer is renewed."""
        self._offset += 1
        batch = Batch("in", [b"v"], [b"k"], [None], [0], [0], [self._offset])
        progress = PartitionProgress(self._offset + 1, -1, 1, Counts(self._offset, self._offset))
        try:
            eventually(self._ready, within_s=20)
            self.sink.commit(
                Outputs("out", batch, ["v"], {}), Checkpoint(self._source, {0: progress}, self._membership)
            )
        except TransactionFailedError as failed:
            self.sink.close()
            return failed.code
        return ""

    def _ready(self) -> bool:
        if not self.sink.ready:
            try:
                self.sink.open()
            except NotReadyError:
                return False
        return True


@contextmanager
def bench() -> Iterator[Bench]:
    with mock_cluster() as cluster:
        for topic in ("in", "out"):
            cluster.create_topic(topic)
        with SourceConsumer(cluster.kafka, "bench", "in") as source:

            def joined() -> bytes | None:
                membership = source.fetch(1, idle_s=0.1, gather_s=0).membership
                return membership if source.partitions else None

            made = Bench(cluster, source, eventually(joined, within_s=20) or b"")
            try:
                yield made
            finally:
                made.sink.close()


@pytest.mark.row("A46", "A47")
def test_any_error_of_the_broker_is_repeated_or_ends_in_a_new_producer() -> None:
    """Among them those that the client calls fatal: fenced, an invalid state, a lost authorisation."""
    parts = [(name, ERRORS[half::2]) for name in REQUESTS for half in (0, 1)]
    with ThreadPoolExecutor(len(parts)) as pool:
        for faults in list(pool.map(suffer, parts)):
            assert faults == []


def suffer(part: tuple[str, Sequence[str]]) -> list[str]:
    """Each error once, as the answer to one kind of request; what did not end well or in time."""
    request, errors = part
    faults = []
    with bench() as each:
        assert each.commit() == ""
        for name in errors:
            if request == "InitProducerId":
                each.sink.close()
            each.cluster.answer_next(REQUESTS[request], getattr(KafkaError, name))
            started = time.monotonic()
            each.commit()
            if time.monotonic() - started > ENDS_WITHIN_S:
                faults.append(f"{request} {name}: took {time.monotonic() - started:.1f} s")
            each.cluster.forget(REQUESTS[request])
            if failed := each.commit():
                faults.append(f"{request} {name}: the next transaction fails too, {failed}")
    return faults
