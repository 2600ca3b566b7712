"""What is known of the schemas that events name, while the registry does what registries do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from inflect.errors import CannotRunError, RefusedError
from inflect.model.schema import PinnedSchema, Schema
from inflect.schemas import writers as module
from inflect.schemas.registry import RegistryAccess
from inflect.schemas.writers import CHECK_S, UNKNOWN_S, SchemaAwayError, WriterSchemas
from tests import registry_fake as faults
from tests.registry_fake import FakeRegistry

ORDER = '{"type": "record", "name": "Order", "fields": []}'
OTHER = '{"type": "string"}'


class Clock:
    """The moment that is now, moved by tests."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time as `WriterSchemas` sees it."""
    moved = Clock()
    monkeypatch.setattr(module, "monotonic", moved)
    return moved


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "schemas"


@pytest.fixture
def writers(fake: FakeRegistry, cache: Path, clock: Clock) -> Iterator[WriterSchemas]:
    """A worker's, with a cache on disk."""
    assert clock.now
    with WriterSchemas(RegistryAccess(fake.url), cache) as schemas:
        yield schemas


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_an_id_is_asked_for_once(fake: FakeRegistry, writers: WriterSchemas) -> None:
    schema_id = fake.register("s", ORDER)
    assert [writers.get(schema_id) for _ in range(1000)] == [Schema("avro", ORDER)] * 1000
    assert len(fake.asked) == 1


@pytest.mark.row("C02")
def test_c02_ids_that_are_known_need_no_registry(fake: FakeRegistry, writers: WriterSchemas, clock: Clock) -> None:
    schema_id = fake.register("s", ORDER)
    known = writers.get(schema_id)
    fake.stop()
    for _ in range(10):
        clock.after(CHECK_S)
        assert writers.get(schema_id) is known


def test_c01_a_process_starts_from_the_disk_while_the_registry_is_away(
    fake: FakeRegistry, writers: WriterSchemas, cache: Path
) -> None:
    fake.register("address", OTHER)
    schema_id = fake.register("s", ORDER, references=[("b", "address", 1)])
    known = writers.get(schema_id)
    assert known is not None
    fake.stop()
    with WriterSchemas(RegistryAccess(fake.url), cache) as fresh:
        assert fresh.get(schema_id) == known
        assert list(known.references) == ["b"]


def test_c01_what_a_revision_pins_needs_neither_registry_nor_disk(fake: FakeRegistry) -> None:
    pin = PinnedSchema(Schema("avro", ORDER), subject="s", version=1, id=7)
    fake.stop()
    with WriterSchemas(RegistryAccess(fake.url), None, [pin]) as writers:
        assert writers.get(7) == pin.schema
    with WriterSchemas(None, None, [pin]) as writers:
        assert writers.get(7) == pin.schema
        assert writers.get(8) is None


def test_c03_a_new_id_while_the_registry_is_away_has_to_wait(
    fake: FakeRegistry, writers: WriterSchemas, clock: Clock
) -> None:
    schema_id = fake.register("s", ORDER)
    fake.stop()
    with pytest.raises(SchemaAwayError, match=rf"schema id {schema_id} is not known here, and .* cannot be reached"):
        writers.get(schema_id)
    fake.start()
    clock.after(1.1)
    assert writers.get(schema_id) == Schema("avro", ORDER)


@pytest.mark.parametrize("code", [401, 403, 429, 500, 502])
@pytest.mark.row("C06")
def test_c07_a_registry_that_refuses_tells_nothing_of_an_id(
    fake: FakeRegistry, writers: WriterSchemas, code: int
) -> None:
    fake.fault = faults.status(code, retry_after="60")
    with pytest.raises(SchemaAwayError, match=f"trouble number {code}"):
        writers.get(1)


@pytest.mark.row("C04")
def test_who_asks_in_a_loop_does_not_wait_each_time(fake: FakeRegistry, writers: WriterSchemas, clock: Clock) -> None:
    fake.fault = faults.status(500)
    for _ in range(100):
        with pytest.raises(SchemaAwayError, match="trouble number 500"):
            writers.get(1)
    assert len(fake.asked) == 1
    clock.after(1.1)
    with pytest.raises(SchemaAwayError):
        writers.get(1)
    assert len(fake.asked) == 2


def test_c08_an_unknown_id_is_asked_for_once_in_half_a_minute(
    fake: FakeRegistry, writers: WriterSchemas, clock: Clock
) -> None:
    assert [writers.get(404) for _ in range(1000)] == [None] * 1000
    assert fake.paths() == ["/schemas/ids/404"]
    clock.after(UNKNOWN_S)
    assert writers.get(404) is None
    fake.register("s", ORDER, schema_id=404)
    clock.after(UNKNOWN_S)
    assert writers.get(404) == Schema("avro", ORDER)
    assert fake.paths() == ["/schemas/ids/404"] * 3


@pytest.mark.parametrize("schema_id", [0, -1, -(2**31), 2**31, 2**32 - 1])
def test_c08_numbers_that_are_no_ids_are_not_asked_for(
    fake: FakeRegistry, writers: WriterSchemas, schema_id: int
) -> None:
    assert writers.get(schema_id) is None
    assert fake.asked == []


