"""One bad event in a batch of many fails alone, with its place; all others are delivered in order."""

import orjson
import pytest

from inflect.model.event import Counts
from inflect.model.pipeline import Limits
from tests.unit.processing.chains import NOW, batch, chain, error, revision, settle

COUNT = 10_000
BAD = 6_123
THROUGH = "module.exports = event => event"

POISON = [
    ("for (;;) {}", "timeout", "filters/t1.js"),
    ("const a = []; while (true) a.push({ n: 1 })", "memory", "filters/t1.js"),
    ("throw new TypeError('boom')", "exception", "filters/t1.js:3:9"),
    ("return Promise.reject(new Error('late'))", "exception", "filters/t1.js:3:25"),
    ("return new Promise(() => {})", "timeout", "filters/t1.js"),
    ("return (async () => { for (;;) await null })()", "timeout", "filters/t1.js"),
    ("void /^(a+)+$/.test('a'.repeat(60) + 'b')", "timeout", "filters/t1.js"),
    ("const f = n => f(n + 1) + 1; f(0)", "exception", None),
    ("throw null", "exception", "filters/t1.js"),
    ("throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })", "exception", "filters/t1.js"),
    ("const e = new Error(); Object.defineProperty(e, 'message', { get() { throw e } }); throw e", "exception", None),
    ("throw new Error('x'.repeat(50_000_000))", "exception", "filters/t1.js:3:9"),
    ("new ArrayBuffer(1e9)", "memory", "filters/t1.js:3:3"),
]


@pytest.mark.row("B15", "B16", "B18", "B19", "B21", "B22", "B23")
@pytest.mark.parametrize(("code", "kind", "place"), POISON, ids=[code[:40] for code, _, _ in POISON])
def test_a_poison_event_fails_alone_and_the_others_keep_their_order(code: str, kind: str, place: str | None) -> None:
    poison = f"filter:module.exports = event => {{\n  if (event.id !== {BAD}) return true\n  {code}\n}}"
    limits = Limits(timeout_ms=5000 if kind == "memory" else 300, memory_mb=64)
    settled = settle(
        revision(THROUGH, poison, THROUGH, limits=limits), [b'{"id":%d}' % index for index in range(COUNT)]
    )

    assert settled.count == COUNT
    assert settled.values == [f'{{"id":{index}}}' if index != BAD else "" for index in range(COUNT)]
    assert settled.counts == {0: Counts(COUNT, COUNT - 1, 0, 1, 0)}
    found = error(settled, BAD)
    assert (found["stage"], found["step"], found["kind"]) == ("step", "t1", kind)
    assert place is None or found["location"] == place
    assert len(found["message"] or "") <= 4200
    assert settled.steps["t1"].failed == 1
    assert settled.steps["t2"].ok == COUNT - 1


@pytest.mark.row("B02")
def test_ten_megabytes_of_output_are_refused_by_the_topic_s_limit() -> None:
    grow = f"module.exports = event => {{ if (event.id === {BAD}) event.text = 'x'.repeat(10_000_000); return event }}"
    settled = settle(revision(grow), [b'{"id":%d}' % index for index in range(COUNT)], out=1_000_000)

    assert settled.counts == {0: Counts(COUNT, COUNT - 1, 0, 1, 0)}
    found = error(settled, BAD)
    assert (found["stage"], found["kind"]) == ("produce", "too_large")
    assert "10,000,1" in (found["message"] or "")


