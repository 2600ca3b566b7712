"""The client against a registry that does everything wrong that a server can."""

import base64
import json
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme

from inflect.errors import DeniedError, InflectError, NotFoundError, RefusedError, UnreachableError
from inflect.model.schema import Schema
from inflect.schemas.registry import DEADLINE_S, MAX_DEPTH, MAX_REFERENCES, Registry, RegistryAccess
from tests import registry_fake as faults
from tests.registry_fake import JSON, FakeRegistry, Fault

ORDER = '{"type": "record", "name": "Order", "fields": []}'


def refusal(call: Callable[[], object], kind: type[InflectError] = UnreachableError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_a_version_comes_with_its_id_and_all_it_refers_to(fake: FakeRegistry, client: Registry) -> None:
    fake.register("country", '{"enum": ["DE"]}', "JSON")
    fake.register("address", '{"$ref": "country.json"}', "JSON", [("country.json", "country", 1)])
    fake.register("orders-value", "{}", "JSON")
    given = [("address.json", "address", 1), ("country.json", "country", 1)]
    schema_id = fake.register("orders-value", '{"$ref": "address.json"}', "JSON", given)
    pin = client.version("orders-value", "latest")
    assert (pin.subject, pin.version, pin.id) == ("orders-value", 2, schema_id)
    assert list(pin.schema.references.items()) == [
        ("country.json", '{"enum": ["DE"]}'),
        ("address.json", '{"$ref": "country.json"}'),
    ]
    assert client.by_id(schema_id) == pin.schema
    assert client.version("orders-value", 1).schema == Schema("json", "{}")
    assert client.versions("orders-value") == [1, 2]
    assert client.subjects() == ["address", "country", "orders-value"]


@pytest.mark.parametrize(("said", "kind"), [("AVRO", "avro"), ("JSON", "json"), ("PROTOBUF", "protobuf")])
def test_a_schema_is_avro_where_nothing_else_is_said(
    fake: FakeRegistry, client: Registry, said: str, kind: str
) -> None:
    assert client.by_id(fake.register("s", ORDER, said)).kind == kind


@pytest.mark.parametrize("subject", ["a/b", "a b", "ä", "a%2Fb", "a?b#c", ":.context:orders", "..", "a+b&c=d"])
def test_subjects_may_have_any_name(fake: FakeRegistry, client: Registry, subject: str) -> None:
    fake.register(subject, ORDER)
    assert client.versions(subject) == [1]
    assert client.version(subject, 1).schema.text == ORDER


def test_what_is_not_there_is_not_found(client: Registry) -> None:
    refusal(lambda: client.by_id(7), NotFoundError)
    refusal(lambda: client.versions("none"), NotFoundError)
    assert "does not have /subjects/none/versions/latest: Version not found" in refusal(
        lambda: client.version("none", "latest"), NotFoundError
    )


def test_another_404_than_the_registrys_own_says_nothing_about_a_schema(fake: FakeRegistry, client: Registry) -> None:
    fake.fault = faults.body(b"404 page not found", "text/plain", 404)
    assert "with 404 and text/plain, not with JSON; INFLECT_REGISTRY_URL must be the root" in refusal(
        lambda: client.by_id(7)
    )
    fake.fault = faults.status(404)
    assert "with 404: trouble number 404" in refusal(lambda: client.by_id(7))


def test_c04_a_registry_that_never_answers_costs_three_seconds(fake: FakeRegistry, client: Registry) -> None:
    fake.fault = faults.hang
    begun = time.monotonic()
    assert "does not answer in time" in refusal(lambda: client.by_id(1))
    assert time.monotonic() - begun < DEADLINE_S


@pytest.mark.parametrize("fault", [faults.slow_headers, faults.slow_body])
def test_c05_a_byte_a_second_ends_with_the_deadline(fake: FakeRegistry, client: Registry, fault: Fault) -> None:
    fake.fault = fault
    begun = time.monotonic()
    assert "does not answer in time" in refusal(lambda: client.by_id(1, within_s=1.5))
    assert time.monotonic() - begun < 2.5


@pytest.mark.parametrize("fault", [faults.huge_body, faults.gzip_bomb])
def test_c05_an_answer_beyond_the_cap_is_not_read_to_its_end(
    fake: FakeRegistry, client: Registry, fault: Fault
) -> None:
    fake.fault = fault
    begun = time.monotonic()
    assert "sends more than 4 MB" in refusal(lambda: client.by_id(1))
    assert time.monotonic() - begun < 2


def test_a_packed_answer_is_unpacked(fake: FakeRegistry, client: Registry) -> None:
    schema_id = fake.register("s", ORDER)
    fake.fault = faults.packed
    assert client.by_id(schema_id).text == ORDER


@pytest.mark.parametrize("code", [429, 503])
def test_c06_a_busy_registry_is_asked_again(fake: FakeRegistry, client: Registry, code: int) -> None:
    schema_id = fake.register("s", ORDER)
    fake.fault = faults.status(code, times=2)
    assert client.by_id(schema_id).text == ORDER
    assert len(fake.asked) == 3


def test_c06_it_is_asked_again_when_it_wants_to_be(fake: FakeRegistry, client: Registry) -> None:
    schema_id = fake.register("s", ORDER)
    fake.fault = faults.status(429, times=1, retry_after="1")
    begun = time.monotonic()
    assert client.by_id(schema_id).text == ORDER
    assert time.monotonic() - begun >= 1
    fake.fault = faults.status(503, times=1, retry_after=format_datetime(datetime.now(UTC), usegmt=True))
    assert client.by_id(schema_id).text == ORDER


def test_c06_a_moment_that_no_calendar_holds_is_none(fake: FakeRegistry, client: Registry) -> None:
    schema_id = fake.register("s", ORDER)
    fake.fault = faults.status(503, times=1, retry_after="Mon, 01 Jan 99999999999999999999 00:00:00 GMT")
    assert client.by_id(schema_id).text == ORDER


@pytest.mark.parametrize("later", ["3600", "999999999999999", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_c06_it_is_not_waited_for_beyond_the_deadline(fake: FakeRegistry, client: Registry, later: str) -> None:
    fake.fault = faults.status(503, retry_after=later)
    begun = time.monotonic()
    assert "with 503: trouble number 503" in refusal(lambda: client.by_id(1))
    assert time.monotonic() - begun < 1
    assert len(fake.asked) == 1


def test_c06_a_broken_registry_is_away_at_once(fake: FakeRegistry, client: Registry) -> None:
    fake.fault = faults.status(500)
    assert "with 500: trouble number 500" in refusal(lambda: client.by_id(1))
    assert len(fake.asked) == 1


@pytest.mark.parametrize("code", [401, 403])
def test_c07_refused_credentials_are_said(fake: FakeRegistry, client: Registry, code: int) -> None:
    fake.fault = faults.status(code)
    said = refusal(client.check, DeniedError)
    assert f"refuses the credentials ({code}: trouble number {code})" in said
    assert "INFLECT_REGISTRY_PASSWORD" in said


def test_credentials_are_shown_as_the_settings_say(fake: FakeRegistry) -> None:
    for access in (
        RegistryAccess(fake.url, username="ada", password="pass:wörd"),  # noqa: S106  the test's own
        RegistryAccess(fake.url, token="geheim"),  # noqa: S106  the test's own
        RegistryAccess(fake.url),
    ):
        with Registry(access) as registry:
            registry.check()
    basic = "Basic " + base64.b64encode("ada:pass:wörd".encode()).decode()
    assert [request.headers.get("authorization") for request in fake.asked] == [basic, "Bearer geheim", None]


def test_credentials_are_never_told(fake: FakeRegistry) -> None:
    access = RegistryAccess(fake.url, token="ge\nheim", password="geheim")  # noqa: S106  the test's own
    assert "heim" not in repr(access)
    with Registry(access) as registry:
        said = refusal(registry.check)
    assert "characters that HTTP cannot carry" in said
    assert "heim" not in said


@pytest.mark.row("C12")
def test_c16_a_redirect_is_not_followed(fake: FakeRegistry, client: Registry) -> None:
    with FakeRegistry() as elsewhere:
        fake.fault = faults.status(302, location=f"{elsewhere.url}/subjects")
        assert f"sends us elsewhere, to {elsewhere.url}/subjects, and is not followed" in refusal(client.check)
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.body(b"<html>", "text/html"), "with 200 and text/html, not with JSON"),
        (faults.body(b"{}", ""), "not with JSON"),
        (faults.body(b"<html>", "text/html", 502), "answers /subjects with 502"),
        (faults.body(b"<html>"), "what no schema registry says"),
        (faults.body(b'{"subjects": []}'), "what no schema registry says"),
        (faults.body(b"[" * 1_000_000), "what no schema registry says"),
        (faults.raw(b"<html>hello</html>\r\n"), "does not speak HTTP"),
        (faults.raw(b""), "does not speak HTTP"),
        (faults.raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nx"), "in the encoding 'br'"),
        (faults.raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nxxxx"), "broken gzip"),
        (faults.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["), "does not speak HTTP"),
        (faults.raw(b"SSH-2.0-OpenSSH_9.9\r\n"), "does not speak HTTP"),
    ],
)
def test_c16_what_is_no_registry_is_refused_with_the_cause(
    fake: FakeRegistry, client: Registry, fault: Fault, said: str
) -> None:
    fake.fault = fault
    assert said in refusal(client.check)


@pytest.mark.parametrize(
    "content",
    [
        {"schema": 7},
        {"schema": None},
        {"schemaType": "AVRO"},
        {"schema": "{}", "references": [{"name": "a"}]},
        {"schema": "{}", "references": [{"name": "a", "subject": "b", "version": "latest"}]},
    ],
)
def test_c16_a_schema_of_another_shape_is_no_registrys(
    fake: FakeRegistry, client: Registry, content: dict[str, object]
) -> None:
    fake.schemas[1] = content
    assert "what no schema registry says" in refusal(lambda: client.by_id(1))


def served(authority: trustme.CA, *names: str, expires_at: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=expires_at).configure_cert(context)
    return context


@pytest.fixture
def authority_file(tmp_path: Path) -> tuple[trustme.CA, str]:
    """An authority of our own, and the file of its certificate."""
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return authority, str(path)


def test_a_private_authority_is_trusted_where_it_is_named(authority_file: tuple[trustme.CA, str]) -> None:
    authority, path = authority_file
    with FakeRegistry(tls=served(authority, "localhost")) as fake:
        with Registry(RegistryAccess(fake.url, ca=path)) as registry:
            assert registry.subjects() == []
        with Registry(RegistryAccess(fake.url)) as registry:
            assert "certificate that is refused" in refusal(registry.check)
        with Registry(RegistryAccess(fake.url, ca="/nowhere.pem")) as registry:
            assert "the authority in /nowhere.pem cannot be read" in refusal(registry.check)
        with Registry(RegistryAccess(fake.url.replace("https", "http"))) as registry:
            refusal(registry.check)


def test_c16_a_certificate_of_another_host_is_refused(authority_file: tuple[trustme.CA, str]) -> None:
    authority, path = authority_file
    with (
        FakeRegistry(tls=served(authority, "other.example")) as fake,
        Registry(RegistryAccess(fake.url, ca=path)) as registry,
    ):
        assert "Hostname mismatch" in refusal(registry.check)


def test_c16_a_certificate_that_is_over_is_refused(authority_file: tuple[trustme.CA, str]) -> None:
    authority, path = authority_file
    over = datetime.now(UTC) - timedelta(days=1)
    with (
        FakeRegistry(tls=served(authority, "localhost", expires_at=over)) as fake,
        Registry(RegistryAccess(fake.url, ca=path)) as registry,
    ):
        assert "certificate has expired" in refusal(registry.check)


def chain_of(fake: FakeRegistry, length: int) -> int:
    """Register schemas that refer one to the next; the id of the first."""
    schema_id = fake.register(f"s{length}", ORDER)
    for number in range(length - 1, -1, -1):
        schema_id = fake.register(f"s{number}", ORDER, references=[(f"r{number}", f"s{number + 1}", 1)])
    return schema_id


def test_c13_references_may_be_so_deep_and_no_deeper(fake: FakeRegistry, client: Registry) -> None:
    deepest = client.by_id(chain_of(fake, MAX_DEPTH))
    assert list(deepest.references) == [f"r{number}" for number in range(MAX_DEPTH - 1, -1, -1)]
    fake.empty()
    too_deep = chain_of(fake, MAX_DEPTH + 1)
    assert "refers deeper than 32 schemas" in refusal(lambda: client.by_id(too_deep), RefusedError)


def test_c13_references_may_be_so_many_and_no_more(fake: FakeRegistry, client: Registry) -> None:
    for number in range(MAX_REFERENCES + 1):
        fake.register(f"s{number}", ORDER)
    names = [(f"r{number}", f"s{number}", 1) for number in range(MAX_REFERENCES + 1)]
    assert len(client.by_id(fake.register("fits", ORDER, references=names[1:])).references) == MAX_REFERENCES
    too_many = fake.register("more", ORDER, references=names)
    assert "refers to more than 100 schemas" in refusal(lambda: client.by_id(too_many), RefusedError)


def test_c13_a_circle_of_references_is_refused_with_its_path(fake: FakeRegistry, client: Registry) -> None:
    fake.register("a", ORDER, references=[("b", "b", 1)])
    fake.register("b", ORDER, references=[("a", "a", 1)])
    assert "refers to itself: a version 1 → b version 1 → a version 1" in refusal(
        lambda: client.version("a", 1), RefusedError
    )
    assert "refers to itself: schema id 1 → b version 1 → a version 1 → b version 1" in refusal(
        lambda: client.by_id(1), RefusedError
    )


def test_references_that_cannot_be_followed_are_refused(fake: FakeRegistry, client: Registry) -> None:
    nowhere = fake.register("a", ORDER, references=[("b", "b", 3)])
    assert "refers to b version 3, which the registry does not have" in refusal(
        lambda: client.by_id(nowhere), RefusedError
    )
    fake.register("b", "{}", "JSON")
    other = fake.register("c", ORDER, references=[("b", "b", 1)])
    assert "refers to 'b', which is of another kind" in refusal(lambda: client.by_id(other), RefusedError)
    fake.register("b", '{"type": "string"}')
    fake.register("b", '{"type": "int"}')
    two = fake.register("d", ORDER, references=[("b", "b", 2), ("b", "b", 3)])
    assert "two different schemas by the name 'b'" in refusal(lambda: client.by_id(two), RefusedError)
    strange = fake.register("e", "<xs:schema/>", "XML")
    assert "is of the kind 'XML'; AVRO, JSON and PROTOBUF are known" in refusal(
        lambda: client.by_id(strange), RefusedError
    )


def test_c17_nothing_is_ever_registered(fake: FakeRegistry, client: Registry) -> None:
    fake.register("s", ORDER)
    client.check()
    client.version("s", "latest")
    client.by_id(1)
    client.versions("s")
    refusal(lambda: client.version("other", "latest"), NotFoundError)
    assert {request.method for request in fake.asked} == {"GET"}
    assert len(fake.schemas) == 1


def test_a_registry_that_is_not_there_is_said(fake: FakeRegistry, client: Registry) -> None:
    fake.stop()
    assert f"the schema registry at {fake.url} cannot be reached" in refusal(client.check)
    fake.start()
    assert client.subjects() == []


def test_the_root_may_lie_below_a_path(fake: FakeRegistry) -> None:
    with Registry(RegistryAccess(f"{fake.url}/apis/ccompat/v7/")) as registry:
        refusal(registry.check)
    assert fake.paths() == ["/apis/ccompat/v7/subjects"]


def test_the_answer_may_be_of_the_usual_kinds(fake: FakeRegistry, client: Registry) -> None:
    for kind in (JSON, "application/json", "application/json; charset=utf-8", "Application/VND.schemaregistry+JSON"):
        fake.fault = faults.body(json.dumps(["a"]).encode(), kind)
        assert client.subjects() == ["a"]
