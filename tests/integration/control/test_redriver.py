"""A redrive in a process that is killed again and again, at the worst moments: every letter is delivered once."""

from collections.abc import Callable
from typing import Any

import pytest

from inflect.control import redriver
from inflect.control.redriver import Request
from inflect.control.selection import Order, Selection
from inflect.embedded.kafka import KafkaServer
from inflect.errors import InflectError, RefusedError
from inflect.model.revision import Revision
from tests.integration.control.letterbox import BROKEN, MENDED, ODD_FAIL, Letterbox, make, small_batches
from tests.waiting import eventually

# A child whose producer kills its process at the `nth` call of a method, before or after it.
STRIKING = """
import json, os, sys
sys.path[:] = json.loads(sys.argv[1])
import confluent_kafka
import inflect.kafka.producer as ours
calls = 0
class Producer(confluent_kafka.Producer):
    def {method}(self, *args, **named):
        global calls
        calls += 1
        if calls == {nth} and "{when}" == "before": os.kill(os.getpid(), 9)
        answer = super().{method}(*args, **named)
        if calls == {nth} and "{when}" == "after": os.kill(os.getpid(), 9)
        return answer
ours.Producer = Producer
from inflect.control.redriver import serve
serve()
"""


@pytest.fixture
def box(kafka: KafkaServer, topic_name: Callable[[str], str]) -> Letterbox:
    return make(kafka.bootstrap_servers, topic_name, partitions=3)


def asked(box: Letterbox, revision: Revision, *, dry_run: bool = False, rate: float | None = None) -> Request:
    return Request(revision, box.kafka, Order(Selection(), dry_run=dry_run, rate=rate), "json")


def test_ten_thousand_letters_survive_a_process_that_is_killed_over_and_over(box: Letterbox) -> None:
    assert box.fail(box.revision(BROKEN), box.events(10_000)) == 10_000
    mended = small_batches(box.revision(ODD_FAIL, number=2), 400)
    forecast = redriver._ask(asked(box, mended, dry_run=True), lambda _answer: None)
    assert forecast == {"selected": 10_000, "delivered": 5_000, "filtered": 2_500, "failed": 2_500}
    before = 0
    for kills in range(1, 6):
        with redriver._child(asked(box, mended)) as (process, words):
            after_batches(words, kills)
            process.kill()
        done = len(box.records(box.target))
        assert before < done < 5_000, "each try got on, and was killed before its end"
        before = done
    rest = redriver._ask(asked(box, mended), lambda _answer: None)
    assert 0 < rest["selected"] < 10_000
    assert box.numbers(box.target) == [n for n in range(10_000) if n % 4 in (0, 3)]
    again = [m for m in box.records(box.dlq) if dict(m.headers())["inflect.error.attempt"] == b"2"]
    assert len(again) == 2_500
    left = redriver._ask(asked(box, mended, dry_run=True), lambda _answer: None)
    assert left == {"selected": 2_500, "delivered": 0, "filtered": 0, "failed": 2_500}


def after_batches(words: Any, count: int) -> None:
    for _ in range(count):
        assert b"progress" in words.readline()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("method", "nth"), [("init_transactions", 1), ("begin_transaction", 2), ("produce", 30), ("commit_transaction", 2)]
)
def test_a_kill_at_any_seam_of_a_transaction_neither_loses_nor_doubles(
    box: Letterbox, monkeypatch: pytest.MonkeyPatch, method: str, nth: int, when: str
) -> None:
    box.fail(box.revision(BROKEN), box.events(60))
    mended = small_batches(box.revision(MENDED), 20)
    with monkeypatch.context() as patched:
        patched.setattr(redriver, "_CHILD", STRIKING.format(method=method, nth=nth, when=when))
        with pytest.raises(InflectError, match=r"died \(signal 9\).*run the redrive again"):
            redriver._ask(asked(box, mended), lambda _answer: None)
    committed = len(box.records(box.target))
    rest = redriver._ask(asked(box, mended), lambda _answer: None)
    assert rest["selected"] in {60 - committed, 60 - committed - 20}  # the commit may have been under way
    assert box.numbers(box.target) == list(range(60))
    assert len(box.records(box.dlq)) == 60


def test_a_child_that_nobody_waits_for_finishes_its_transaction_and_ends(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(2_000))
    mended = small_batches(box.revision(MENDED), 100)
    with redriver._child(asked(box, mended)) as (process, words):
        after_batches(words, 1)
    assert process.returncode == 0
    done = len(box.records(box.target))
    assert 0 < done < 2_000
    assert done % 100 == 0
    assert redriver._ask(asked(box, mended), lambda _answer: None)["selected"] == 2_000 - done


def test_two_at_once_deliver_each_letter_once(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(3_000))
    mended = small_batches(box.revision(MENDED), 50)
    with redriver._child(asked(box, mended, rate=100)) as (older, words):
        after_batches(words, 2)
        newer = redriver._ask(asked(box, mended), lambda _answer: None)
        said = words.read()
        eventually(lambda: older.poll() is not None)
    assert b"ConflictError" in said
    assert b"another redrive" in said
    assert newer["delivered"] < 3_000
    assert box.numbers(box.target) == list(range(3_000))


def test_what_the_child_meets_is_raised_as_what_it_was(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(1))
    with pytest.raises(RefusedError, match="at load") as refused:
        redriver._ask(asked(box, box.revision("throw new Error('at load')")), lambda _answer: None)
    assert refused.value.faults
    box.target = "no-such-topic"
    with pytest.raises(InflectError, match="missing topic: no-such-topic"):
        redriver._ask(asked(box, box.revision(MENDED)), lambda _answer: None)


def test_a_child_that_cannot_start_is_told(box: Letterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redriver, "_CHILD", "import os; os._exit(3)")
    with pytest.raises(InflectError, match=r"died \(exit code 3\)"):
        redriver._ask(asked(box, box.revision(MENDED)), lambda _answer: None)
