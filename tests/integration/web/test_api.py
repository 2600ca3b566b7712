"""The JSON API over a real database and a real broker."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.store.database import Database
from inflect.store.pipelines import history
from tests.integration.web.house import Web, document, save, served, settings_for

YAML = "application/yaml"


@pytest.fixture
def api(database: Database, database_url: str, kafka: KafkaServer) -> Iterator[Web]:
    """The API with a broker behind it."""
    settings = settings_for(database_url, {"bootstrap.servers": kafka.bootstrap_servers})
    with served(settings, database) as web:
        yield web


@pytest.fixture
def source(kafka: KafkaServer, topic_name: Callable[..., str]) -> str:
    """A source topic that exists."""
    name = topic_name("orders")
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        admin.create_topics([NewTopicSpec(name, 2)])
    return name


def body(source: str, **more: Any) -> dict[str, Any]:
    """A pipeline without steps."""
    return {"name": "copy", "source": {"topic": source}, "target": {"topic": f"{source}-out", "create": {}}, **more}


def test_a_pipeline_is_made_changed_and_deleted(api: Web, source: str) -> None:
    made = api.client.post("/api/v1/pipelines", json=body(source))
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/api/v1/pipelines/copy"
    assert made.json()["counts"]["unaccounted"] == 0
    text = f"name: copy\nsource: {{topic: {source}}}\ntarget: {{topic: {source}-out}}\ndescription: changed\n"
    changed = api.client.put("/api/v1/pipelines/copy", content=text, headers={"content-type": YAML})
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    again = api.client.put("/api/v1/pipelines/copy", content=text, headers={"content-type": YAML})
    assert (again.status_code, again.json()["revision"]) == (200, 2)
    assert api.client.get("/api/v1/pipelines/copy").json()["document"]["description"] == "changed"
    assert api.client.delete("/api/v1/pipelines/copy").status_code == 204
    assert api.client.get("/api/v1/pipelines/copy").status_code == 404


def test_what_exists_is_not_made_twice(api: Web, source: str) -> None:
    assert api.client.post("/api/v1/pipelines", json=body(source)).status_code == 201
    second = api.client.post("/api/v1/pipelines", json=body(source))
    assert second.status_code == 409
    assert "PUT" in second.json()["detail"]


def test_a_refusal_names_every_fault_with_its_path(api: Web) -> None:
    answer = api.client.post("/api/v1/pipelines", json={"name": "Copy", "source": {"topik": "a"}})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    paths = {fault["path"] for fault in answer.json()["errors"]}
    assert {"name", "source.topik", "source.topic", "target"} <= paths


def test_a_name_that_differs_from_the_address_is_refused(api: Web, source: str) -> None:
    answer = api.client.put("/api/v1/pipelines/other", json=body(source))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == "name"


@pytest.mark.parametrize("content", [b"", b"- a\n- b", b"\xff\xfe", b"{", b"a: &x [1]\nb: *x", b"a: 1\n---\nb: 2"])
def test_nonsense_is_refused_and_never_an_error_of_ours(api: Web, content: bytes) -> None:
    answer = api.client.post("/api/v1/pipelines", content=content)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["status"] == answer.status_code


def test_pause_resume_and_rollback(web: Web) -> None:
    save(web.db)
    save(web.db, expected=1, description="newer")
    assert web.client.post("/api/v1/pipelines/orders-clean/pause").status_code == 200
    assert web.client.post("/api/v1/pipelines/orders-clean/resume").status_code == 200
    back = web.client.post("/api/v1/pipelines/orders-clean/rollback", json={"revision": 1})
    assert (back.status_code, back.json()["revision"]) == (200, 3)
    assert history(web.db, "orders-clean")[0].document == document()
    assert web.client.post("/api/v1/pipelines/orders-clean/rollback", json={"revision": 3}).status_code == 409
    assert web.client.post("/api/v1/pipelines/orders-clean/rollback", json={"revision": "1"}).status_code == 422
    assert web.client.post("/api/v1/pipelines/zebra/pause").status_code == 404
    numbers = [row["number"] for row in web.client.get("/api/v1/pipelines/orders-clean/revisions").json()]
    assert numbers == [3, 2, 1]


def test_events_are_tried_without_being_written(web: Web) -> None:
    save(web.db)
    events = [{"value": {"paid": True}}, {"value": {"paid": False}, "key": "k"}]
    answer = web.client.post("/api/v1/pipelines/orders-clean/test", json={"events": events}, timeout=30)
    assert answer.status_code == 200, answer.text
    assert [result["outcome"] for result in answer.json()["results"]] == ["delivered", "filtered"]
    refused = web.client.post("/api/v1/pipelines/orders-clean/test", json={"events": [{"valu": 1}]})
    assert refused.status_code == 422


def test_topics_are_those_of_the_cluster(api: Web, source: str) -> None:
    partitions = {topic["name"]: topic["partitions"] for topic in api.client.get("/api/v1/topics").json()}
    assert partitions[source] == 2


def test_the_lists_are_there(web: Web) -> None:
    save(web.db)
    for name in ("pipelines", "processors", "topics", "workers", "audit"):
        assert isinstance(web.client.get(f"/api/v1/{name}").json(), list)
    assert web.client.get("/api/v1/audit?limit=1&subject=orders-clean").json()[0]["action"] == "created"
    assert web.client.get("/api/v1/audit?limit=x").status_code == 400
    assert web.client.get("/api/v1/openapi.json").json()["openapi"] == "3.1.0"
