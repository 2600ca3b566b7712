"""Messages from children, whole, in pieces and broken."""

import os
import pickle
import struct
from collections.abc import Callable

import dill  # type: ignore[import-untyped]  # what `multiprocess` pickles with
import pytest

from inflect.model.event import Counts, StepCounts
from inflect.model.status import Halted, MetricSample, PartitionProgress, Quarantined, Report, Stop
from inflect.supervisor.wire import LARGEST_BYTES, GarbageError, Inbox, encode

REPORT = Report(
    state="running",
    revision=7,
    partitions=(0, 3),
    progress={0: PartitionProgress(11, 12, 7, Counts(1, 1), {"lowercase": StepCounts(ok=1)})},
    samples=(MetricSample("x", (("step", "a"),), observations=(0.1, 0.2)),),
    rss_bytes=5,
)


def framed(payload: bytes) -> bytes:
    return struct.pack("!i", len(payload)) + payload


@pytest.mark.parametrize("dumps", [pickle.dumps, dill.dumps])
@pytest.mark.parametrize("message", [REPORT, Halted(0, 7, "why"), Quarantined(3, "why"), Stop(), ("ready", "http://x")])
def test_what_a_child_sends_arrives(message: object, dumps: Callable[[object], bytes]) -> None:
    assert list(Inbox().feed(framed(dumps(message)))) == [message]


def test_messages_arrive_whole_however_they_are_cut() -> None:
    stream = encode(REPORT) + encode(Stop()) + encode(REPORT)
    for size in (1, 3, 7, len(stream)):
        inbox = Inbox()
        messages: list[object] = []
        for start in range(0, len(stream), size):
            messages += inbox.feed(stream[start : start + size])
        assert messages == [REPORT, Stop(), REPORT]


def test_the_long_framing_is_understood() -> None:
    payload = pickle.dumps(REPORT)
    assert list(Inbox().feed(struct.pack("!iQ", -1, len(payload)) + payload)) == [REPORT]


@pytest.mark.parametrize("length", [-2, LARGEST_BYTES + 1, 0x7FFFFFFF])
def test_a_senseless_length_is_refused_before_it_is_believed(length: int) -> None:
    with pytest.raises(GarbageError, match="announced"):
        list(Inbox().feed(struct.pack("!i", length)))


def test_random_bytes_are_refused() -> None:
    with pytest.raises(GarbageError):
        list(Inbox().feed(framed(b"\x80\x05garbage")))


class Command:
    def __reduce__(self) -> tuple[Callable[..., int], tuple[str]]:
        return os.system, ("exit 1",)


def test_a_pickle_that_would_run_a_command_is_refused() -> None:
    with pytest.raises(GarbageError, match="system"):
        list(Inbox().feed(framed(pickle.dumps(Command()))))


def test_what_the_model_merely_imports_cannot_be_reached() -> None:
    for reached in (b"hashlib", b"hashlib.sha256", b"dataclass"):
        payload = b"\x80\x04\x8c\x17inflect.model.processor\x8c" + bytes([len(reached)]) + reached + b"\x93."
        with pytest.raises(GarbageError, match="no class of the model"):
            list(Inbox().feed(framed(payload)))
