"""Looking at dead letters: newest first, page by page, by cause, one by one, in four dialects."""

import struct
from collections.abc import Callable
from typing import Any

import pytest

from inflect.control.dead_letters import Page, _cursor, group_letters, list_letters, show_letter
from inflect.embedded.kafka import KafkaServer
from inflect.errors import NotFoundError, UsageError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.model.event import Headers
from inflect.model.processor import ProcessorVersion, content_hash
from inflect.model.schema import PinnedSchema, Schema
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, save_revisions
from inflect.store.processors import record_versions
from tests.integration.control.letterbox import AT_MS, BROKEN, MENDED, Letterbox, make

PATH = "transformations/like.js"
OWN: Headers = [("trace", b"\xff"), ("lang", b"de"), ("lang", b"en")]
FOREIGN: dict[str, Headers] = {
    "connect": [
        ("__connect.errors.topic", b"elsewhere"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"42"),
        ("__connect.errors.connector.name", b"sink"),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.class.name", b"JsonConverter"),
        ("__connect.errors.exception.class.name", b"DataException"),
        ("__connect.errors.exception.message", b"no schema"),
        ("__connect.errors.exception.stacktrace", b"..."),
    ],
    "streams": [
        ("__streams.errors.exception", b"SerializationException"),
        ("__streams.errors.message", b"no schema"),
        ("__streams.errors.stacktrace", b"..."),
        ("__streams.errors.topic", b"elsewhere"),
        ("__streams.errors.partition", b"3"),
        ("__streams.errors.offset", b"42"),
    ],
    "spring": [
        ("kafka_dlt-original-topic", b"elsewhere"),
        ("kafka_dlt-original-partition", struct.pack(">i", 3)),
        ("kafka_dlt-original-offset", struct.pack(">q", 42)),
        ("kafka_dlt-original-timestamp", struct.pack(">q", AT_MS - 1)),
        ("kafka_dlt-original-timestamp-type", b"CreateTime"),
        ("kafka_dlt-original-consumer-group", b"billing"),
        ("kafka_dlt-exception-fqcn", b"ListenerExecutionFailedException"),
        ("kafka_dlt-exception-cause-fqcn", b"DataException"),
        ("kafka_dlt-exception-message", b"no schema"),
        ("kafka_dlt-exception-stacktrace", b"..."),
    ],
}


@pytest.fixture
def box(kafka: KafkaServer, topic_name: Callable[[str], str], database: Database) -> Letterbox:
    """A letterbox whose pipeline is in the database, with a topic of its own for its step."""
    box = make(kafka.bootstrap_servers, topic_name)
    with Admin(box.kafka) as admin:
        admin.create_topics([NewTopicSpec(f"{box.dlq}-like", 1)])
    version = ProcessorVersion(PATH, "transformation", "like", content_hash(MENDED), MENDED, MENDED)
    record_versions(database, {PATH: version}, [], author="t")
    document = {
        "name": box.name,
        "source": {"topic": box.source},
        "steps": [{"transformation": "like", "dead_letter": f"{box.dlq}-like"}],
        "target": {"topic": box.target},
        "dead_letter": box.dlq,
    }
    pins = {PATH: content_hash(MENDED)}
    save_revisions(database, [NewRevision(box.name, None, document, pins, (PATH,))], author="t", origin="cli")
    return box


def pages(database: Database, box: Letterbox, limit: int, **options: Any) -> list[Page]:
    found = [list_letters(database, box.kafka, box.name, limit=limit, **options)]
    while found[-1].next is not None:
        found.append(list_letters(database, box.kafka, box.name, limit=limit, before=found[-1].next, **options))
    return found


def test_letters_are_listed_newest_first_with_their_story(box: Letterbox, database: Database) -> None:
    box.fail(box.revision(BROKEN), box.events(3))
    (page,) = pages(database, box, 10)
    assert len(page.letters) == 3
    letter = next(each for each in page.letters if each["origin"]["offset"] == 2)
    assert letter | {"id": "", "cause": "", "time": ""} == {
        "id": "",
        "cause": "",
        "dialect": "inflect",
        "writer": box.name,
        "revision": 1,
        "stage": "step",
        "step": "like",
        "kind": "exception",
        "message": "Error: event 2 is not liked",
        "location": "transformations/like.js:1:37",
        "origin": {"topic": box.source, "partition": 0, "offset": 2, "timestamp": AT_MS + 2},
        "time": "",
        "attempt": 1,
        "truncated": False,
        "redriven": None,
    }
    assert letter["time"].endswith("Z")


