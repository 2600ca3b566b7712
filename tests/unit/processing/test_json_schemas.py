"""JSON with schemas on either side of the steps: what is checked where, what fails how, and that nothing is left."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from inflect.errors import RefusedError
from inflect.model.event import Counts, Failure, StepCounts
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema
from inflect.processing import chain as module
from inflect.processing import incoming, settlement
from inflect.processing.chain import Chain, Settled
from inflect.schemas.writers import WriterSchemas
from tests.unit.processing.chains import NOW, batch, error, revision, settle

ID = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
NAME = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
THROUGH = "module.exports = event => event"


def pin(schema: Any, schema_id: int | None = 7, **more: Any) -> PinnedSchema:
    if "file" not in more:
        more |= {"subject": "orders-value", "version": 1}
    return PinnedSchema(Schema("json", json.dumps(schema)), id=schema_id, **more)


def prefixed(schema_id: int, value: bytes) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big") + value


def checked(*codes: str, source: Any = None, target: Any = None, **changes: Any) -> Revision:
    """A revision with JSON schemas at its ends, ids 7 and 8."""
    return replace(
        revision(*codes, **changes),
        source_schema=pin(source) if source is not None else None,
        target_schema=pin(target, 8) if target is not None else None,
    )


def settle_with(base: Revision, events: Sequence[bytes | None], known: dict[int, PinnedSchema]) -> Settled:
    """One batch with a registry that knows some ids and cannot be asked for others."""
    pins = [replace(one, id=number) for number, one in known.items()]
    with WriterSchemas(None, None, pins) as writers, Chain(base, max_record_bytes={}, writers=writers) as opened:
        return opened.settle(batch(events), now=NOW)


def test_what_breaks_the_source_schema_is_not_seen_by_a_step() -> None:
    settled = settle(checked("module.exports = e => ({ seen: e.id })", source=ID), [b'{"id":1}', b'{"id":"x"}'])
    assert settled.values == ['{"seen":1}', ""]
    assert settled.counts == {0: Counts(2, 1, 0, 1)}
    assert settled.steps == {"t0": StepCounts(ok=1)}
    assert error(settled, 1) == error(settled, 1) | {
        "stage": "incoming_schema",
        "kind": "schema",
        "message": 'at /id: "x" is not of type "integer" (rule: properties/id/type)',
    }
    assert settled.failures[1].path == "/id"


@pytest.mark.row("C18")
def test_what_breaks_the_target_schema_leaves_only_a_dead_letter() -> None:
    settled = settle(checked("module.exports = e => ({ name: e.n })", target=NAME), [b'{"n":"a"}', b'{"n":1}'])
    assert settled.values == ['{"name":"a"}', ""]
    assert settled.counts == {0: Counts(2, 1, 0, 1)}
    assert settled.steps == {"t0": StepCounts(ok=2)}
    assert error(settled, 1)["stage"] == "outgoing_schema"
    assert settled.failures[1].path == "/name"
    assert settled.records[1][0].value == b'{"n":1}'


def test_the_time_of_all_checks_of_a_batch_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    monkeypatch.setattr(settlement, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    settled = settle(checked("module.exports = e => e", target=ID), [b'{"id":1}', b'{"id":"x"}'])
    assert settled.check_s[1] == 2


def test_each_part_of_a_split_is_checked_and_one_bad_part_takes_all() -> None:
    split = "module.exports = (e, context) => context.split(e)"
    settled = settle(checked(split, target=ID), [b'[{"id":1},{"id":2}]', b'[{"id":1},{}]'])
    assert [record.value for record in settled.records[0]] == ['{"id":1}', '{"id":2}']
    assert error(settled, 1)["stage"] == "outgoing_schema"
    assert settled.counts == {0: Counts(2, 1, 0, 1)}


def test_changed_events_are_checked_too() -> None:
    changed = "module.exports = (e, context) => { context.key = 'k'; return e }"
    settled = settle(checked(changed, target=ID), [b'{"id":1}', b"{}"])
    assert settled.records[0][0].key == b"k"
    assert error(settled, 1)["stage"] == "outgoing_schema"


def test_tombstones_skip_both_schemas() -> None:
    settled = settle(checked("module.exports = (e, context) => context.tombstone()", source=ID, target=NAME), [None])
    assert settled.records[0][0].value is None
    made = settle(checked("module.exports = (e, context) => context.tombstone()", target=NAME), [b"1"])
    assert made.records[0][0].value is None
    assert made.counts == {0: Counts(1, 1)}


def test_what_is_no_json_fails_to_decode_with_a_schema_too() -> None:
    settled = settle(checked(source=ID), [b"{", b"", b'{"id":1}', b"\xff", b'{"id":1,"a":"\x1e"}'])
    assert [settled.failures[index].stage for index in (0, 1, 3, 4)] == ["decode"] * 4
    assert settled.values[2] == '{"id":1}'


def test_integers_keep_every_digit_through_both_schemas() -> None:
    value = b'{"id":123456789012345678901234567890}'
    assert settle(checked(THROUGH, source=ID, target=ID), [value]).values == [value.decode()]


@pytest.mark.parametrize("side", ["source", "target"])
def test_with_stop_the_pipeline_halts_at_the_first_event_that_breaks_a_schema(side: str) -> None:
    base = checked(THROUGH, **{side: ID}, on_error="stop", dead_letter=None)
    settled = settle(base, [b'{"id":1}', b'{"id":2}', b"{}", b'{"id":3}', b"{}"])
    assert settled.count == 2
    assert settled.values == ['{"id":1}', '{"id":2}']
    assert settled.halted is not None
    assert settled.halted.kind == "schema"
    assert settled.counts == {0: Counts(2, 2)}


def test_with_stop_the_first_of_several_kinds_of_failure_halts() -> None:
    step = "module.exports = (e, context) => e.split ? context.split([e, e]) : e"
    base = checked(step, source={"required": ["in"]}, target={"required": ["out"]}, on_error="stop", dead_letter=None)
    events = [{"in": 1, "out": 1}, {"in": 1}, {"in": 1, "split": 1}, {"out": 1}]
    settled = settle(base, [json.dumps(event).encode() for event in events])
    assert settled.count == 1
    assert settled.halted == Failure(
        "outgoing_schema", "schema", 'at the top: "out" is a required property (rule: required)', path=""
    )


def test_with_drop_what_breaks_a_schema_is_dropped() -> None:
    base = checked(source=ID, target=NAME, on_error="drop", dead_letter=None)
    assert settle(base, [b"{}", b'{"id":1}']).counts == {0: Counts(2, dropped=2)}


def test_an_event_is_read_without_its_wire_prefix() -> None:
    settled = settle(checked(THROUGH, source=ID), [prefixed(7, b'{"id":1}'), b'{"id":2}', prefixed(7, b"{}")])
    assert settled.values == ['{"id":1}', '{"id":2}', ""]
    assert error(settled, 2)["stage"] == "incoming_schema"
    assert settled.records[2][0].value == prefixed(7, b"{}")


def test_the_schema_that_an_event_names_holds_beside_the_declared_one() -> None:
    known = {7: pin(ID), 9: pin(NAME)}
    events = [prefixed(9, b'{"id":1,"name":"a"}'), prefixed(9, b'{"id":1}'), prefixed(9, b'{"name":"a"}')]
    settled = settle_with(checked(THROUGH, source=ID), events, known)
    assert settled.values[0] == '{"id":1,"name":"a"}'
    assert settled.failures[1].message == (
        'by its own schema (id 9) at the top: "name" is a required property (rule: required)'
    )
    assert settled.failures[2].message == 'at the top: "id" is a required property (rule: required)'
    assert {failure.stage for failure in settled.failures.values()} == {"incoming_schema"}


def test_without_a_declared_schema_the_one_that_an_event_names_holds() -> None:
    settled = settle_with(revision(THROUGH), [prefixed(9, b'{"name":"a"}'), prefixed(9, b"{}"), b"{}"], {9: pin(NAME)})
    assert settled.values == ['{"name":"a"}', "", "{}"]
    assert settled.failures[1].stage == "incoming_schema"


def test_an_id_that_nobody_knows_cannot_be_decoded() -> None:
    settled = settle_with(revision(THROUGH), [prefixed(9, b"{}"), b"{}"], {})
    assert settled.values == ["", "{}"]
    failure = settled.failures[0]
    assert (failure.stage, failure.kind) == ("decode", "schema")
    assert failure.message == "the registry has no schema id 9, which the event names"


def test_without_a_registry_an_id_cannot_be_decoded_and_the_failure_says_so() -> None:
    failure = settle(revision(THROUGH), [prefixed(9, b"{}")]).failures[0]
    assert (failure.stage, failure.kind) == ("decode", "schema")
    assert "no registry is configured: set INFLECT_REGISTRY_URL" in failure.message


def test_without_a_registry_a_schema_from_a_file_reads_what_follows_the_prefix() -> None:
    base = replace(revision(THROUGH), source_schema=pin(ID, None, file="order.json"))
    settled = settle(base, [prefixed(9, b'{"id":1}'), prefixed(9, b"{}")])
    assert settled.values == ['{"id":1}', ""]
    assert settled.failures[1].stage == "incoming_schema"


def test_the_id_of_a_schema_of_another_kind_cannot_be_decoded() -> None:
    avro = PinnedSchema(Schema("avro", '"string"'), subject="a", version=1, id=9)
    failure = settle_with(revision(THROUGH), [prefixed(9, b"{}")], {9: avro}).failures[0]
    assert (failure.stage, failure.kind) == ("decode", "schema")
    assert "of the kind avro, not json" in failure.message


@pytest.mark.parametrize("value", [b"\x00", b"\x00\x00\x00", b"\x00\x00\x00\x00\x07"])
def test_a_wire_prefix_that_is_cut_short_cannot_be_decoded(value: bytes) -> None:
    assert settle_with(checked(source=ID), [value], {7: pin(ID)}).failures[0].stage == "decode"


@pytest.mark.parametrize("prefix", [True, False, None])
def test_the_target_has_a_wire_prefix_where_it_is_asked_for(prefix: bool | None) -> None:  # noqa: FBT001  the three values
    base = checked(THROUGH, target=ID)
    base = replace(base, pipeline=replace(base.pipeline, target=replace(base.pipeline.target, wire_prefix=prefix)))
    (value,) = settle(base, [b'{"id":1}']).values
    assert value == (prefixed(8, b'{"id":1}') if prefix else '{"id":1}')


def test_split_parts_have_the_prefix_too() -> None:
    base = checked("module.exports = (e, context) => context.split([e, e])", target=ID)
    base = replace(base, pipeline=replace(base.pipeline, target=replace(base.pipeline.target, wire_prefix=True)))
    records = settle(base, [b'{"id":1}']).records[0]
    assert [record.value for record in records] == [prefixed(8, b'{"id":1}')] * 2


def test_a_schema_that_cannot_be_used_is_refused_before_any_event() -> None:
    for side in ("source", "target"):
        with (
            pytest.raises(RefusedError, match="is no JSON Schema"),
            Chain(checked(**{side: {"type": "order"}}), max_record_bytes={}),
        ):
            pass


def test_checks_that_take_too_long_settle_a_prefix_and_the_next_batch_is_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHECK_S", 0.05)
    slow = {"items": {"anyOf": [{"enum": [{"n": n, "is": which} for n in range(2000)]} for which in (1, 2)]}}
    value = json.dumps([{"n": n} for n in range(100)]).encode()
    began = time.monotonic()
    for side in ("source", "target"):
        with Chain(checked(THROUGH, **{side: slow}), max_record_bytes={}) as opened:
            settled = opened.settle(batch([value] * 5_000), now=NOW)
            assert 0 < settled.count < 5_000
            assert sum(counts.dead_lettered for counts in settled.counts.values()) == settled.count
            assert settled.halted is None
    assert time.monotonic() - began < 10


@pytest.mark.row("C08")
@pytest.mark.parametrize("end", ["json", "avro"])
def test_events_that_name_an_unknown_id_each_do_not_hold_the_loop(end: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def slow(_writers: WriterSchemas, _number: int) -> None:
        now[0] += 0.5

    monkeypatch.setattr(incoming, "monotonic", lambda: now[0])
    monkeypatch.setattr(WriterSchemas, "get", slow)
    base = revision(THROUGH, formats=(end, "json"))
    with WriterSchemas(None, None) as writers, Chain(base, max_record_bytes={}, writers=writers) as opened:
        settled = opened.settle(batch([prefixed(number, b"{}") for number in range(100, 110)]), now=NOW)
    assert settled.count == 1 + incoming.LOOK_UP_S / 0.5
    assert settled.counts == {0: Counts(5, 0, 0, 5)}
