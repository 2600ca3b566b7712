"""Trials over the API: events made from the schema, sampled from the topic, and given as JSON whatever the format."""

import json
from typing import Any

from inflect.model.processor import content_hash
from inflect.model.schema import PinnedSchema, Schema
from inflect.store.pipelines import NewRevision, save_revisions
from tests.integration.web.house import FILTER, SOURCE, Web, document, save

AVRO = {
    "type": "record",
    "name": "Order",
    "fields": [{"name": "id", "type": "long"}, {"name": "paid", "type": "boolean"}],
}
PINNED = PinnedSchema(Schema("avro", json.dumps(AVRO)), file="order.avsc")


def ask(web: Web, **body: Any) -> Any:
    answer = web.client.post("/api/v1/pipelines/orders-clean/test", json=body, timeout=60)
    return answer.json() | {"status": answer.status_code}


def pinned(web: Web) -> None:
    """The pipeline with a schema, as `apply` leaves it."""
    save(web.db)
    with_schema = document(source={"topic": "orders", "format": "avro", "schema": {"file": "order.avsc"}})
    pins = {FILTER: content_hash(SOURCE)}
    new = NewRevision("orders-clean", 1, with_schema, pins, (FILTER,), {"source": PINNED})
    save_revisions(web.db, [new], author="ada", origin="cli")


def test_events_are_generated_and_a_seed_makes_them_again(web: Web) -> None:
    pinned(web)
    found = ask(web, generate=20)
    assert found["status"] == 200, found
    assert {one["outcome"] for one in found["results"]} == {"delivered", "filtered"}
    for one in found["results"]:
        assert (one["outcome"] == "delivered") == one["event"]["value"]["paid"]
    again = ask(web, generate=20, seed=found["seed"])
    assert [one["event"] for one in again["results"]] == [one["event"] for one in found["results"]]


def test_events_given_as_json_are_encoded_and_those_that_do_not_fit_fail(web: Web) -> None:
    pinned(web)
    found = ask(web, events=[{"value": {"id": 1, "paid": True}, "key": "k"}])
    assert [one["outcome"] for one in found["results"]] == ["delivered"]
    assert found["results"][0]["outputs"][0]["key"] == "k"
    both = ask(web, events=[{"value": {"id": 1, "paid": True}}, {"value": {"id": "x", "paid": True}}])
    assert [one["outcome"] for one in both["results"]] == ["delivered", "failed"]
    assert both["results"][1]["stage"] == "incoming_schema"
    assert both["results"][1]["error"]["path"] == "/id"


def test_without_a_schema_it_is_said_how_to_get_events(web: Web) -> None:
    save(web.db)
    refused = ask(web, generate=3)
    assert refused["status"] == 400
    assert "add `source.schema`, or take a sample" in refused["detail"]
    too_many = ask(web, generate=600, sample=600)
    assert too_many["status"] == 400
    assert "at most 1000" in too_many["detail"]
