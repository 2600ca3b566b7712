"""What arrives: bytes, order, keys, headers and times of real records, in every shape the contract knows."""

import pytest

from tests.e2e.scene import Scene
from tests.e2e.traffic import Event, numbered

FIRST_MS = 1_700_000_000_123
UNTOUCHED = "module.exports = (event) => event\n"


@pytest.fixture
def scene(shared_scene: Scene) -> Scene:
    """These tests disturb nobody."""
    return shared_scene


@pytest.mark.row("B06")
def test_what_no_step_assigned_leaves_byte_for_byte(scene: Scene) -> None:
    headers = (("trace", b"\x00\xff\xfe"), ("trace", b"again"), ("empty", b""), ("null", None), ("é", "ü".encode()))
    given = [
        Event(b'{"n":1}', b"\xff\x00key", headers, FIRST_MS),
        Event(b'{"n":2}', None, (), FIRST_MS + 1),
        Event(b'{"n":3}', b"", (("only", b"one"),), FIRST_MS + 2),
    ]
    flow = scene.flow("bytes", {"transformations/same.js": UNTOUCHED})
    scene.broker.write(flow.source, given)

    assert scene.settled(flow, 3)["delivered"] == 3
    assert [Event(f.value, f.key, f.headers, f.timestamp) for f in scene.broker.read(flow.target)] == given


@pytest.mark.row("B07", "B08")
def test_tombstones_big_integers_and_split_events_arrive_as_the_contract_says(scene: Scene) -> None:
    flow = scene.flow(
        "shapes",
        {
            "transformations/shape.js": """\
module.exports = (event, context) => {
  if (event.parts) return context.split(event.parts)
  if (event.remove) context.tombstone()
  if (event.move) { context.key = event.move; context.headers.moved = ['a', 'b'] }
  if (event.id) event.next = event.id + 1n
  return event
}
""",
            "transformations/last.js": "module.exports = (event) => { event.last = true; return event }\n",
        },
    )
    given = [
        Event(None, b"gone", (("h", b"1"),), FIRST_MS),
        Event(b'{"id":12345678901234567890}', b"big", (), FIRST_MS + 1),
        Event(b'{"parts":[{"p":1},{"p":2},{"p":3}]}', b"split", (("h", b"\xff"),), FIRST_MS + 2),
        Event(b'{"parts":[]}', b"none", (), FIRST_MS + 3),
        Event(b'{"remove":true}', b"removed", (), FIRST_MS + 4),
        Event(b'{"move":"there"}', b"here", (("was", b"so"),), FIRST_MS + 5),
        Event(b'{"__proto__":{"x":1},"y":"\\u2028\\u001e"}', b"proto", (), FIRST_MS + 6),
    ]
    scene.broker.write(flow.source, given)

    counts = scene.settled(flow, len(given))
    assert (counts["delivered"], counts["filtered"], counts["dead_lettered"]) == (6, 1, 0)
    arrived = [Event(f.value, f.key, f.headers, f.timestamp) for f in scene.broker.read(flow.target)]
    assert arrived == [
        given[0],
        Event(b'{"id":12345678901234567890,"next":12345678901234567891,"last":true}', b"big", (), FIRST_MS + 1),
        *(
            Event(b'{"p":%d,"last":true}' % n, b"split", (("h", b"\xff"),), FIRST_MS + 2)
            for n in (1, 2, 3)
        ),
        Event(None, b"removed", (), FIRST_MS + 4),
        Event(
            b'{"move":"there","last":true}', b"there", (("was", b"so"), ("moved", b"a"), ("moved", b"b")), FIRST_MS + 5
        ),
        Event(b'{"__proto__":{"x":1},"y":"\xe2\x80\xa8\\u001e","last":true}', b"proto", (), FIRST_MS + 6),
    ]  # fmt: skip


def test_filtered_events_are_kept_as_they_were_with_who_filtered_them_and_why(scene: Scene) -> None:
    kept = scene.topic_name("kept")
    flow = scene.flow(
        "keeps",
        {
            "transformations/shout.js": "module.exports = (event) => ({ ...event, loud: true })\n",
            "filters/odd.js": "module.exports = (event, context) => event.n % 2 || context.filter('even')\n",
        },
        steps=[{"transformation": "shout"}, {"filter": "odd", "filtered": kept}],
    )
    given = [Event(b' {"n": %d}' % n, b"k%d" % n, (("h", b"v"),), FIRST_MS + n) for n in range(4)]
    scene.broker.write(flow.source, given)

    counts = scene.settled(flow, 4)
    assert (counts["delivered"], counts["filtered"]) == (2, 2)
    for event, found in zip(given[::2], scene.broker.read(kept), strict=True):
        assert (found.value, found.key, found.headers[0], found.timestamp) == (
            event.value, event.key, ("h", b"v"), event.timestamp,
        )  # fmt: skip
        assert found.added == {
            "inflect.filtered.pipeline": "keeps",
            "inflect.filtered.revision": "1",
            "inflect.filtered.step": "odd",
            "inflect.filtered.reason": "even",
        }


def test_an_at_least_once_pipeline_delivers_everything_and_commits_its_offsets(scene: Scene) -> None:
    flow = scene.flow(
        "plain",
        {"filters/odd.js": "module.exports = (event) => event.n % 2\n"},
        partitions=2,
        guarantee="at_least_once",
    )
    scene.broker.write(flow.source, numbered(20_000, partitions=2))

    counts = scene.settled(flow, 20_000)
    assert (counts["delivered"], counts["filtered"]) == (10_000, 10_000)
    assert scene.broker.numbers(flow.target) == list(range(1, 20_000, 2))
    assert scene.installation.show("plain")["lag"]["events"] == 0
