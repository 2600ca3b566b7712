"""The test page and the dead letter pages as answers: what is away or wrong is told soon, and nothing typed is lost."""

import time

from inflect.store.pipelines import get_pipeline
from inflect.web import test_page as handlers
from inflect.web.event_forms import EventFields
from tests.integration.web.house import Web, save

PATH = "/pipelines/orders-clean/test"


def post(web: Web, *, htmx: bool = False, **fields: str) -> tuple[int, str]:
    typed = {
        "value-0": '{"paid": true}',
        "kind-0": "text",
        **{key.replace("_", "-"): text for key, text in fields.items()},
    }
    answer = web.client.post(PATH, data=typed, headers={"HX-Request": "true"} if htmx else {}, timeout=60)
    return answer.status_code, answer.text


def test_a_broker_that_is_away_is_told_before_long(web: Web) -> None:
    save(web.db)
    begun = time.monotonic()
    status = {path: web.client.get(f"/pipelines/orders-clean/{path}") for path in ("dead-letters", "test?from=latest")}
    assert time.monotonic() - begun < 8
    assert status["dead-letters"].status_code == 503
    assert "Kafka does not answer" in status["dead-letters"].text
    assert status["test?from=latest"].status_code == 200
    assert "These events could not be had." in status["test?from=latest"].text


def test_an_event_runs_without_a_broker(web: Web) -> None:
    save(web.db)
    status, text = post(web)
    assert status == 200
    assert "Delivered to orders-clean" in text


def test_what_cannot_run_is_refused_and_kept(web: Web) -> None:
    save(web.db)
    status, text = post(web, headers_0="nonsense & <more>")
    assert status == 422
    assert "nonsense &amp; &lt;more&gt;</textarea>" in text
    assert post(web, htmx=True, headers_0="nonsense")[0] == 200


def test_an_event_that_changed_after_it_ran_is_not_saved(web: Web) -> None:
    save(web.db)
    status, text = post(web, save="0", name_0="a test", tried_0="0" * 16)
    assert status == 200
    assert "the event was changed after it ran" in text
    assert "tests" not in get_pipeline(web.db, "orders-clean").document


def test_what_a_file_cannot_hold_is_not_saved(web: Web) -> None:
    save(web.db)
    event = EventFields(value="{", kind="text")
    _, text = post(web, value_0="{", save="0", name_0="a test", tried_0=event.mark)
    assert "a pipeline file cannot hold this value" in text
    assert 'value="a test"' in text


def test_too_many_tests_at_once_are_refused(web: Web) -> None:
    save(web.db)
    taken = [handlers._running.acquire(blocking=False) for _ in range(handlers.MOST_AT_ONCE)]
    try:
        assert all(taken)
        assert "tests are running on this server already" in post(web)[1]
    finally:
        for _ in taken:
            handlers._running.release()
    assert "Delivered to orders-clean" in post(web)[1]


def test_pipelines_that_are_not_there(web: Web) -> None:
    for path in ("/pipelines/zebra/test", "/pipelines/zebra/redrives/x"):
        assert web.client.get(path).status_code == 404
    assert web.client.post("/pipelines/zebra/test", data={"value-0": "1"}).status_code == 404
