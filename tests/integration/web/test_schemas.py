"""Schemas on pages and in the API: what the registry has, what is used, and what is shown while it is away."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from inflect.model.schema import PinnedSchema, Schema
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, save_revisions
from inflect.store.schemas import SchemaRefusal, save_refusals
from tests.integration.web.house import Web, document, served, settings_for
from tests.registry_fake import FakeRegistry, status

EVIL = '"><script>alert(1)</script>'
ONE = '{"type": "object", "properties": {"id": {"type": "integer"}}}'
TWO = '{"type": "object", "properties": {"id": {"type": "string"}}}'


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as server:
        yield server


@pytest.fixture
def web(database: Database, database_url: str, fake: FakeRegistry) -> Iterator[Web]:
    """The pages with a registry, without a broker."""
    with served(replace(settings_for(database_url), registry_url=fake.url), database) as running:
        yield running


@pytest.fixture
def alone(database: Database, database_url: str) -> Iterator[Web]:
    """The pages without a registry."""
    with served(settings_for(database_url), database) as running:
        yield running


def use(
    db: Database, version: int = 1, text: str = ONE, *, expected: int | None = None, file: str | None = None
) -> None:
    """A pipeline whose source pins a version, or a file."""
    pinned = PinnedSchema(Schema("json", text), "orders-value", version, version)
    if file is not None:
        pinned = PinnedSchema(Schema("json", text), file=file)
    schema = {"file": file} if file else {"subject": "orders-value"}
    wanted = document(source={"topic": "orders", "schema": schema}, steps=[])
    new = NewRevision("orders-clean", expected, wanted, {}, (), {"source": pinned})
    save_revisions(db, [new], author="ada", origin="cli")


def seen(web: Web, path: str, code: int = 200) -> str:
    answer = web.client.get(path)
    assert answer.status_code == code, answer.text
    return answer.text


def test_the_list_has_all_subjects_and_says_who_uses_them(web: Web, fake: FakeRegistry) -> None:
    fake.register("orders-value", ONE, "JSON")
    fake.register("clicks-value", '"string"')
    use(web.db)
    text = seen(web, "/schemas")
    assert text.index("clicks-value") < text.index("orders-value")
    assert "source, version 1" in text
    assert "nobody" in text


def test_without_a_registry_the_page_says_what_that_means_and_how_to_begin(alone: Web) -> None:
    text = seen(alone, "/schemas")
    assert "No schema registry is set." in text
    assert "INFLECT_REGISTRY_URL" in text
    assert "No schema yet" in text
    use(alone.db, file="schemas/order.json")
    assert "schemas/order.json" in seen(alone, "/schemas")


def test_an_empty_registry_is_no_error(web: Web, fake: FakeRegistry) -> None:
    assert "No subject yet" in seen(web, "/schemas")
    assert fake.paths() == ["/subjects"]


def test_while_the_registry_is_away_pages_show_what_revisions_pin(web: Web, fake: FakeRegistry) -> None:
    use(web.db)
    fake.stop()
    text = seen(web, "/schemas")
    assert "The schema registry does not answer." in text
    assert "orders-value" in text
    subject = seen(web, "/schemas/orders-value")
    assert "Shown from what revisions pin." in subject
    assert "properties" in subject
    assert "does not answer" in seen(web, "/schemas/clicks-value", 503)


def test_a_subject_shows_its_text_its_versions_and_what_changed(web: Web, fake: FakeRegistry) -> None:
    fake.register("orders-value", ONE, "JSON")
    fake.register("orders-value", TWO, "JSON")
    fake.register("orders-value", "true", "JSON")
    use(web.db)
    text = seen(web, "/schemas/orders-value?version=2")
    assert "JSON Schema, version 2, id 2" in text
    assert "What differs from version 1" in text
    assert "<td>line 2</td>" in text
    assert "&#34;type&#34;: &#34;integer&#34;" in text
    assert "version 3" in text
    assert "What differs from version 3" in seen(web, "/schemas/orders-value?version=2&against=3")
    assert "What differs" not in seen(web, "/schemas/orders-value?version=1")
    seen(web, "/schemas/orders-value?version=9", 404)
    seen(web, "/schemas/nobody", 404)


@pytest.mark.row("C15")
def test_what_strangers_wrote_into_a_schema_is_shown_as_text(web: Web, fake: FakeRegistry) -> None:
    subject = f"a/b {EVIL}"
    fake.register(subject, f'{{"title": "{EVIL.replace(chr(34), "")}", "enum": ["{EVIL[2:]}"]}}', "JSON")
    fake.register(subject, '{"title": "<img src=x>"}', "JSON")
    listed = seen(web, "/schemas")
    assert "<script>alert" not in listed
    shown = web.client.get("/schemas/a%2Fb%20%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert shown.status_code == 200
    assert "<script>alert" not in shown.text
    assert "<img" not in shown.text


def test_the_api_has_the_same(web: Web, fake: FakeRegistry) -> None:
    fake.register("money", '{"type": "integer"}', "JSON")
    fake.register("orders-value", '{"$ref": "money.json"}', "JSON", [("money.json", "money", 1)])
    use(web.db)
    listed: list[dict[str, Any]] = web.client.get("/api/v1/schemas").json()
    assert [(entry["subject"], len(entry["used_by"])) for entry in listed] == [("money", 0), ("orders-value", 1)]
    shown = web.client.get("/api/v1/schemas/orders-value").json()
    assert shown["references"] == {"money.json": '{"type": "integer"}'}
    assert (shown["kind"], shown["versions"], shown["version"], shown["id"]) == ("json", [1], 1, 2)
    assert shown["used_by"][0]["pipeline"] == "orders-clean"
    assert web.client.get("/api/v1/schemas/orders-value?version=x").status_code == 400
    assert web.client.get("/api/v1/schemas/nobody").json()["status"] == 404


def test_the_api_tells_a_registry_that_is_away_from_one_that_refuses(web: Web, fake: FakeRegistry) -> None:
    fake.fault = status(401)
    denied = web.client.get("/api/v1/schemas")
    assert denied.status_code == 502
    assert "refuses the credentials" in denied.json()["detail"]
    fake.stop()
    away = web.client.get("/api/v1/schemas")
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")


def test_a_version_that_is_not_followed_is_shown_with_its_pipeline(web: Web) -> None:
    use(web.db)
    refusal = SchemaRefusal("orders-clean", "source", "orders-value", 2, "it is a schema for avro")
    save_refusals(web.db, [refusal], (), actor="supervisor")
    web.refresh()
    text = seen(web, "/pipelines/orders-clean")
    assert "Version 2 of" in text
    assert "it is a schema for avro" in text
    assert "orders-value 1, follows the latest" in text


def test_the_history_says_which_version_a_revision_came_to_pin(web: Web) -> None:
    use(web.db)
    use(web.db, 2, TWO, expected=1)
    text = seen(web, "/pipelines/orders-clean/history")
    assert "source.schema: orders-value 1" in text
    assert "source.schema: orders-value 2" in text


def test_a_draft_is_tried_with_its_schema_and_refused_in_words_without_a_registry(
    web: Web, alone: Web, fake: FakeRegistry
) -> None:
    fake.register("orders-value", ONE, "JSON")
    draft = document(source={"topic": "orders", "schema": {"subject": "orders-value"}}, steps=[])
    body = {"pipeline": draft, "events": [{"value": {"id": 1}}, {"value": {"id": "x"}}]}
    tried = web.client.post("/api/v1/pipelines/orders-clean/test", json=body, timeout=30).json()["results"]
    assert [result["outcome"] for result in tried] == ["delivered", "failed"]
    assert (tried[1]["stage"], tried[1]["error"]["path"]) == ("incoming_schema", "/id")
    refused = alone.client.post("/api/v1/pipelines/orders-clean/test", json=body).json()
    assert refused["detail"] == "1 fault"
    assert refused["errors"][0]["path"] == "source.schema.subject"
    assert "INFLECT_REGISTRY_URL" in refused["errors"][0]["message"]


@pytest.mark.parametrize("headers", [{}, {"transfer-encoding": "chunked"}])
def test_a_body_that_is_too_large_is_a_problem_like_any_other(alone: Web, headers: dict[str, str]) -> None:
    content = iter([b"x" * 600_000] * 2) if headers else b"x" * 1_200_000
    answer = alone.client.post("/api/v1/pipelines", content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "one megabyte" in answer.json()["detail"]
