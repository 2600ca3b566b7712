"""Asking again while a leader or coordinator is being chosen.

A topic or group just made, a broker just started: the first answers may be "not me", which is no answer.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

T = TypeVar("T")

BEING_CHOSEN = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError._WAIT_COORD,  # noqa: SLF001  librdkafka's local code
    }
)
_PAUSE_S = 0.1


def patiently(ask: Callable[[], T], within_s: float) -> T:
    """The answer of `ask`, repeated for `within_s` seconds while nobody is chosen yet; other errors leave at once."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in BEING_CHOSEN or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_S)
