"""Dead letters back through the pipeline: what was wrong is right, the rest is as it was, and nothing comes twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource

from inflect.control.ledger import TOPIC
from inflect.control.letters import open_box, read_letters
from inflect.control.redrive import Watcher, redrive
from inflect.control.selection import Order, Selection
from inflect.control.tally import Tally
from inflect.embedded.kafka import KafkaServer
from inflect.errors import CannotRunError, ConflictError, InflectError, UsageError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.browse import Browser
from inflect.model.event import Batch, Record
from inflect.model.pipeline import Limits, Step
from inflect.processing.chain import Chain
from tests.integration.control.letterbox import AT_MS, BROKEN, MENDED, ODD_FAIL, Letterbox, make, small_batches
from tests.integration.worker.crew import committed
from tests.waiting import eventually

Names = Callable[[str], str]


@pytest.fixture
def box(kafka: KafkaServer, topic_name: Names) -> Letterbox:
    return make(kafka.bootstrap_servers, topic_name)


def error_headers(message: Any) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in message.headers() or () if name.startswith("inflect.")}


def test_a_mended_pipeline_delivers_its_letters_as_they_were(box: Letterbox) -> None:
    headers = [("trace", b"\x00\xff"), ("none", None), ("trace", b"2"), ("empty", b"")]
    batch = Batch(box.source, [b'{"n": 1}'], [b"\xfe\xff"], [headers], [AT_MS + 5], [1], [77])
    box.fail(box.revision(BROKEN), batch)
    answer = box.redrive(box.revision("module.exports = (event) => event", number=2))
    assert answer == {"selected": 1, "delivered": 1, "filtered": 0, "failed": 0}
    (delivered,) = box.records(box.target)
    assert (delivered.value(), delivered.key(), delivered.headers()) == (b'{"n":1}', b"\xfe\xff", headers)
    assert delivered.timestamp()[1] == AT_MS + 5


def test_the_step_sees_the_place_in_the_source(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(1, first=40))
    place = "module.exports = (e, c) => ({ n: c.offset, topic: c.topic, partition: c.partition, at: c.timestamp })"
    box.redrive(box.revision(place))
    (delivered,) = box.records(box.target)
    assert json.loads(delivered.value()) == {"n": 40, "topic": box.source, "partition": 0, "at": AT_MS + 40}


def test_a_forecast_is_what_then_happens_and_writes_nothing(box: Letterbox) -> None:
    assert box.fail(box.revision(BROKEN), box.events(100)) == 100
    mended = box.revision(ODD_FAIL, number=2)
    forecast = box.redrive(mended, dry_run=True)
    assert forecast == {"selected": 100, "delivered": 50, "filtered": 25, "failed": 25}
    assert (box.records(box.target), len(box.records(box.dlq))) == ([], 100)
    assert box.redrive(mended) == forecast
    assert box.numbers(box.target) == [n for n in range(100) if n % 4 in (0, 3)]


def test_letters_that_fail_again_are_new_letters_with_the_next_attempt(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(4))
    again = box.revision(ODD_FAIL, number=2)
    box.redrive(again)
    letters = [m for m in box.records(box.dlq) if error_headers(m)["inflect.error.attempt"] == "2"]
    (letter,) = letters
    told = error_headers(letter)
    assert (told["inflect.error.message"], told["inflect.error.revision"]) == ("Error: event 1 is odd", "2")
    assert (told["inflect.error.topic"], told["inflect.error.offset"]) == (box.source, "1")
    assert [name for name, _ in letter.headers()].count("inflect.error.pipeline") == 1
    assert (letter.value(), letter.timestamp()[1]) == (b'{"n": 1}', AT_MS + 1)
    assert box.redrive(again) == {"selected": 1, "delivered": 0, "filtered": 0, "failed": 1}


def test_what_was_redriven_is_not_redriven_again(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(10))
    mended = box.revision(MENDED, number=2)
    assert box.redrive(mended)["delivered"] == 10
    assert box.redrive(mended)["selected"] == 0
    named = box.redrive(mended, ids=box.ids()[:1])
    assert (named["failed"], named["refused"]) == (1, 1)
    assert "was redriven at" in named["refusals"][0]["reason"]
    assert box.numbers(box.target) == list(range(10))


def test_some_letters_are_redriven_and_the_others_stay(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(9))
    chosen = box.ids()[::3]
    answer = box.redrive(box.revision(MENDED), ids=[*chosen, chosen[0]])
    assert answer == {"selected": 3, "delivered": 3, "filtered": 0, "failed": 0}
    assert box.redrive(box.revision(MENDED), dry_run=True)["selected"] == 6


def test_letters_of_one_cause_are_redriven_and_the_others_stay(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(5))
    box.fail(box.revision("module.exports = () => null.x"), box.events(3, first=5))
    causes: dict[str, int] = {}

    with Admin(box.kafka) as admin, Browser(box.kafka) as browser:
        for letter in read_letters(browser, open_box(admin, browser, box.revision(MENDED).pipeline)):
            causes[letter.cause] = causes.get(letter.cause, 0) + 1
    assert sorted(causes.values()) == [3, 5]
    forecast = {cause: box.redrive(box.revision(MENDED), cause=cause, dry_run=True)["selected"] for cause in causes}
    assert forecast == causes
    (rare,) = (cause for cause, count in causes.items() if count == 3)
    assert box.redrive(box.revision(MENDED), cause=rare) == {"selected": 3, "delivered": 3, "filtered": 0, "failed": 0}
    assert box.numbers(box.target) == [5, 6, 7]
    assert box.redrive(box.revision(MENDED), cause="00000000")["selected"] == 0


def test_letters_of_another_pipeline_in_the_same_topic_are_left_alone(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(2))
    other = box.revision(BROKEN)
    box.fail(replace(other, pipeline=replace(other.pipeline, name="other")), box.events(3, first=2))
    box.write_letter(b'{"n": 9}', [("no", b"story")])
    assert box.redrive(box.revision(MENDED)) == {"selected": 2, "delivered": 2, "filtered": 0, "failed": 0}
    theirs = next(m for m in box.records(box.dlq) if json.loads(m.value())["n"] == 2)
    refused = box.redrive(box.revision(MENDED), ids=[f"{box.dlq}:{theirs.partition()}:{theirs.offset()}"])
    assert "no such dead letter of this pipeline" in refused["refusals"][0]["reason"]


def test_ids_that_are_none_are_refused_before_anything_happens(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(1))
    with pytest.raises(UsageError, match="not in a dead letter topic"):
        box.redrive(box.revision(MENDED), ids=[*box.ids(), f"{box.source}:0:0"])
    with pytest.raises(UsageError, match="TOPIC:PARTITION:OFFSET"):
        box.redrive(box.revision(MENDED), ids=["nonsense"])
    assert box.records(box.target) == []


def test_filtered_letters_go_to_the_topic_of_their_step(box: Letterbox, topic_name: Names) -> None:
    kept = topic_name("kept")
    with Admin(box.kafka) as admin:
        admin.create_topics([NewTopicSpec(kept, 1)])
    box.fail(box.revision(BROKEN), box.events(4))
    step = Step("like", "transformation", "like", dead_letter=box.dlq, on_error="dead_letter", filtered=kept)
    assert box.redrive(box.revision(ODD_FAIL, steps=(step,)))["filtered"] == 1
    (record,) = box.records(kept)
    assert record.value() == b'{"n": 2}'
    assert {"inflect.filtered.reason": "even"}.items() <= error_headers(record).items()
    assert not any(name.startswith("inflect.error.") for name, _ in record.headers())


def test_failures_are_dropped_where_the_pipeline_says_so(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(4))
    step = Step("like", "transformation", "like", dead_letter=box.dlq, on_error="drop")
    answer = box.redrive(box.revision(ODD_FAIL, steps=(step,)))
    assert answer == {"selected": 4, "delivered": 2, "filtered": 1, "failed": 1, "dropped": 1}
    assert len(box.records(box.dlq)) == 4
    assert box.redrive(box.revision(ODD_FAIL))["selected"] == 0


def test_on_error_stop_ends_before_the_letter_and_says_so(kafka: KafkaServer, topic_name: Names) -> None:
    box = make(kafka.bootstrap_servers, topic_name, partitions=1)
    box.fail(box.revision(BROKEN), box.events(4))
    step = Step("like", "transformation", "like", dead_letter=box.dlq, on_error="stop")
    stopping = box.revision(ODD_FAIL, steps=(step,))
    forecast = box.redrive(stopping, dry_run=True)
    assert (forecast["selected"], forecast["delivered"]) == (1, 1)
    assert forecast["stopped"].startswith(
        f"on_error: stop met letter {box.dlq}:0:1: exception in step like: Error: event 1"
    )
    assert box.redrive(stopping) == forecast
    assert box.numbers(box.target) == [0]
    assert box.redrive(box.revision(MENDED), dry_run=True)["selected"] == 3


def test_a_letter_that_failed_too_often_is_refused_unless_it_is_named(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(1))
    for _ in range(5):
        assert box.redrive(box.revision(BROKEN))["failed"] == 1
    forecast = box.redrive(box.revision(MENDED), dry_run=True)
    assert (forecast["failed"], forecast["refused"]) == (1, 1)
    (refusal,) = box.redrive(box.revision(MENDED))["refusals"]
    assert "was redriven 5 times" in refusal["reason"]
    assert box.redrive(box.revision(MENDED), ids=[refusal["id"]])["delivered"] == 1


def test_from_the_failed_step_the_steps_before_it_are_left_out(box: Letterbox) -> None:
    once = "module.exports = (e) => ({ ...e, first: true })"
    box.fail(box.revision(once, "module.exports = () => { throw new Error('second') }"), box.events(2))
    box.fail(box.revision("module.exports = () => { throw new Error('first') }", once), box.events(1, first=2))
    unread = Batch(box.source, [b"{no json"], [None], [None], [AT_MS], [0], [3])
    box.fail(box.revision(once, once), unread)
    mended = box.revision(once, "module.exports = (e) => ({ ...e, second: true })")
    forecast = box.redrive(mended, start="failed-step", dry_run=True)
    assert forecast == {"selected": 4, "delivered": 3, "filtered": 0, "failed": 1}
    assert box.redrive(mended, start="failed-step") == forecast
    delivered = sorted((json.loads(m.value()) for m in box.records(box.target)), key=lambda event: event["n"])
    assert delivered == [{"n": 0, "second": True}, {"n": 1, "second": True}, {"n": 2, "first": True, "second": True}]


def test_a_step_that_is_gone_or_behind_the_steps_is_refused_from_there(box: Letterbox) -> None:
    box.fail(box.revision(MENDED, BROKEN), box.events(1))
    box.fail(box.revision("module.exports = (e) => { e.self = e; return e }"), box.events(1, first=1))
    too_large = {box.target: 200}
    box.fail(
        box.revision("module.exports = (e) => ({ ...e, pad: 'x'.repeat(300) })"), box.events(1, first=2), too_large
    )
    answer = box.redrive(box.revision(MENDED, number=5), start="failed-step")
    reasons = sorted(refusal["reason"] for refusal in answer["refusals"])
    assert (answer["selected"], answer["failed"]) == (3, 3)
    assert reasons[-1] == "step step-1 is none of revision 5; redrive it from the source"
    assert {reason.split(",")[0] for reason in reasons[:-1]} == {"it failed behind the steps"}
    assert box.redrive(box.revision(MENDED))["delivered"] == 3


def test_a_truncated_letter_is_fetched_back_from_the_source(box: Letterbox) -> None:
    pad = "x" * 3000
    headers = [("h", b"\xff")]
    box.write(
        [Record(box.source, b'{"n": %d, "pad": "%s"}' % (n, pad.encode()), b"k", headers, AT_MS) for n in range(3)]
    )
    for message in box.records(box.source):
        whole = Batch(
            box.source, [message.value()], [message.key()], [message.headers()], [message.timestamp()[1]],
            [message.partition()], [message.offset()],
        )  # fmt: skip
        box.fail(box.revision(BROKEN), whole, {box.dlq: 2000})
    assert [m.value() for m in box.records(box.dlq)] == [None] * 3
    partition = box.records(box.source)[0].partition()
    admin = AdminClient({**box.kafka})
    (removed,) = admin.delete_records([TopicPartition(box.source, partition, 1)]).values()
    removed.result(10)
    answer = box.redrive(box.revision(MENDED))
    assert (answer["delivered"], answer["refused"]) == (2, 1)
    assert answer["refusals"][0]["reason"].endswith(f"{box.source}:{partition}:0 is not there any more")
    assert box.numbers(box.target) == [1, 2]
    assert {(m.key(), m.headers()[0]) for m in box.records(box.target)} == {(b"k", ("h", b"\xff"))}


def test_a_split_event_is_one_letter_and_all_of_its_parts_once(box: Letterbox) -> None:
    split = "module.exports = (e, c) => c.split([{ n: 0 }, { n: 1 }, { n: 2 }])"
    refuses = "module.exports = (e) => { if (e.n === 1) throw new Error('one'); return e }"
    assert box.fail(box.revision(split, refuses), box.events(1)) == 1
    assert box.redrive(box.revision(split, MENDED)) == {"selected": 1, "delivered": 1, "filtered": 0, "failed": 0}
    assert box.numbers(box.target) == [0, 1, 2]


def test_what_the_broker_refuses_becomes_a_letter_again(kafka: KafkaServer, topic_name: Names) -> None:
    """A compacted topic takes no record without a key."""
    box = make(kafka.bootstrap_servers, topic_name)
    compacted = topic_name("compacted")
    with Admin(box.kafka) as admin:
        admin.create_topics([NewTopicSpec(compacted, 1, config={"cleanup.policy": "compact"})])
    box.target = compacted
    batch = box.events(40)
    box.fail(box.revision(BROKEN), replace(batch, keys=[None if n == 17 else b"k%d" % n for n in range(40)]))
    answer = box.redrive(box.revision(MENDED))
    assert answer == {"selected": 40, "delivered": 39, "filtered": 0, "failed": 1}
    (again,) = (m for m in box.records(box.dlq) if error_headers(m)["inflect.error.attempt"] == "2")
    assert json.loads(again.value()) == {"n": 17}
    assert box.numbers(compacted) == [n for n in range(40) if n != 17]


def compact(box: Letterbox) -> None:
    """From now on neither target nor dead letter topic takes a record without a key."""
    entry = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
    changes = [
        ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry]) for topic in (box.target, box.dlq)
    ]
    admin = AdminClient({**box.kafka})
    for answer in admin.incremental_alter_configs(changes).values():
        answer.result(10)


def test_a_letter_that_no_topic_takes_stays_and_the_others_go_on(box: Letterbox) -> None:
    batch = box.events(20)
    box.fail(box.revision(BROKEN), replace(batch, keys=[None if n in (7, 13) else b"k%d" % n for n in range(20)]))
    compact(box)
    answer = box.redrive(box.revision(MENDED))
    assert {name: answer[name] for name in ("selected", "delivered", "failed", "refused")} == {
        "selected": 20,
        "delivered": 18,
        "failed": 2,
        "refused": 2,
    }
    assert all("nor its dead letter" in refusal["reason"] for refusal in answer["refusals"])
    assert box.numbers(box.target) == [n for n in range(20) if n not in (7, 13)]
    open_still = box.redrive(box.revision(MENDED), dry_run=True)
    assert open_still["selected"] == 2


def test_a_redrive_gives_up_when_no_topic_takes_several_letters_in_a_row(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), replace(box.events(8), keys=[None] * 8))
    compact(box)
    with pytest.raises(CannotRunError, match="5 letters in a row"):
        box.redrive(box.revision(MENDED))
    assert box.redrive(box.revision(MENDED), dry_run=True)["selected"] == 8


def test_an_output_that_is_too_large_becomes_a_letter_again(kafka: KafkaServer, topic_name: Names) -> None:
    box = make(kafka.bootstrap_servers, topic_name)
    box.fail(box.revision(BROKEN), box.events(2))
    pad = "module.exports = (e) => e.n ? ({ ...e, pad: 'x'.repeat(2 << 20) }) : e"
    assert box.redrive(box.revision(pad)) == {"selected": 2, "delivered": 1, "filtered": 0, "failed": 1}
    (again,) = (m for m in box.records(box.dlq) if error_headers(m)["inflect.error.attempt"] == "2")
    assert error_headers(again)["inflect.error.kind"] == "too_large"


def test_a_newer_redrive_takes_over_and_nothing_comes_twice(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(100))
    mended = small_batches(box.revision(MENDED), 10)
    newer: list[dict[str, Any]] = []

    def overtake(_tally: Tally) -> None:
        if not newer:
            newer.append(box.redrive(mended))

    with pytest.raises(ConflictError, match="another redrive"):
        box.redrive(mended, progress=overtake)
    assert newer == [{"selected": 90, "delivered": 90, "filtered": 0, "failed": 0}]
    assert box.numbers(box.target) == list(range(100))


def test_an_open_transaction_of_somebody_else_hides_no_mark(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(20))
    mended = small_batches(box.revision(MENDED), 10)
    other = Producer({**box.kafka, "transactional.id": box.name, "transaction.timeout.ms": 4000})
    other.init_transactions(20)
    seen: list[int] = []

    def disturb(tally: Tally) -> None:
        seen.append(tally.selected)
        if len(seen) == 1:
            other.begin_transaction()
            other.produce(TOPIC, b"{}", key=b"other|topic:0:0")
            assert other.flush(10) == 0

    assert box.redrive(mended, progress=disturb)["delivered"] == 20
    assert box.redrive(mended)["selected"] == 0
    assert box.numbers(box.target) == list(range(20))


def test_letters_that_come_after_the_start_wait_for_the_next_redrive(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(4))

    def add(tally: Tally) -> None:
        if tally.selected == 1:
            box.fail(box.revision(BROKEN), box.events(1, first=90))

    assert box.redrive(small_batches(box.revision(MENDED), 1), progress=add)["selected"] == 4
    assert box.redrive(box.revision(MENDED))["selected"] == 1


def test_a_topic_that_was_made_again_has_new_letters(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(3))
    assert box.redrive(box.revision(MENDED))["delivered"] == 3
    admin = AdminClient({**box.kafka})
    admin.delete_topics([box.dlq])[box.dlq].result(10)
    with Admin(box.kafka) as again:
        eventually(lambda: box.dlq not in again.describe([box.dlq]))
        again.create_topics([NewTopicSpec(box.dlq, 2)])
    box.fail(box.revision(BROKEN), box.events(3, first=3))
    assert box.redrive(box.revision(MENDED))["delivered"] == 3
    assert box.numbers(box.target) == list(range(6))


def test_missing_topics_are_named(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(1))
    box.target = "no-such-topic"
    with pytest.raises(CannotRunError, match=r"missing topic: no-such-topic\. Create it"):
        box.redrive(box.revision(MENDED))


def test_a_rate_is_kept(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(30))
    waited: list[float] = []

    def pause(seconds: float) -> bool:
        waited.append(seconds)
        return False

    order = Order(Selection(), rate=10.0)
    redrive(box.revision(MENDED), box.kafka, order, Watcher(lambda _tally: None, pause))
    waits = [seconds for seconds in waited if seconds]
    assert len(waits) == 3  # a batch a second; each wait counts from the beginning, and here none is really waited
    assert waits == sorted(waits)
    assert 2 < waits[-1] <= 3


def test_a_redrive_that_is_asked_to_stop_ends_after_its_transaction(box: Letterbox) -> None:
    box.fail(box.revision(BROKEN), box.events(30))
    mended = small_batches(box.revision(MENDED), 10)
    tally = redrive(mended, box.kafka, Order(Selection()), Watcher(lambda _tally: None, lambda _seconds: True))
    assert (tally.delivered, tally.stopped) == (10, "was asked to stop")
    assert len(committed(box.kafka, box.target)[box.target]) == 10


def test_user_code_that_loops_for_ever_fails_alone(kafka: KafkaServer, topic_name: Names) -> None:
    box = make(kafka.bootstrap_servers, topic_name, limits=Limits(timeout_ms=100))
    box.fail(box.revision(BROKEN), box.events(4))
    loops = "module.exports = async (e) => { if (e.n === 2) for (;;) await null; return e }"
    assert box.redrive(box.revision(loops)) == {"selected": 4, "delivered": 3, "filtered": 0, "failed": 1}
    assert box.numbers(box.target) == [0, 1, 3]


def test_isolates_that_cannot_be_ended_end_the_redrive_and_lose_nothing(
    box: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.fail(box.revision(BROKEN), box.events(8))
    with monkeypatch.context() as patched:
        patched.setattr(Chain, "needs_replacement", True)
        with pytest.raises(InflectError, match="looped for ever in 3 events"):
            box.redrive(small_batches(box.revision(MENDED), 2))
    assert len(box.numbers(box.target)) == 6
    assert box.redrive(box.revision(MENDED))["selected"] == 2
    assert box.numbers(box.target) == list(range(8))
