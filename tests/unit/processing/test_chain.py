"""The rules of processors and outcomes, as the contract tells them."""

# ruff: noqa: E501  a step's JavaScript stays on the line of its test

import json
import time
from dataclasses import replace

import pytest

from inflect.errors import RefusedError
from inflect.model.event import Counts, StepCounts
from inflect.processing import chain as module
from tests.unit.processing.chains import NOW, batch, chain, error, header, revision, settle, with_step

THROUGH = "module.exports = event => event"


def test_events_pass_the_steps_in_order() -> None:
    settled = settle(
        revision("module.exports = e => ({ n: e.n + 1 })", "module.exports = e => ({ n: e.n * 2 })"),
        [b'{"n":1}', b'{"n":2}'],
    )
    assert settled.values == ['{"n":4}', '{"n":6}']
    assert settled.steps == {"t0": StepCounts(ok=2), "t1": StepCounts(ok=2)}


@pytest.mark.row("B30")
@pytest.mark.parametrize("falsy", ["null", "undefined", "false", "0", "''", "NaN"])
def test_a_falsy_result_filters(falsy: str) -> None:
    settled = settle(revision(f"module.exports = () => {falsy}", "module.exports = () => { throw 1 }"), [b"{}"])
    assert settled.counts == {0: Counts(1, 0, 1)}
    assert settled.steps == {"t0": StepCounts(filtered=1), "t1": StepCounts()}


@pytest.mark.row("B30")
@pytest.mark.parametrize(
    ("result", "event"), [("1", '{"a":1}'), ("'yes'", '{"a":1}'), ("{ b: 2 }", '{"b":2}'), ("true", '{"a":1}')]
)
def test_a_filter_passes_the_event_or_the_object_it_returns(result: str, event: str) -> None:
    assert settle(revision(f"filter:module.exports = () => ({result})"), [b'{"a":1}']).values == [event]


@pytest.mark.parametrize("value", [b"0", b'""', b"null", b"false"])
def test_falsiness_counts_only_for_what_a_step_returns(value: bytes) -> None:
    assert settle(revision(), [value]).values == [value.decode()]
    assert settle(revision("module.exports = e => [e]"), [value]).values == [f"[{value.decode()}]"]


def test_split_parts_go_on_in_order_and_count_as_one_event() -> None:
    split = "module.exports = (e, context) => context.split(e.parts)"
    settled = settle(
        revision(split, "filter:module.exports = e => e > 1"), [b'{"parts":[1,2,3]}', b'{"parts":[]}', b'{"parts":[1]}']
    )
    assert [record.value for record in settled.records[0]] == ["2", "3"]
    assert settled.counts == {0: Counts(3, 1, 2)}


@pytest.mark.row("B27")
def test_each_part_of_a_split_has_headers_of_its_own() -> None:
    split = "module.exports = (e, c) => { c.headers.n = ['0']; return c.split([1, 2]) }"
    add = "module.exports = (e, c) => { c.headers.n.push(String(e)); return e }"
    settled = settle(revision(split, add), [b"{}"])
    assert [record.headers for record in settled.records[0]] == [
        (("n", b"0"), ("n", b"1")),
        (("n", b"0"), ("n", b"2")),
    ]


def test_a_failing_part_fails_the_source_event_once() -> None:
    split = "module.exports = (e, context) => context.split([1, 2])"
    settled = settle(
        revision(split, "module.exports = e => { if (e === 2) throw new Error('two'); return e }"), [b'{"x": 1}']
    )
    assert settled.counts == {0: Counts(1, 0, 0, 1)}
    assert settled.records[0][0].value == b'{"x": 1}'


def test_a_dead_letter_without_a_topic_is_never_dropped_in_silence() -> None:
    with pytest.raises(RuntimeError, match="no dead letter topic"):
        settle(revision(dead_letter=None), [b"{"])


@pytest.mark.row("B07")
def test_tombstones_skip_the_steps() -> None:
    boom = "module.exports = () => { throw new Error('never') }"
    assert settle(revision(boom), [None]).records[0][0].value is None
    assert settle(revision(boom, tombstones="filter"), [None]).counts == {0: Counts(1, 0, 1)}


def test_context_tombstone_delivers_null_and_ends_the_event() -> None:
    settled = settle(
        revision("module.exports = (e, c) => { c.tombstone() }", "module.exports = () => { throw 1 }"), [b"{}"]
    )
    assert settled.records[0][0].value is None
    assert settled.counts == {0: Counts(1, 1)}