def test_c08_unknown_ids_without_end_do_not_fill_the_memory(
    fake: FakeRegistry, writers: WriterSchemas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_UNKNOWN", 10)
    assert {writers.get(schema_id) for schema_id in range(1, 50)} == {None}
    assert len(writers._unknown) <= 10
    assert len(fake.asked) == 49


def test_c09_an_emptied_registry_is_not_believed(fake: FakeRegistry, writers: WriterSchemas, clock: Clock) -> None:
    first = fake.register("s", ORDER)
    second = fake.register("s", OTHER)
    assert writers.get(first) is not None
    fake.schemas, kept = {}, fake.schemas
    with pytest.raises(SchemaAwayError, match=rf"lost its ids: it has neither {second} nor {first}, which it once"):
        writers.get(second)
    assert writers.get(first) == Schema("avro", ORDER)
    fake.schemas = kept
    clock.after(1.1)
    assert writers.get(second) == Schema("avro", OTHER)


def test_c09_what_only_the_disk_remembers_is_a_witness_too(
    fake: FakeRegistry, writers: WriterSchemas, cache: Path
) -> None:
    writers.get(fake.register("s", ORDER))
    fake.empty()
    with (
        WriterSchemas(RegistryAccess(fake.url), cache) as fresh,
        pytest.raises(SchemaAwayError, match="lost its ids"),
    ):
        fresh.get(99)


def test_c09_a_single_id_that_was_deleted_is_no_loss_of_all(
    fake: FakeRegistry, writers: WriterSchemas, clock: Clock
) -> None:
    first, second = fake.register("s", ORDER), fake.register("s", OTHER)
    assert (writers.get(first), writers.get(second)) == (Schema("avro", ORDER), Schema("avro", OTHER))
    del fake.schemas[first]
    assert writers.get(99) is None
    clock.after(CHECK_S)
    assert writers.get(first) == Schema("avro", ORDER)


def test_c10_an_id_that_means_another_schema_stops(fake: FakeRegistry, writers: WriterSchemas, clock: Clock) -> None:
    schema_id = fake.register("s", ORDER)
    writers.get(schema_id)
    fake.schemas[schema_id] = {"schema": OTHER}
    assert writers.get(schema_id) is not None
    clock.after(CHECK_S)
    for _ in range(3):
        with pytest.raises(CannotRunError, match=f"schema id {schema_id} of the registry at {fake.url} has changed"):
            writers.get(schema_id)


@pytest.mark.row("C10")
def test_c10_it_is_seen_by_the_first_event_of_a_new_process(
    fake: FakeRegistry, writers: WriterSchemas, cache: Path
) -> None:
    schema_id = fake.register("s", ORDER)
    writers.get(schema_id)
    fake.empty()
    fake.register("t", OTHER, schema_id=schema_id)
    pin = PinnedSchema(Schema("avro", ORDER), subject="s", version=1, id=schema_id)
    for given in (WriterSchemas(RegistryAccess(fake.url), cache), WriterSchemas(RegistryAccess(fake.url), None, [pin])):
        with given as fresh, pytest.raises(CannotRunError, match=f"schema id {schema_id} .* has changed"):
            fresh.get(schema_id)


def test_c10_a_registry_that_began_anew_is_seen_by_an_unknown_id(fake: FakeRegistry, writers: WriterSchemas) -> None:
    first = fake.register("s", ORDER)
    writers.get(first)
    fake.schemas = {first: {"schema": OTHER}}
    with pytest.raises(CannotRunError, match=f"schema id {first} .* has changed"):
        writers.get(99)


def test_a_text_laid_out_anew_is_the_same_schema(fake: FakeRegistry, writers: WriterSchemas, clock: Clock) -> None:
    avro = fake.register("s", ORDER)
    protobuf = fake.register("p", 'syntax = "proto3";\nmessage A { string a = 1; // the first\n}', "PROTOBUF")
    before = [writers.get(avro), writers.get(protobuf)]
    fake.schemas[avro]["schema"] = '{"name":"Order","fields":[],"type":"record"}'
    fake.schemas[protobuf]["schema"] = 'syntax = "proto3";\n\nmessage A {\n  string a = 1;\n}\n'
    clock.after(CHECK_S)
    assert [writers.get(avro), writers.get(protobuf)] == before


def test_c13_a_schema_that_cannot_be_used_is_refused_each_time_and_asked_for_once(
    fake: FakeRegistry, writers: WriterSchemas
) -> None:
    schema_id = fake.register("a", ORDER, references=[("a", "a", 1)])
    for _ in range(3):
        with pytest.raises(RefusedError, match="refers to itself"):
            writers.get(schema_id)
    assert len(fake.asked) == 2


def test_a_file_that_is_not_whole_is_not_believed(fake: FakeRegistry, writers: WriterSchemas, cache: Path) -> None:
    schema_id = fake.register("s", ORDER)
    writers.get(schema_id)
    (file,) = files(cache)
    whole = file.read_bytes()
    for broken in (b"", whole[:-20], whole.replace(b"Order", b"Odrer"), b"[]", b"\xff"):
        file.write_bytes(broken)
        with WriterSchemas(RegistryAccess(fake.url), cache) as fresh:
            assert fresh.get(schema_id) == Schema("avro", ORDER)
        assert file.read_bytes() == whole
    assert files(cache) == [file]


def test_registries_do_not_share_their_ids(fake: FakeRegistry, writers: WriterSchemas, cache: Path) -> None:
    schema_id = fake.register("s", ORDER)
    writers.get(schema_id)
    with FakeRegistry() as other:
        other.register("t", OTHER, schema_id=schema_id)
        with WriterSchemas(RegistryAccess(other.url), cache) as theirs:
            assert theirs.get(schema_id) == Schema("avro", OTHER)
    assert len(files(cache)) == 2


def test_a_directory_that_cannot_be_written_is_told_once(fake: FakeRegistry, cache: Path) -> None:
    cache.write_text("a file where the directory should be")
    with WriterSchemas(RegistryAccess(fake.url), cache) as writers, capture_logs() as lines:
        for number in range(3):
            assert writers.get(fake.register(f"s{number}", f'{{"type": "fixed", "name": "f", "size": {number}}}'))
    assert [line["event"] for line in lines] == ["schemas are kept in memory only"]
