"""Each writer's dead letters are read by the names and encodings it really uses, and give the original back."""

import struct

import pytest

from inflect.model.event import Batch, Failure, Headers, Location
from inflect.processing.dead_letter import Occasion, dead_letter
from inflect.processing.dialects import Story, read_story
from tests.unit.processing.chains import NOW, revision

TRACE = b"java.lang.X\n\tat a.B.c(B.java:1)"
OWN: tuple[tuple[str, bytes | None], ...] = (("trace-id", b"\x00\xff"), ("empty", None), ("trace-id", b"2"))


def story(headers: Headers) -> Story:
    found = read_story(headers)
    assert found is not None
    return found


def letter(headers: Headers | None, failure: Failure, attempts: dict[int, int] | None = None) -> Headers:
    one = Batch("in", [b"{}"], [b"k"], [headers], [1234], [3], [42], attempts=attempts or {})
    return dead_letter(one, 0, failure, "dlq", 1_000_000, Occasion(revision(), NOW)).headers or ()


def test_our_own_letters_tell_everything() -> None:
    failure = Failure("step", "exception", "no", "t0", Location("a.js", 3, 14))
    assert story(letter(OWN, failure)) == Story(
        "inflect", OWN, "orders", 7, "in", 3, 42, 1234, "step", "t0", "exception", "no", "a.js:3:14",
        "2026-01-02T03:04:05.678Z", 1,
    )  # fmt: skip


def test_what_is_not_known_is_absent() -> None:
    told = story(letter(None, Failure("decode", "schema", "")))
    assert (told.step, told.location, told.message, told.headers) == (None, None, None, ())


def test_a_truncated_letter_says_so() -> None:
    one = Batch("in", [b"x" * 5000], [None], [None], [1], [0], [0])
    record = dead_letter(one, 0, Failure("decode", "exception", "no"), "dlq", 2000, Occasion(revision(), NOW))
    assert (record.value, story(record.headers or ()).truncated) == (None, True)


def test_an_event_that_was_a_dead_letter_before_keeps_its_older_story_as_headers() -> None:
    older = letter(OWN, Failure("step", "exception", "old", "t0", Location("a.js", 1)))
    told = story(letter(older, Failure("decode", "exception", "new")))
    assert (told.headers, told.message, told.step, told.location) == (older, "new", None, None)


def test_headers_in_any_order_and_between_others_are_found() -> None:
    told = story([("inflect.error.offset", b"7"), *OWN, ("inflect.error.pipeline", b"p"), ("after", b"x")])
    assert (told.offset, told.writer, told.headers) == (7, "p", (*OWN, ("after", b"x")))


@pytest.mark.parametrize("offset", [b"-1", b"many", b"", b"9" * 30, None])
def test_a_number_that_is_none_is_not_known(offset: bytes | None) -> None:
    assert story([("inflect.error.pipeline", b"p"), ("inflect.error.offset", offset)]).offset is None


def test_kafka_connect() -> None:
    told = story(
        [
            *OWN,
            ("__connect.errors.topic", b"orders"),
            ("__connect.errors.partition", b"3"),
            ("__connect.errors.offset", b"42"),
            ("__connect.errors.connector.name", b"s3-sink"),
            ("__connect.errors.task.id", b"0"),
            ("__connect.errors.stage", b"VALUE_CONVERTER"),
            ("__connect.errors.class.name", b"org.apache.kafka.connect.json.JsonConverter"),
            ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
            ("__connect.errors.exception.message", b"no schema"),
            ("__connect.errors.exception.stacktrace", TRACE),
        ]
    )
    assert told == Story(
        "connect", OWN, "s3-sink", None, "orders", 3, 42, None, "VALUE_CONVERTER",
        "org.apache.kafka.connect.json.JsonConverter", "org.apache.kafka.connect.errors.DataException", "no schema",
    )  # fmt: skip


def test_kafka_connect_without_a_source_record() -> None:
    told = story([("__connect.errors.topic", b""), ("__connect.errors.partition", b"-1")])
    assert (told.topic, told.partition, told.offset) == (None, None, None)


def test_kafka_streams() -> None:
    told = story(
        [
            *OWN,
            ("__streams.errors.exception", b"java.lang.IllegalStateException"),
            ("__streams.errors.message", None),
            ("__streams.errors.stacktrace", TRACE),
            ("__streams.errors.topic", b"orders"),
            ("__streams.errors.partition", b"3"),
            ("__streams.errors.offset", b"42"),
        ]
    )
    assert told == Story("streams", OWN, topic="orders", partition=3, offset=42, kind="java.lang.IllegalStateException")


def spring(topic: bytes, partition: int, offset: int, timestamp: int) -> list[tuple[str, bytes | None]]:
    return [
        ("kafka_dlt-original-topic", topic),
        ("kafka_dlt-original-partition", struct.pack(">i", partition)),
        ("kafka_dlt-original-offset", struct.pack(">q", offset)),
        ("kafka_dlt-original-timestamp", struct.pack(">q", timestamp)),
        ("kafka_dlt-original-timestamp-type", b"CreateTime"),
        ("kafka_dlt-original-consumer-group", b"billing"),
        ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
        ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalArgumentException"),
        ("kafka_dlt-exception-message", b"bad price"),
        ("kafka_dlt-exception-stacktrace", TRACE),
    ]


def test_spring_with_its_binary_numbers() -> None:
    told = story([*OWN, *spring(b"orders", 3, 42, 1_700_000_000_123), ("retry_topic-attempts", struct.pack(">i", 4))])
    assert told == Story(
        "spring", OWN, "billing", None, "orders", 3, 42, 1_700_000_000_123,
        kind="java.lang.IllegalArgumentException", message="bad price", attempt=4,
    )  # fmt: skip


def test_spring_after_retry_topics_names_the_first_topic_and_the_last_exception() -> None:
    again = [*spring(b"orders", 3, 42, 1), *spring(b"orders-retry-0", 0, 9, 2)[:-2]]
    told = story([*again, ("kafka_dlt-exception-message", b"still bad")])
    assert (told.topic, told.offset, told.timestamp, told.message, told.headers) == ("orders", 42, 1, "still bad", ())


def test_spring_when_the_key_could_not_be_read() -> None:
    told = story(
        [
            ("kafka_dlt-key-exception-fqcn", b"DeserializationException"),
            ("kafka_dlt-key-exception-message", b"not a UUID"),
            ("springDeserializerExceptionKey", b"\xac\xed"),
            ("kafka_dlt-original-partition", b"3"),
        ]
    )
    assert told == Story("spring", (), kind="DeserializationException", message="not a UUID")


@pytest.mark.parametrize("headers", [None, (), [("trace-id", b"1")], [("inflect.filtered.pipeline", b"p")]])
def test_records_without_a_story_are_no_dead_letters(headers: Headers | None) -> None:
    assert read_story(headers) is None
