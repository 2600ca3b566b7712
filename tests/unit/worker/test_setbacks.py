"""What a worker learns from transactions that failed."""

import pytest

from inflect.errors import CannotRunError
from inflect.model.event import Batch
from inflect.worker.setbacks import MOST_FENCES, Setback, Setbacks

REFUSED = Setback("INVALID_RECORD", record_refused=True)


def batch(first: int, count: int) -> Batch:
    places = list(range(first, first + count))
    return Batch("t", [b"1"] * count, [None] * count, [None] * count, [0] * count, [0] * count, places)


def test_a_refused_record_is_found_in_few_attempts_and_the_batches_grow_again() -> None:
    known, at, attempts = Setbacks(), 0, 0
    while at < 10_000:
        attempts += 1
        tried = batch(at, min(known.most_events(10_000), 10_000 - at))
        if 7_777 in tried.offsets and not known.marked(tried).failures:
            known.learn(tried, REFUSED)
        else:
            known.committed(tried)
            at += len(tried)
    assert attempts < 50
    for _ in range(8):
        known.committed(batch(at, 1))
    assert known.most_events(10_000) == 10_000


def test_an_event_alone_is_guilty_and_its_dead_letter_refused_ends_the_worker() -> None:
    known = Setbacks()
    known.learn(batch(5, 1), REFUSED)
    (failure,) = known.marked(batch(0, 10)).failures.items()
    assert (failure[0], failure[1].stage, failure[1].kind) == (5, "produce", "rejected")
    with pytest.raises(CannotRunError, match="t:0:5 nor its dead letter"):
        known.learn(batch(5, 1), REFUSED)


def test_a_failure_that_says_nothing_convicts_nobody() -> None:
    known = Setbacks()
    known.learn(batch(0, 1), Setback("_STATE", unclear=True))
    known.learn(batch(0, 100), Setback("_TIMED_OUT"))
    assert known.marked(batch(0, 1)).failures == {}


def test_a_fencing_alone_is_no_rival_but_several_in_a_minute_are() -> None:
    known = Setbacks()
    assert [known.rival() for _ in range(MOST_FENCES)] == [False] * (MOST_FENCES - 1) + [True]
