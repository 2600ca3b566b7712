"""Between confluent_kafka's messages and our columns.

The columns copy what they need, so that a batch never keeps whole fetch buffers alive.
"""

from collections.abc import Sequence
from typing import Any

from inflect.model.event import Batch, Failure, Headers

UNREADABLE_HEADERS = Failure(
    "decode",
    "exception",
    "the name of a header is not UTF-8, so the headers cannot be read; the event is whole at its place in the source",
)


def batch_of(topic: str, messages: Sequence[Any]) -> Batch:
    """confluent_kafka messages as columns; an event whose headers cannot be read has failed."""
    failures: dict[int, Failure] = {}
    return Batch(
        topic=topic,
        values=[m.value() for m in messages],
        keys=[m.key() for m in messages],
        headers=[_headers(failures, index, m) for index, m in enumerate(messages)],
        timestamps=[m.timestamp()[1] for m in messages],
        partitions=[m.partition() for m in messages],
        offsets=[m.offset() for m in messages],
        failures=failures,
    )


def _headers(failures: dict[int, Failure], index: int, message: Any) -> Headers | None:
    """Headers of one message; where a name is not UTF-8 the client raises SystemError once (never ask twice)."""
    try:
        headers: Headers | None = message.headers()
    except SystemError:
        failures[index] = UNREADABLE_HEADERS
        return None
    return headers
