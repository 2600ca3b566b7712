"""Calls that are asked again, and calls that never return."""

import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from inflect.kafka.patience import bounded


def test_a_call_that_never_returns_is_given_up_as_timed_out() -> None:
    forever = threading.Event()
    with pytest.raises(KafkaException) as failed:
        bounded(lambda: assert_set(forever), 0.05)
    assert failed.value.args[0].code() == KafkaError._TIMED_OUT
    assert not failed.value.args[0].retriable(), "it may still be running: another call beside it would be refused"
    forever.set()


def assert_set(event: threading.Event) -> None:
    assert event.wait(60)


def test_what_a_bounded_call_raises_reaches_the_caller() -> None:
    def fail() -> None:
        raise KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE))

    with pytest.raises(KafkaException, match="INVALID_TXN_STATE"):
        bounded(fail, 5)
