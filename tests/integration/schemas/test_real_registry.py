"""The client against a real registry: kinds, references, odd names, and what is not there."""

import secrets
from collections.abc import Iterator

import pytest

from inflect.embedded.registry import RegistryServer
from inflect.errors import NotFoundError
from inflect.model.schema import Schema
from inflect.schemas.registry import Registry, RegistryAccess
from inflect.schemas.sameness import mean_the_same
from tests.plugins.registry import Register


@pytest.fixture
def client(registry: RegistryServer) -> Iterator[Registry]:
    with Registry(RegistryAccess(registry.url)) as opened:
        yield opened


@pytest.fixture
def subject() -> str:
    return f"orders-{secrets.token_hex(4)}"


def test_every_kind_comes_back_by_version_and_by_id(client: Registry, register: Register, subject: str) -> None:
    texts = {
        "AVRO": '{"type": "record", "name": "Order", "fields": []}',
        "JSON": '{"type": "object", "properties": {"id": {"type": "integer"}}}',
        "PROTOBUF": 'syntax = "proto3";\nmessage Order {\n  int64 id = 1;\n}\n',
    }
    for kind, text in texts.items():
        schema_id = register(f"{subject}-{kind}", text, kind)
        pin = client.version(f"{subject}-{kind}", "latest")
        assert (pin.version, pin.id) == (1, schema_id)
        assert mean_the_same(pin.schema, Schema(kind.lower(), text))  # type: ignore[arg-type]  # one of the three
        assert client.by_id(schema_id) == pin.schema


def test_references_come_with_their_schema(client: Registry, register: Register, subject: str) -> None:
    country = f"{subject}-country"
    address = f"{subject}-address"
    register(country, '{"type": "enum", "name": "Country", "symbols": ["DE"]}')
    register(
        address,
        '{"type": "record", "name": "Address", "fields": [{"name": "country", "type": "Country"}]}',
        references=[("Country", country, 1)],
    )
    schema_id = register(
        subject,
        '{"type": "record", "name": "Order", "fields": [{"name": "to", "type": "Address"}]}',
        references=[("Address", address, 1)],
    )
    pin = client.version(subject, 1)
    assert list(pin.schema.references) == ["Country", "Address"]
    assert client.by_id(schema_id) == pin.schema


def test_the_newest_version_is_the_latest(client: Registry, register: Register, subject: str) -> None:
    register(subject, '{"type": "record", "name": "A", "fields": []}')
    newest = register(
        subject,
        '{"type": "record", "name": "A", "fields": [{"name": "b", "type": ["null", "int"], "default": null}]}',
    )
    assert client.versions(subject) == [1, 2]
    assert client.version(subject, "latest").id == newest
    assert subject in client.subjects()


@pytest.mark.parametrize("odd", ["a b", "ä", "a.b-c_d", "a%b", "a+b&c=d"])
def test_subjects_may_have_any_name(client: Registry, register: Register, subject: str, odd: str) -> None:
    schema_id = register(f"{subject}{odd}", '{"type": "string"}')
    assert client.version(f"{subject}{odd}", 1).id == schema_id


def test_what_is_not_there_is_not_found(client: Registry, subject: str) -> None:
    with pytest.raises(NotFoundError):
        client.by_id(2_000_000_000)
    with pytest.raises(NotFoundError):
        client.versions(subject)
    with pytest.raises(NotFoundError):
        client.version(subject, "latest")