@pytest.mark.parametrize("limit", [3, 7, 1000])
def test_pages_together_are_all_letters_once(box: Letterbox, database: Database, limit: int) -> None:
    for first in range(0, 20, 5):
        box.fail(box.revision(BROKEN), box.events(5, first=first))
    found = pages(database, box, limit)
    assert [len(page.letters) for page in found[:-1]] == [limit] * (len(found) - 1)
    letters = [letter for page in found for letter in page.letters]
    assert sorted(letter["origin"]["offset"] for letter in letters) == list(range(20))
    times = [letter["time"] for letter in letters]
    assert times == sorted(times, reverse=True)


def test_a_page_of_a_topic_before_this_one_begins_at_its_end(box: Letterbox, database: Database) -> None:
    box.fail(box.revision(BROKEN), box.events(2))
    behind = _cursor({(box.dlq, 0): 5_000_000})
    assert len(list_letters(database, box.kafka, box.name, limit=10, before=behind).letters) == 2


def test_a_page_goes_past_what_was_redriven_in_a_large_topic(box: Letterbox, database: Database) -> None:
    box.fail(box.revision(BROKEN), box.events(5))
    box.fail(box.revision(BROKEN), box.events(3000, first=5))
    ids = {letter["id"] for page in pages(database, box, 1000) for letter in page.letters}
    assert len(ids) == 3005
    oldest = [letter["id"] for page in pages(database, box, 5000) for letter in page.letters][-5:]
    box.redrive(box.revision(MENDED), ids=sorted(ids - set(oldest)))
    (page,) = pages(database, box, 10)
    assert {letter["id"] for letter in page.letters} == set(oldest)
    redriven = pages(database, box, 5000, redriven=True)[0].letters
    assert len(redriven) == 3005
    assert [each["redriven"]["outcome"] for each in redriven if each["redriven"]] == ["delivered"] * 3000


def test_causes_are_counted_with_times_and_an_example(box: Letterbox, database: Database) -> None:
    box.fail(box.revision(BROKEN), box.events(40))
    box.fail(box.revision("module.exports = () => null.x"), box.events(2))
    told: list[int] = []
    many, few = group_letters(database, box.kafka, box.name, progress=told.append)
    assert (many["count"], many["stage"], many["step"], many["kind"], many["shape"]) == (
        40, "step", "like", "exception", "Error: event # is not liked",
    )  # fmt: skip
    assert few["count"] == 2
    assert many["first"] <= many["last"] <= few["last"]
    found = show_letter(database, box.kafka, box.name, many["example"]["id"])
    assert (found["cause"], found["message"]) == (many["cause"], many["example"]["message"])
    (page,) = pages(database, box, 100, cause=few["cause"])
    assert len(page.letters) == 2
    box.redrive(box.revision(MENDED), cause=many["cause"])
    assert [group["cause"] for group in group_letters(database, box.kafka, box.name)] == [few["cause"]]


def test_one_letter_is_shown_with_its_content(box: Letterbox, database: Database) -> None:
    box.fail(box.revision(BROKEN), box.events(1))
    (letter_id,) = box.ids()
    found = show_letter(database, box.kafka, box.name, letter_id)
    assert (found["value"], found["key"], found["headers"]) == ({"n": 0}, "key-0", {"n": "0"})
    box.redrive(box.revision(MENDED, number=4))
    assert (
        show_letter(database, box.kafka, box.name, letter_id)["redriven"].items()
        >= {
            "outcome": "delivered",
            "revision": 4,
        }.items()
    )


@pytest.mark.parametrize("place", ["nonsense", "a:b:c", "x:0", ":0:0", "in:0:1", "a:0:99999999999999999999"])
def test_what_is_no_id_is_told(box: Letterbox, database: Database, place: str) -> None:
    with pytest.raises(UsageError):
        show_letter(database, box.kafka, box.name, place)


