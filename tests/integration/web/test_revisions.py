"""Revisions over the web: what a rollback would change is shown before it happens, and what was confirmed is done."""

from inflect.store.pipelines import get_pipeline
from tests.integration.web.house import Web, save

ROLLBACK = "/pipelines/orders-clean/rollback"


def test_a_rollback_shows_what_it_changes_and_makes_a_new_revision(web: Web) -> None:
    save(web.db)
    save(web.db, expected=1, description="worse")
    history = web.client.get("/pipelines/orders-clean/history").text
    assert f'href="{ROLLBACK}?revision=1"' in history
    assert f'href="{ROLLBACK}?revision=2"' not in history
    asked = web.client.get(ROLLBACK, params={"revision": 1}).text
    assert "description: worse" in asked
    done = web.client.post(ROLLBACK, data={"revision": 1, "expected": 2})
    assert (done.status_code, done.headers["location"]) == (303, "/pipelines/orders-clean")
    now = get_pipeline(web.db, "orders-clean")
    assert (now.revision, now.origin) == (3, "rollback")
    assert "description" not in now.document


def test_a_rollback_that_was_confirmed_against_an_older_revision_changes_nothing(web: Web) -> None:
    save(web.db)
    save(web.db, expected=1, description="worse")
    save(web.db, expected=2, description="meanwhile")
    done = web.client.post(ROLLBACK, data={"revision": 1, "expected": 2})
    assert get_pipeline(web.db, "orders-clean").revision == 3
    again = web.client.get(done.headers["location"]).text
    assert "Somebody else made revision 3 meanwhile" in again


def test_there_is_no_way_back_to_what_never_was(web: Web) -> None:
    save(web.db)
    assert web.client.get(ROLLBACK, params={"revision": 9}).status_code == 404
    assert web.client.get(ROLLBACK, params={"revision": "x"}).status_code == 404
    assert web.client.post(ROLLBACK, data={"revision": "", "expected": 1}).status_code == 404
    assert get_pipeline(web.db, "orders-clean").revision == 1
