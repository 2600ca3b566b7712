"""Poison in the middle of a batch of real events: it alone goes to the dead letters, everything else in order."""

from datetime import datetime
from itertools import pairwise

import pytest

from tests.e2e.scene import Scene
from tests.e2e.traffic import Event, Found, numbered

EVENTS = 10_000
TIME_LIMIT_MS = 600
FIRST_MS = 1_700_000_000_000

FUNCTION = """\
const poison = {
  loop: () => { while (true) {} },
  memory: () => { const a = []; while (true) a.push(new Array(1e5).fill(0.5)) },
  throw: () => { throw new TypeError('bad event') },
  rejection: () => Promise.reject(new Error('refused')),
  silence: () => new Promise(() => {}),
  output: (event) => ({ ...event, text: 'x'.repeat(10 * 1024 * 1024) }),
  depth: (event) => { let a = []; for (let i = 0; i < 100000; i++) a = [a]; return { ...event, a } },
}
module.exports = (event) => event.poison ? poison[event.poison](event) : event
"""
LOCATION = "transformations/poison.js"
FACTS = {
    "loop": ("step", "poison", "timeout", LOCATION),
    "memory": ("step", "poison", "memory", LOCATION),
    "throw": ("step", "poison", "exception", f"{LOCATION}:4:24"),
    "rejection": ("step", "poison", "exception", f"{LOCATION}:5:35"),
    "silence": ("step", "poison", "timeout", LOCATION),
    "output": ("produce", None, "too_large", None),
    "depth": ("encode", None, "exception", None),
}


@pytest.fixture
def scene(shared_scene: Scene) -> Scene:
    """These tests disturb nobody."""
    return shared_scene


@pytest.mark.row("B02", "B11", "B15", "B16", "B18")
def test_each_poison_is_dead_lettered_alone_and_all_others_arrive_in_order(scene: Scene) -> None:
    events = [Event(e.value, e.key, (("h", b"\xff"),), FIRST_MS + n) for n, e in enumerate(numbered(EVENTS))]
    places = dict(zip(FACTS, range(4000, 9000, 700), strict=False))
    for kind, n in places.items():
        events[n] = Event(
            b' {"n": %d, "poison": "%s"}' % (n, kind.encode()), b"poison", (("h", b"\xff"),), FIRST_MS + n
        )
    flow = scene.flow(
        "poison",
        {LOCATION: FUNCTION},
        limits={"timeout_ms": TIME_LIMIT_MS, "memory_mb": 64},
    )
    scene.broker.write(flow.source, events)

    counts = scene.settled(flow, EVENTS)

    assert counts["dead_lettered"] == len(FACTS)
    assert counts["delivered"] == EVENTS - len(FACTS)
    assert scene.broker.numbers(flow.target) == [n for n in range(EVENTS) if n not in places.values()]
    for (kind, n), found in zip(places.items(), scene.broker.read(flow.dead_letter), strict=True):
        assert_original(found, events[n])
        assert_explained(found, flow.source, n, FACTS[kind])


def assert_original(found: Found, event: Event) -> None:
    original = tuple(header for header in found.headers if not header[0].startswith("inflect."))
    assert (found.value, found.key, original, found.timestamp) == (
        event.value, event.key, event.headers, event.timestamp,
    )  # fmt: skip


def assert_explained(found: Found, topic: str, offset: int, facts: tuple[str, str | None, str, str | None]) -> None:
    stage, step, kind, location = facts
    given = {name.removeprefix("inflect.error."): text for name, text in found.added.items()}
    assert given.pop("message"), given
    assert abs((datetime.now().astimezone() - datetime.fromisoformat(given.pop("time"))).total_seconds()) < 120
    expected = {
        "pipeline": "poison",
        "revision": "1",
        "stage": stage,
        "step": step,
        "kind": kind,
        "location": location,
        "topic": topic,
        "partition": "0",
        "offset": str(offset),
        "timestamp": str(FIRST_MS + offset),
        "attempt": "1",
    }
    assert given == {name: text for name, text in expected.items() if text is not None}


@pytest.mark.row("B01")
def test_no_events_bytes_shift_anothers(scene: Scene) -> None:
    bad = [
        b"1,2",
        b"[1",
        b"2]",
        b'{"a":1}\x1e{"a":2}',
        b'{"a":"\xff"}',
        b"",
        b"\x1e",
        b'{"a":1}\n{"a":2}',
        b"\xef\xbb\xbf{}x",
    ]
    events = numbered(2 * len(bad) + 1)
    for n, value in enumerate(bad):
        events[2 * n + 1] = Event(value, b"bad")
    flow = scene.flow("framing", {"transformations/seen.js": "module.exports = (event) => ({ ...event, seen: 1 })\n"})
    scene.broker.write(flow.source, events)

    counts = scene.settled(flow, len(events))

    assert (counts["delivered"], counts["dead_lettered"]) == (len(bad) + 1, len(bad))
    assert [found.value for found in scene.broker.read(flow.target)] == [
        b'{"n":%d,"seen":1}' % n for n in range(0, len(events), 2)
    ]
    dead = scene.broker.read(flow.dead_letter)
    assert [found.value for found in dead] == bad
    assert {(f.added["inflect.error.stage"], f.added["inflect.error.kind"]) for f in dead} == {("decode", "exception")}
    offsets = [int(found.added["inflect.error.offset"]) for found in dead]
    assert all(after - before == 2 for before, after in pairwise(offsets))