@pytest.mark.row("B11")
def test_deep_nesting_fails_where_a_step_falls_over_it_or_where_it_would_leave() -> None:
    deep = b'{"id":%d,"deep":' % BAD + b"[" * 100_000 + b"]" * 100_000 + b"}"
    events = [b'{"id":%d}' % index if index != BAD else deep for index in range(COUNT)]
    walk = "module.exports = e => { const w = v => Array.isArray(v) ? v.map(w) : v\n w(e.deep); return e }"

    found = error(settle(revision(THROUGH), events), BAD)
    assert (found["stage"], found["kind"]) == ("encode", "exception")
    assert "nested deeper than 1000 levels" in (found["message"] or "")
    found = error(settle(revision(walk), events), BAD)
    assert (found["step"], found["kind"]) == ("t0", "exception")
    assert "RangeError" in (found["message"] or "")
    assert (found["location"] or "").startswith("transformations/t0.js:1:")
    assert settle(revision("module.exports = e => ({ id: e.id })"), events).values[BAD] == f'{{"id":{BAD}}}'


@pytest.mark.parametrize(
    "event",
    [
        b"[" * 999 + b"1" + b"]" * 999,
        b"[" + b'[{"a":"]]"}],' * 2000 + b"1]",
        b'{"text":"' + b'[{\\"' * 2000 + b'\\\\","n":[]}',
    ],
    ids=["999 levels", "wide", "brackets in text"],
)
def test_what_is_not_deep_is_delivered_however_many_brackets_it_holds(event: bytes) -> None:
    assert settle(revision(THROUGH), [event]).values == [event.decode()]


def test_many_slow_events_are_not_mistaken_for_one_that_does_not_end() -> None:
    slow = "module.exports = e => { const end = Date.now() + 60; while (Date.now() < end); return e }"
    settled = settle(revision(slow), [b"{}"] * 12)
    assert settled.counts == {0: Counts(12, 12)}


@pytest.mark.row("B16")
def test_a_promise_loop_nobody_waits_for_convicts_only_the_event_that_started_it() -> None:
    code = "module.exports = e => { if (e.id === 3) (async () => { for (;;) await null })(); return e }"
    with_promise = "module.exports = async e => e"
    settled = settle(revision(code, with_promise), [b'{"id":%d}' % index for index in range(8)])
    assert [bool(value) for value in settled.values] == [index != 3 for index in range(8)]
    assert error(settled, 3)["kind"] == "timeout"


@pytest.mark.row("B18")
def test_memory_that_piles_up_over_events_convicts_nobody() -> None:
    leak = "const all = []\nmodule.exports = e => { all.push(new Array(20_000).fill(e.id)); return e }"
    settled = settle(revision(leak), [b'{"id":%d}' % index for index in range(600)])
    assert settled.counts[0].delivered == 600


def test_an_endless_to_json_is_a_failure_to_encode() -> None:
    code = "module.exports = e => ({ toJSON() { for (;;) {} } })"
    settled = settle(revision(code, limits=Limits(timeout_ms=100)), [b"{}"])
    assert (error(settled, 0)["stage"], error(settled, 0)["kind"]) == ("encode", "timeout")


def test_a_loop_left_behind_by_one_batch_convicts_nobody_in_the_next() -> None:
    code = "module.exports = e => { if (e === 1) (async () => { for (;;) await null })(); return e }"
    with chain(revision(code)) as opened:
        assert opened.settle(batch([b"1"]), now=NOW).counts == {0: Counts(1, 1)}
        assert opened.settle(batch([b"2"]), now=NOW).counts == {0: Counts(1, 1)}
        assert not opened.needs_replacement


def test_a_limit_shorter_than_a_batch_takes_loses_and_mixes_up_nothing() -> None:
    values = [b'{"n":%d,"text":"%s"}' % (n, b"x" * 500) for n in range(2000)]
    done: list[int | None] = []
    with chain(revision("module.exports = ({ n }) => ({ n })", limits=Limits(timeout_ms=1))) as opened:
        while len(done) < len(values):
            settled = opened.settle(batch(values[len(done) :]), now=NOW)
            assert settled.count > 0
            done += [orjson.loads(value)["n"] if value else None for value in settled.values]
    assert all(n in {place, None} for place, n in enumerate(done))
    assert done.count(None) < 1000  # on a busy machine one or another event does take longer than 1 ms
