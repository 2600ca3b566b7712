"""Between confluent_kafka's messages and our columns.

The columns copy what they need, so that a batch never keeps whole fetch buffers alive.
"""

from collections.abc import Sequence
from typing import Any

from inflect.model.event import Batch, Headers


def batch_of(topic: str, messages: Sequence[Any]) -> Batch:
    """confluent_kafka messages as columns."""
    return Batch(
        topic=topic,
        values=[m.value() for m in messages],
        keys=[m.key() for m in messages],
        headers=[_headers(m) for m in messages],
        timestamps=[m.timestamp()[1] for m in messages],
        partitions=[m.partition() for m in messages],
        offsets=[m.offset() for m in messages],
    )


def _headers(message: Any) -> Headers | None:
    """Headers of one message; a header whose name is not UTF-8 makes the client raise SystemError once (never ask
    twice).
    """
    try:
        headers: Headers | None = message.headers()
    except SystemError:
        return None
    return headers
