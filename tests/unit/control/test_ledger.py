"""A mark counts for its pipeline, its topic and the topic's present life only; garbage counts for nothing."""

from dataclasses import replace

import pytest

from inflect.control.ledger import Ledger, Mark

MARK = Mark("2026-01-02T03:04:05.678Z", "delivered", 3)
PLACE = ("dlq.a-b_c", 2)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger("orders", {"dlq.a-b_c": "id-1"})


def test_a_mark_is_read_as_it_was_written(ledger: Ledger) -> None:
    record = ledger.record(PLACE, 17, MARK)
    assert record.key == b"orders|dlq.a-b_c:2:17"
    assert isinstance(record.value, bytes)
    ledger.add(record.key, record.value)
    assert ledger.mark(PLACE, 17) == MARK
    assert ledger.mark(PLACE, 18) is None


def test_marks_of_one_transaction_are_kept_once(ledger: Ledger) -> None:
    for offset in range(3):
        record = ledger.record(PLACE, offset, MARK)
        ledger.add(record.key, str(record.value, "utf-8").encode() if isinstance(record.value, bytes) else None)
    assert ledger.mark(PLACE, 0) is ledger.mark(PLACE, 2) is not None


def test_a_mark_with_nonsense_in_it_is_a_mark(ledger: Ledger) -> None:
    ledger.add(b"orders|dlq.a-b_c:2:17", b'{"topic_id": "id-1", "revision": "x"}')
    assert ledger.mark(PLACE, 17) == Mark("", "delivered", 0)


def test_a_mark_of_a_topic_that_was_made_again_counts_no_more(ledger: Ledger) -> None:
    record = replace(ledger, topic_ids={"dlq.a-b_c": "id-0"}).record(PLACE, 17, MARK)
    ledger.add(record.key, bytes(record.value or b""))  # type: ignore[arg-type]  # bytes, as it was made
    assert ledger.mark(PLACE, 17) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"{}"),
        (b"", b"{}"),
        (b"\xff", b"{}"),
        (b"other|dlq.a-b_c:2:17", b'{"topic_id": "id-1"}'),
        (b"orders|elsewhere:2:17", b'{"topic_id": "id-1"}'),
        (b"orders|dlq.a-b_c:2:x", b'{"topic_id": "id-1"}'),
        (b"orders|dlq.a-b_c", b'{"topic_id": "id-1"}'),
        (b"orders|dlq.a-b_c:2:17", b"no json"),
        (b"orders|dlq.a-b_c:2:17", b"[]"),
        (b"orders|dlq.a-b_c:2:17", None),
    ],
)
def test_what_is_no_mark_of_ours_is_passed(ledger: Ledger, key: bytes | None, value: bytes | None) -> None:
    ledger.add(key, value)
    assert ledger.mark(PLACE, 17) is None
