"""Dead letters over HTTP: looked at, counted, redriven in a process of its own, refused with every fault."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.model.processor import ProcessorVersion, content_hash
from inflect.store import audit
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, save_revisions
from inflect.store.processors import record_versions
from inflect.web import dead_letters_api
from tests.integration.control.letterbox import BROKEN, ODD_FAIL, Letterbox, make
from tests.integration.web.house import Web, served, settings_for

PATH = "transformations/like.js"


@pytest.fixture
def box(kafka: KafkaServer, topic_name: Callable[[str], str], database: Database) -> Letterbox:
    """Twelve dead letters of a pipeline whose current revision likes half of them."""
    box = make(kafka.bootstrap_servers, topic_name)
    version = ProcessorVersion(PATH, "transformation", "like", content_hash(ODD_FAIL), ODD_FAIL, ODD_FAIL)
    record_versions(database, {PATH: version}, [], author="t")
    document = {
        "name": box.name,
        "source": {"topic": box.source},
        "steps": [{"transformation": "like"}],
        "target": {"topic": box.target},
        "dead_letter": box.dlq,
    }
    pins = {PATH: content_hash(ODD_FAIL)}
    save_revisions(database, [NewRevision(box.name, None, document, pins, (PATH,))], author="t", origin="cli")
    box.fail(box.revision(BROKEN), box.events(12))
    return box


@pytest.fixture
def web(box: Letterbox, database: Database, database_url: str) -> Iterator[Web]:
    with served(settings_for(database_url, box.kafka), database) as running:
        yield running


def path(box: Letterbox, rest: str) -> str:
    return f"/api/v1/pipelines/{box.name}/{rest}"


def redrive(web: Web, box: Letterbox, **body: Any) -> httpx.Response:
    return web.client.post(path(box, "redrive"), json=body, timeout=60)


def test_letters_are_listed_page_by_page_and_shown(web: Web, box: Letterbox) -> None:
    first = web.client.get(path(box, "dead-letters?limit=8"))
    assert first.status_code == 200, first.text
    second = web.client.get(first.links["next"]["url"])
    assert "next" not in second.links
    letters = [*first.json(), *second.json()]
    assert sorted(letter["origin"]["offset"] for letter in letters) == list(range(12))
    shown = web.client.get(path(box, f"dead-letters/{letters[0]['id']}")).json()
    assert shown["value"] == {"n": shown["origin"]["offset"]}
    (group,) = web.client.get(path(box, "dead-letters?group")).json()
    assert (group["count"], group["cause"]) == (12, letters[0]["cause"])
    assert web.client.get(path(box, "dead-letters?cause=00000000")).json() == []


def test_a_redrive_answers_with_what_became_of_the_letters(web: Web, box: Letterbox, database: Database) -> None:
    forecast = redrive(web, box, all=True, dry_run=True)
    assert forecast.json() == {"selected": 12, "delivered": 6, "filtered": 3, "failed": 3}
    letters = web.client.get(path(box, "dead-letters")).json()
    liked = next(letter["id"] for letter in letters if letter["origin"]["offset"] == 0)
    assert redrive(web, box, ids=[liked]).json() == {"selected": 1, "delivered": 1, "filtered": 0, "failed": 0}
    done = redrive(web, box, all=True)
    assert done.status_code == 200, done.text
    assert done.json()["selected"] == 11
    assert sorted(letter["attempt"] for letter in web.client.get(path(box, "dead-letters")).json()) == [2, 2, 2]
    assert len(web.client.get(path(box, "dead-letters?redriven")).json()) == 15
    actions = [(row.action, row.actor) for row in audit.recent(database, box.name)]
    assert actions[:4] == [(action, "web@127.0.0.1") for action in ("redriven", "redrive", "redriven", "redrive")]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, {""}),
        ({"all": True, "cause": "x"}, {""}),
        ({"all": "yes", "from": "target", "rate": 0, "dry_run": 1, "surprise": 1},
         {"all", "from", "rate", "dry_run", "surprise"}),
        ({"all": True, "rate": 1e12}, {"rate"}),
        ({"ids": "a:0:0"}, {"ids"}),
        ({"ids": [1]}, {"ids"}),
        ({"cause": 7}, {"cause"}),
    ],
)  # fmt: skip
def test_a_body_with_faults_is_refused_with_all_of_them(
    web: Web, box: Letterbox, body: dict[str, Any], paths: set[str]
) -> None:
    answer = redrive(web, box, **body)
    assert answer.status_code == 422
    assert {fault["path"] for fault in answer.json()["errors"]} == paths


def test_what_is_not_there_or_no_id_is_told(web: Web, box: Letterbox) -> None:
    assert web.client.get("/api/v1/pipelines/zebra/dead-letters").status_code == 404
    assert web.client.post("/api/v1/pipelines/zebra/redrive", json={"all": True}).status_code == 404
    assert web.client.get(path(box, f"dead-letters/{box.dlq}:0:999")).status_code == 404
    assert web.client.get(path(box, "dead-letters/nonsense")).status_code == 400
    assert web.client.get(path(box, "dead-letters?page=nonsense")).status_code == 400
    assert redrive(web, box, ids=["nonsense"]).status_code == 400


def test_too_many_redrives_at_once_are_refused(web: Web, box: Letterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters_api, "_running", threading.BoundedSemaphore(1))
    with dead_letters_api._running:
        answer = redrive(web, box, all=True)
    assert (answer.status_code, "running already" in answer.json()["detail"]) == (409, True)
    assert redrive(web, box, all=True, dry_run=True).status_code == 200
