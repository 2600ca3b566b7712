"""Client settings."""

import pytest
from confluent_kafka import KafkaError, Message

from inflect.errors import CannotRunError
from inflect.kafka.config import producer_config
from inflect.kafka.consumer import ConsumerLostError, SourceConsumer, is_membership
from inflect.kafka.producer import DeliverySink, TransactionSink
from inflect.kafka.records import UNREADABLE_HEADERS, batch_of


def test_batches_fit_the_smallest_topic_and_records_the_largest() -> None:
    made = producer_config({}, print, transactional_id=None, limits=(2_000, 3_000_000))
    assert (made["batch.size"], made["message.max.bytes"]) == (2_000, 3_000_000)
    given = producer_config({"batch.size": "500"}, print, transactional_id=None, limits=(2_000,))
    assert given["batch.size"] == 500
    alone = producer_config({}, print, transactional_id=None)
    assert (alone["batch.size"], alone["message.max.bytes"]) == (1_000_000, 1_000_000)


@pytest.mark.parametrize("kafka", [{"message.timeout.ms": "60000"}, {"no.such.setting": "1"}, {"batch.size": "many"}])
def test_settings_that_the_client_refuses_cannot_run(kafka: dict[str, str]) -> None:
    with pytest.raises(CannotRunError, match="refuses the settings"):
        TransactionSink(kafka, "id").open()


def test_the_other_clients_refuse_settings_alike() -> None:
    with pytest.raises(CannotRunError, match="refuses the settings"):
        DeliverySink({"no.such.setting": "1"}).open()
    with pytest.raises(CannotRunError, match="refuses the settings"):
        SourceConsumer({"no.such.setting": "1"}, "g", "t")


def test_a_membership_has_a_generation_and_a_member() -> None:
    assert is_membership(b"CGMDv2:\x05\x00\x00\x00group\x00member\x00\x00")
    assert not is_membership(b"CGMDv2:\x05\x00\x00\x00group\x00\x00\x00")
    assert not is_membership(b"CGMDv2:\xff\xff\xff\xffgroup\x00member\x00\x00")


def test_an_error_in_a_partition_is_never_passed() -> None:
    """The client's position moves behind what it could not read; committing it would lose that event."""
    source = SourceConsumer({}, "g", "t")
    error = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(ConsumerLostError, match=r"cannot read t \[1\]"):
        source._judge(Message(topic="t", partition=1, offset=5, error=error))
    source._judge(Message(topic="t", partition=-1, error=error))
    assert "authorization" in source.last_error.lower()


class _Unreadable(Message):
    """A record with a header name that is not UTF-8, as the client presents it."""

    def headers(self) -> None:
        raise SystemError


@pytest.mark.row("B05")
def test_an_event_whose_headers_cannot_be_read_fails_and_keeps_the_rest() -> None:
    facts = {"topic": "t", "partition": 0, "offset": 3, "value": b"v", "key": b"k", "timestamp": (1, 5)}
    batch = batch_of("t", [Message(**facts), _Unreadable(**facts)])  # type: ignore[arg-type]  # of mixed types
    assert batch.failures == {1: UNREADABLE_HEADERS}
    assert (batch.values, batch.keys, batch.headers[1]) == ([b"v", b"v"], [b"k", b"k"], None)