@pytest.mark.parametrize(
    "call",
    ["context.filter('why')", "return context.filter('why')", "try { context.filter('why') } catch { }\n return event"],
)
def test_context_filter_ends_the_event_whatever_follows(call: str) -> None:
    base = with_step(revision(f"module.exports = (event, context) => {{ {call} }}", THROUGH), 0, filtered="aside")
    settled = settle(base, [b'{"a": 1}'])
    (record,) = settled.records[0]
    assert (record.topic, record.value, header(record, "inflect.filtered.reason")) == ("aside", b'{"a": 1}', "why")
    assert settled.counts == {0: Counts(1, 0, 1)}


def test_context_reject_fails_with_its_reason_also_in_async_steps() -> None:
    settled = settle(
        revision("module.exports = async (e, c) => { await null; try { c.reject('no total') } catch {} return e }"),
        [b"{}"],
    )
    assert (error(settled, 0)["kind"], error(settled, 0)["message"]) == ("rejected", "no total")


def test_a_dead_letter_is_the_original_with_its_story_in_headers() -> None:
    base = revision(THROUGH, "module.exports = e => {\n  return e.customer.name\n}")
    source = batch([b'{"id" : 1}'], keys=[b"\xff"], headers=[(("a", b"\xfe"), ("a", None))], partitions=[3])
    settled = settle(base, source)
    (record,) = settled.records[0]
    assert (record.value, record.key, record.timestamp) == (b'{"id" : 1}', b"\xff", 1_700_000_000_000)
    assert record.headers is not None
    assert list(record.headers[:2]) == [("a", b"\xfe"), ("a", None)]
    assert error(settled, 0) == {
        "pipeline": "orders", "revision": "7", "stage": "step", "step": "t1", "kind": "exception",
        "message": "TypeError: Cannot read properties of undefined (reading 'name')",
        "location": "transformations/t1.js:2:21", "topic": "in", "partition": "3", "offset": "100",
        "timestamp": "1700000000000", "time": "2026-01-02T03:04:05.678Z", "attempt": "1",
    }  # fmt: skip


@pytest.mark.row("B04")
def test_a_dead_letter_that_is_too_large_leaves_the_value_out() -> None:
    settled = settle(revision("module.exports = () => { throw 1 }"), [b'"' + b"x" * 5000 + b'"'], dlq=4000)
    assert settled.records[0][0].value is None
    assert error(settled, 0)["truncated"] == "true"


@pytest.mark.row("B33")
def test_stop_halts_before_the_event_and_counts_nothing_behind_it() -> None:
    base = with_step(
        revision("module.exports = e => { if (e === 2) throw new Error('two'); return e }"), 0, on_error="stop"
    )
    settled = settle(base, [b"1", b"1", b"2", b"1"])
    assert settled.count == 2
    assert settled.counts == {0: Counts(2, 2)}
    assert settled.steps == {"t0": StepCounts(ok=2)}
    assert settled.halted is not None
    assert settled.halted.message == "Error: two"


@pytest.mark.parametrize("bad", [b"\xff", b"", b"{", b"1\x1e2", b'"' + b"x" * 3000 + b'"'])
def test_stop_halts_for_faults_outside_the_steps(bad: bytes) -> None:
    settled = settle(revision(THROUGH, on_error="stop", dead_letter=None), [b"1", bad, b"1"], out=2000)
    assert (settled.count, settled.counts) == (1, {0: Counts(1, 1)})
    assert settled.halted is not None


SPIN = "const until = Date.now() + 20; while (Date.now() < until);"


