from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from inflect.embedded.postgres import PostgresServer
from inflect.kafka.admin import TopicInfo
from inflect.store.audit import recent
from inflect.store.pipelines import get_pipeline
from inflect.store.topics import save_topics
from tests.integration.web.house import FILTER, Web, report, save
from tests.waiting import eventually


def test_the_pages_of_a_running_pipeline_answer(web: Web) -> None:
    save(web.db)
    save(web.db, expected=1, description="changed")
    report(web.db, consumed=1000, lag=20)
    save_topics(web.db, [TopicInfo("orders", 4, internal=False, topic_id="x")])
    web.refresh()
    page = web.client.get("/pipelines/orders-clean").text
    for part in ("Books balance", "only-paid", "4711", "28 MB", "inflect show orders-clean", "r2"):
        assert part in page
    history = web.client.get("/pipelines/orders-clean/history").text
    assert "description: changed" in history
    back = web.client.get("/pipelines/orders-clean/rollback", params={"revision": 1}).text
    assert "inflect rollback orders-clean 1" in back
    assert "orders-clean" in web.client.get("/processors").text
    assert "event.paid" in web.client.get(f"/processors/{FILTER}").text
    assert "orders-dlq" in web.client.get("/topics").text
    assert "created" in web.client.get("/audit").text


def test_pause_and_resume_by_plain_forms_are_rows_and_audit_lines(web: Web) -> None:
    save(web.db)
    answer = web.client.post("/pipelines/orders-clean/pause")
    assert (answer.status_code, answer.headers["location"]) == (303, "/pipelines/orders-clean")
    assert get_pipeline(web.db, "orders-clean").paused
    assert "Resume" in web.client.get("/pipelines/orders-clean").text
    web.client.post("/pipelines/orders-clean/resume")
    assert not get_pipeline(web.db, "orders-clean").paused
    actions = [row.action for row in recent(web.db, "orders-clean")]
    assert actions[:2] == ["resumed", "paused"]
    assert recent(web.db, "orders-clean")[0].actor == "web@127.0.0.1"


def test_a_pipeline_is_deleted_only_when_its_name_was_typed(web: Web) -> None:
    save(web.db)
    assert "stay with the broker" in web.client.get("/pipelines/orders-clean/delete").text
    refused = web.client.post("/pipelines/orders-clean/delete", data={"confirm": "orders"})
    assert refused.status_code == 422
    assert "nothing was deleted" in refused.text
    done = web.client.post("/pipelines/orders-clean/delete", data={"confirm": "orders-clean"})
    assert done.status_code == 303
    assert web.client.get("/pipelines/orders-clean").status_code == 404


@pytest.mark.parametrize("verb", ["pause", "resume", "delete"])
def test_another_site_changes_nothing(web: Web, verb: str) -> None:
    save(web.db)
    headers = {"sec-fetch-site": "cross-site"}
    answer = web.client.post(f"/pipelines/orders-clean/{verb}", headers=headers, data={"confirm": "orders-clean"})
    assert answer.status_code == 403
    assert not get_pipeline(web.db, "orders-clean").paused


def test_metrics_are_those_of_the_store(web: Web) -> None:
    save(web.db)
    report(web.db, consumed=10)
    answer = web.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'inflect_unaccounted_events{pipeline="orders-clean"} 0.0' in answer.text


def test_ready_names_the_broker_that_is_away(web: Web) -> None:
    answer = web.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "ok"
    assert answer.json()["kafka"] != "ok"


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """The server and all its processes stand still."""
    processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def test_a_database_that_hangs_is_not_ready_and_is_again_when_it_goes_on(web: Web, postgres: PostgresServer) -> None:
    web.client.get("/")
    with frozen(postgres):
        silent = eventually(lambda: trouble_of(web), within_s=30, why="silence is told")
    assert "has not answered for" in silent or "cannot reach" in silent
    eventually(lambda: not trouble_of(web), within_s=30, why="it goes on by itself")


def trouble_of(web: Web) -> str:
    word: str = web.client.get("/readyz").json()["database"]
    return "" if word == "ok" else word