def test_what_is_not_there_is_not_found(box: Letterbox, database: Database) -> None:
    with pytest.raises(NotFoundError, match="retention may have removed it"):
        show_letter(database, box.kafka, box.name, f"{box.dlq}:0:7")
    with pytest.raises(NotFoundError, match="no pipeline"):
        list_letters(database, box.kafka, "zebra", limit=1)
    with pytest.raises(UsageError, match="earlier answer"):
        list_letters(database, box.kafka, box.name, limit=1, before="nonsense")
    assert pages(database, box, 10) == [Page([], None)]
    assert group_letters(database, box.kafka, box.name) == []


@pytest.mark.parametrize("dialect", FOREIGN)
def test_letters_of_other_tools_are_listed_shown_and_redriven(box: Letterbox, database: Database, dialect: str) -> None:
    box.write_letter(b'{"n": 7}', [*OWN, *FOREIGN[dialect]], key=b"k")
    (page,) = pages(database, box, 10)
    (letter,) = page.letters
    timestamp = AT_MS - 1 if dialect == "spring" else AT_MS
    assert letter["origin"] == {"topic": "elsewhere", "partition": 3, "offset": 42, "timestamp": timestamp}
    assert (letter["dialect"], letter["message"]) == (dialect, "no schema")
    shown = show_letter(database, box.kafka, box.name, letter["id"])
    assert (shown["headers"], shown["headersBinary"]) == ({"lang": ["de", "en"]}, {"trace": "/w=="})
    assert group_letters(database, box.kafka, box.name)[0]["cause"] == letter["cause"]

    context = "module.exports = (e, c) => ({ ...e, topic: c.topic, offset: c.offset })"
    assert box.redrive(box.revision(context), start="failed-step")["refused"] == 1
    assert box.redrive(box.revision(context))["delivered"] == 1
    (delivered,) = box.records(box.target)
    assert delivered.value() == b'{"n":7,"topic":"elsewhere","offset":42}'
    assert (delivered.headers(), delivered.key(), delivered.timestamp()[1]) == (OWN, b"k", timestamp)


@pytest.mark.parametrize("dialect", FOREIGN)
def test_a_letter_of_another_tool_that_fails_again_is_ours(box: Letterbox, dialect: str) -> None:
    box.write_letter(b'{"n": 7}', [*OWN, *FOREIGN[dialect]])
    assert box.redrive(box.revision(BROKEN))["failed"] == 1
    (again,) = (m for m in box.records(box.dlq) if dict(m.headers()).get("inflect.error.attempt") == b"2")
    added = {name: value for name, value in again.headers() if name not in {"trace", "lang"}}
    assert all(name.startswith("inflect.error.") for name in added)
    assert (added["inflect.error.topic"], added["inflect.error.offset"]) == (b"elsewhere", b"42")
    assert box.redrive(box.revision(MENDED)) == {"selected": 1, "delivered": 1, "filtered": 0, "failed": 0}


SCHEMA = '{"type": "record", "name": "Like", "fields": [{"name": "n", "type": "long"}]}'


def with_avro(database: Database, box: Letterbox) -> None:
    """A second revision that reads Avro by a schema of its own."""
    document = {
        "name": box.name,
        "source": {"topic": box.source, "format": "avro", "schema": {"file": "like.avsc"}},
        "target": {"topic": box.target},
        "dead_letter": box.dlq,
    }
    pinned = PinnedSchema(Schema("avro", SCHEMA), file="like.avsc")
    changed = NewRevision(box.name, 1, document, {}, (), {"source": pinned})
    save_revisions(database, [changed], author="t", origin="cli")


def test_avro_is_shown_as_a_step_would_get_it_or_with_the_reason_why_not(box: Letterbox, database: Database) -> None:
    with_avro(database, box)
    box.write_letter(b"\x0e", FOREIGN["connect"], key=b"k")
    box.write_letter(b"\x0e\x0e\x0e", FOREIGN["connect"], key=b"k")
    box.write_letter(None, FOREIGN["connect"], key=b"k")
    good, bad, none = (show_letter(database, box.kafka, box.name, letter_id) for letter_id in box.ids())
    assert (good["value"], "unreadable" in good) == ({"n": 7}, False)
    assert bad["value"] == "\x0e\x0e\x0e"
    assert bad["unreadable"]
    assert (none["value"], "unreadable" in none) == (None, False)