@pytest.mark.parametrize(
    "code",
    [f"e => {{ {SPIN} return e }}", f"async e => {{ await null; {SPIN} return e }}", "async e => { for (;;); }"],
    ids=["slow", "slow-promises", "loops"],
)
def test_steps_that_take_too_long_settle_a_prefix(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUDGET_S", 0.5)
    began = time.monotonic()
    with chain(revision(f"module.exports = {code}")) as opened:
        first = opened.settle(batch([b"1"] * 500), now=NOW)
        assert 0 < first.count < 500
        assert time.monotonic() - began < 5
        assert (first.halted, sum(first.counts.values(), Counts()).unaccounted) == (None, 0)
        monkeypatch.setattr(module, "BUDGET_S", 60.0)
        rest = opened.settle(batch([b"1"] * 5), now=NOW)
        assert (rest.count, rest.counts[0].consumed) == (5, 5)


def test_a_batch_that_is_settled_again_before_a_halt_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"module.exports = e => {{ {SPIN} return e < 100 ? e : 'x'.repeat(3000) }}"
    base = revision(code, on_error="stop", dead_letter=None)
    values = [b"%d" % number for number in range(101)]
    monkeypatch.setattr(module, "WHOLE_S", 2.5)
    with chain(base, out=2000) as opened:
        first = opened.settle(batch(values), now=NOW)
        assert 0 < first.count < 100  # the steps ran for 2 s, and until the deadline once more
        assert first.halted is None
        rest = opened.settle(batch(values[-10:]), now=NOW)
    assert rest.count == 9
    assert rest.halted is not None
    assert rest.halted.kind == "too_large"


def test_drop_counts_and_leaves_nothing() -> None:
    settled = settle(with_step(revision("module.exports = () => { throw 1 }"), 0, on_error="drop"), [b"1"])
    assert (settled.counts, settled.records) == ({0: Counts(1, 0, 0, 0, 1)}, {})


FRAMING = [
    b"1,2",
    b"[1",
    b"2]",
    b"\xef\xbb\xbf1",
    b"",
    b"1\x1e2",
    b"\x1e",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b'"a\x00"',
    b"1 2",
]


@pytest.mark.row("B01", "B09")
@pytest.mark.parametrize("attack", FRAMING)
def test_no_event_s_bytes_shift_another_s(attack: bytes) -> None:
    settled = settle(revision(THROUGH), [b'{"a":1}', attack, b'{"b":2}'])
    assert settled.values == ['{"a":1}', "", '{"b":2}']
    assert error(settled, 1)["stage"] == "decode"


def test_all_framing_attacks_at_once_and_pretty_printed_json() -> None:
    values = [value for attack in FRAMING for value in (attack, b'{\n  "ok": true\r\n}')]
    settled = settle(revision(THROUGH), values)
    assert settled.values == ["", '{"ok":true}'] * len(FRAMING)
    assert settled.counts == {0: Counts(len(values), len(FRAMING), 0, len(FRAMING))}


ROUND_TRIP = [
    b'{"n":9007199254740993}', b'{"n":-9223372036854775808,"m":[18446744073709551615]}', b'{"n":123456789012345678901234567890}',
    b'{"__proto__":{"x":1},"constructor":2}', '{"s":"\u2028 ü 😀"}'.encode(), b'{"s":"\\ud800"}', b'{"s":"\\u0000"}', b'{"n":1.5e-7}',
]  # fmt: skip


@pytest.mark.row("B08", "B09", "B10")
@pytest.mark.parametrize("value", ROUND_TRIP)
def test_values_leave_with_every_digit_and_character(value: bytes) -> None:
    assert settle(revision(THROUGH), [value]).values == [value.decode()]


def test_big_integers_reach_steps_as_bigint_and_leave_split_parts_exactly() -> None:
    code = "module.exports = (e, c) => c.split([{ n: e.n + 1n }, { t: typeof e.small }])"
    settled = settle(revision(code), [b'{"n":9007199254740993,"small":9007199254740991}'])
    assert [record.value for record in settled.records[0]] == ['{"n":9007199254740994}', '{"t":"number"}']


@pytest.mark.row("B08")
@pytest.mark.parametrize("value", [b"1e400", b'{"a":-1e999}', b"1" * 5000])
def test_numbers_that_cannot_be_held_fail_to_decode(value: bytes) -> None:
    assert error(settle(revision(THROUGH), [value]), 0)["stage"] == "decode"


@pytest.mark.row("B24")
@pytest.mark.parametrize(("result", "word"), [("() => 1", "function"), ("Symbol()", "symbol")])
def test_a_result_json_cannot_hold_is_named(result: str, word: str) -> None:
    found = error(settle(revision(f"module.exports = e => ({result})"), [b"1"]), 0)
    assert found["stage"] == "encode"
    assert word in (found["message"] or "")


@pytest.mark.row("B24")
def test_cycles_and_revoked_proxies_fail_to_encode() -> None:
    assert error(settle(revision("module.exports = e => { e.self = e; return e }"), [b"{}"]), 0)["stage"] == "encode"
    revoked = "module.exports = e => { const p = Proxy.revocable({}, {}); p.revoke(); return { a: p.proxy } }"
    assert error(settle(revision(revoked), [b"{}"]), 0)["stage"] == "encode"


def test_key_and_headers_that_are_not_assigned_leave_as_they_came() -> None:
    code = "module.exports = (e, c) => { void c.key; void c.headers.a; return e }"
    settled = settle(
        revision(code), batch([b"{}"], keys=[b"\xff"], headers=[(("a", b"1"), ("b", b"\xff"), ("a", b"2"))])
    )
    assert (settled.values, settled.records) == (["{}"], {})


@pytest.mark.row("B31")
def test_assigned_key_and_headers_leave_changed_and_the_rest_stays() -> None:
    code = "module.exports = (e, c) => { c.key = 'k' + c.partition; c.headers.n = ['1', '2']; delete c.headers.gone; return e }"
    before = (("bin", b"\xff"), ("gone", b"x"), ("kept", b"1"))
    settled = settle(revision(code), batch([b"{}"], keys=[None], headers=[before], partitions=[4]))
    (record,) = settled.records[0]
    assert record.key == b"k4"
    assert record.headers == (("bin", b"\xff"), ("kept", b"1"), ("n", b"1"), ("n", b"2"))


def test_context_tells_where_the_event_is_from() -> None:
    code = "module.exports = (e, { topic, partition, offset, timestamp, pipeline, step, revision, params, key, keyBinary }) => ({ topic, partition, offset, timestamp, pipeline, step, revision, params, key, keyBinary })"
    base = with_step(revision(code), 0, params={"minimum": 5})
    (value,) = settle(base, batch([b"{}"], keys=[b"\xff"], partitions=[2])).values
    assert json.loads(value) == {
        "topic": "in", "partition": 2, "offset": 100, "timestamp": 1_700_000_000_000, "pipeline": "orders",
        "step": "t0", "revision": 7, "params": {"minimum": 5}, "key": None, "keyBinary": "/w==",
    }  # fmt: skip


@pytest.mark.parametrize(
    "head",
    [
        "(...all) => all[1].offset",
        "function () { return arguments[1].offset }",
        "(e, c = 0) => c.offset",
        "((e, c) => c.offset).bind(null)",
    ],
)
def test_context_is_there_however_the_function_takes_it(head: str) -> None:
    code = f"module.exports = {head}"
    assert settle(revision(code), [b"{}"]).values == ["100"]


def test_async_steps_run_strictly_in_order() -> None:
    code = "let last = -1\nmodule.exports = async e => { await null; if (e.id !== last + 1) throw new Error('order'); await null; last = e.id; return e }"
    settled = settle(revision(code, THROUGH), [b'{"id":%d}' % index for index in range(3000)])
    assert settled.counts == {0: Counts(3000, 3000)}


def test_console_lines_name_step_and_event_and_are_bounded() -> None:
    settled = settle(
        revision(THROUGH, "module.exports = e => { console.warn('seen', e, 5n); return e }"), [b'{"a":1}'] * 500
    )
    first = settled.logs[0]
    assert (first.level, first.step, first.text, first.offset) == ("warning", "t1", 'seen {"a":1} 5n', 100)
    assert len(settled.logs) == 101
    assert "400 more" in settled.logs[-1].text


@pytest.mark.row("B26")
def test_the_same_batch_twice_gives_the_same() -> None:
    source = batch([b'{"id":%d}' % index for index in range(200)])
    with chain(
        revision("filter:module.exports = e => e.id % 3", "module.exports = async e => ({ ...e, x: 1 })")
    ) as opened:
        first = opened.settle(source, now=NOW)
        assert opened.settle(source, now=NOW) == first


FORBIDDEN = [
    "fetch('x')",
    "process.exit()",
    "require('fs')",
    "setTimeout(() => {}, 1)",
    "new WebAssembly.Module()",
    "new SharedArrayBuffer(8)",
    "Atomics.wait()",
    "Function('return process')()",
]


@pytest.mark.row("B17", "B28")
@pytest.mark.parametrize("code", FORBIDDEN)
def test_there_is_no_way_out(code: str) -> None:
    assert error(settle(revision(f"module.exports = e => {{ {code}; return e }}"), [b"{}"]), 0)["kind"] == "exception"


@pytest.mark.row("B25")
@pytest.mark.parametrize(
    "code",
    [
        "Array.prototype.map = null",
        "Object.prototype.x = 1",
        "JSON.parse = null",
        "Error.prepareStackTrace = null",
        "globalThis.seen = 1",
        "JSON = null",
    ],
)
def test_built_ins_are_frozen(code: str) -> None:
    settled = settle(revision(f"'use strict'\nmodule.exports = e => {{ {code}; return e }}"), [b"{}"])
    assert (error(settled, 0)["message"] or "").startswith("TypeError")


def test_frozen_prototypes_do_not_stop_ordinary_assignments() -> None:
    code = "class Mine extends Error { constructor(m) { super(m); this.name = 'Mine' } }\nmodule.exports = e => { e.toString = 'a'; e.constructor = 'b'; e.name = new Mine('x').name; return e }"
    assert settle(revision(code), [b"{}"]).values == ['{"toString":"a","constructor":"b","name":"Mine"}']


def test_require_reaches_files_inside_the_directory_and_survives_cycles() -> None:
    modules = {
        "lib/a.js": "exports.early = 1\nconst b = require('./b')\nexports.sum = b.seen + 1",
        "lib/b.js": "exports.seen = require('./a').early",
        "lib/rates.json": '{"eur": 2}',
    }
    code = "const a = require('../lib/a')\nconst rates = require('../lib/rates.json')\nmodule.exports = () => ({ sum: a.sum, eur: rates.eur })"
    assert settle(revision(code, modules=modules), [b"1"]).values == ['{"sum":2,"eur":2}']


def test_an_error_in_a_shared_file_names_that_file() -> None:
    modules = {"lib/m.js": "exports.go = e => {\n  throw new Error('deep')\n}"}
    settled = settle(
        revision("const { go } = require('../lib/m')\nmodule.exports = e => go(e)", modules=modules), [b"1"]
    )
    assert error(settled, 0)["location"] == "lib/m.js:2:9"
    location = settled.failures[0].location
    assert location is not None
    assert location.source_line == "throw new Error('deep')"


@pytest.mark.row("B29")
def test_a_module_that_cannot_be_loaded_is_refused_with_its_place() -> None:
    with (
        pytest.raises(RefusedError, match=r"filters/t0.js:2:7: .*module.exports|transformations/t0.js:2:1"),
        chain(revision("\nnope()")),
    ):
        pass


def test_strings_and_bytes_have_formats_of_their_own() -> None:
    upper = settle(
        revision("module.exports = e => e.toUpperCase()", formats=("string", "string")),
        [b"a\x1eb\n", "ü".encode(), b"\xff"],
    )
    assert upper.values == ["A\x1eB\n", "Ü", ""]
    assert error(upper, 2)["stage"] == "decode"
    same = settle(revision(THROUGH, formats=("bytes", "bytes")), [b"\x00\xff\x1e", b"abc"])
    assert same.values == [b"\x00\xff\x1e", b"abc"]
    wrong = settle(revision("module.exports = () => '!'", formats=("json", "bytes")), [b"1"])
    assert error(wrong, 0)["stage"] == "encode"


def test_counts_are_per_partition() -> None:
    settled = settle(
        revision("filter:module.exports = e => { if (e > 3) throw 1; return e > 1 }"),
        batch([b"1", b"2", b"3", b"4"], partitions=[0, 0, 1, 1]),
    )
    assert settled.counts == {0: Counts(2, 1, 1), 1: Counts(2, 1, 0, 1)}


def test_stamped_records_carry_the_revision() -> None:
    settled = settle(revision(THROUGH, stamp=True), [b"1"])
    assert header(settled.records[0][0], "inflect.revision") == "7"
    assert settled.counts == {0: Counts(1, 1)}


def test_large_output_is_handed_back_as_a_prefix() -> None:
    settled = settle(revision("module.exports = e => 'x'.repeat(1_000_000)"), [b"1"] * 40)
    assert 16 <= settled.count < 20
    assert settled.counts[0].consumed == settled.count


def test_an_event_that_is_tried_again_says_so_in_its_dead_letter() -> None:
    again = replace(batch([b'{"n": 1}', b'{"n": 2}']), attempts={1: 4})
    with chain(revision("module.exports = () => { throw new Error('no') }")) as opened:
        settled = opened.settle(again, now=NOW)
    said = [dict(settled.records[index][0].headers or ())["inflect.error.attempt"] for index in (0, 1)]
    assert said == [b"1", b"4"]
