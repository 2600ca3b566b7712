"""Asking again while a leader or coordinator is being chosen.

A topic or group just made, a broker just started: the first answers may be "not me", which is no answer.
"""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
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
OR_SLOW = BEING_CHOSEN | {KafkaError._TIMED_OUT}  # noqa: SLF001  the same
_PAUSE_S = 0.1


def bounded(call: Callable[[], None], within_s: float) -> None:
    """Make a call that may never return, and give it up after `within_s` seconds as timed out.

    librdkafka's `send_offsets_to_transaction` does not keep its own timeout while it looks for the group's coordinator
    (confluentinc/librdkafka#5456). A call given up goes on in a thread of its own until its client ends it.
    """
    ended: SimpleQueue[Exception | None] = SimpleQueue()

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001  raised again below, in the thread that asked
            ended.put(error)
        else:
            ended.put(None)

    threading.Thread(target=run, name="bounded-call", daemon=True).start()
    try:
        failed = ended.get(timeout=within_s)
    except Empty:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None  # noqa: SLF001  local code
    if failed is not None:
        raise failed


def patiently(
    ask: Callable[[], T],
    within_s: float,
    *,
    repeated: frozenset[int] = BEING_CHOSEN,
    meanwhile: Callable[[], None] = lambda: None,
) -> T:
    """The answer of `ask`, asked again for `within_s` seconds while it fails with one of the `repeated` codes.

    Other errors leave at once. `meanwhile` is called between two attempts.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in repeated or time.monotonic() > deadline:
                raise
        meanwhile()
        time.sleep(_PAUSE_S)
