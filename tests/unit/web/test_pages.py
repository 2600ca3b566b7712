"""Pages drawn from sample rows: what they say, and that nothing a stranger wrote becomes markup."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from inflect.errors import UnreachableError
from inflect.model.event import Counts
from inflect.web.overview import Reading
from tests.unit.web.samples import (
    EVIL,
    NOON,
    audit_row,
    pipeline_row,
    progress_row,
    reading,
    served,
    worker_row,
)


def seen(look: Callable[[], Reading], path: str = "/") -> str:
    with served(look) as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_dashboard_shows_a_row_per_pipeline() -> None:
    text = seen(lambda: reading(("clicks", "orders-clean")))
    for part in ('id="row-clicks"', 'id="row-orders-clean"', "All is well: 2 running", "balance"):
        assert part in text


def test_the_dashboard_finds_by_topic_and_says_when_nothing_matches() -> None:
    assert 'id="row-clicks"' in seen(lambda: reading(("clicks",)), "/?q=ORDERS-clean")
    assert "No pipeline matches" in seen(lambda: reading(("clicks",)), "/?q=zebra")


def test_sorting_lives_in_the_url() -> None:
    look = lambda: Reading(  # noqa: E731  a look is a function
        NOON,
        [pipeline_row("aa"), pipeline_row("bb")],
        [],
        [progress_row("aa", end=1001), progress_row("bb", end=9000)],
        [],
    )
    text = seen(look, "/?sort=lag")
    assert text.index('id="row-bb"') < text.index('id="row-aa"')


def test_without_a_pipeline_the_first_step_is_shown() -> None:
    assert "inflect apply" in seen(lambda: reading(()))


def test_books_that_do_not_balance_are_loud() -> None:
    look = lambda: replace(reading(), progress=[progress_row(counts=Counts(10, 7, 1, 0, 0))])  # noqa: E731  the same
    text = seen(look)
    assert "unaccounted" in text
    assert "has books that do not balance" in text


def away() -> Reading:
    raise UnreachableError("PostgreSQL at db:5432 cannot be reached")


def test_without_postgres_the_dashboard_says_so_and_what_runs_on() -> None:
    text = seen(away)
    assert "PostgreSQL does not answer." in text
    assert "Pipelines run on with the revision they have" in text


@pytest.mark.parametrize("path", ["/processors", "/topics", "/audit", "/pipelines/x/history", "/pipelines/x/delete"])
def test_pages_that_need_postgres_answer_503_and_say_what_to_do(path: str) -> None:
    with served(away) as client:
        answer = client.get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "Try again when the server is back" in answer.text


def test_an_unknown_address_is_a_page_and_for_the_api_a_problem() -> None:
    with served() as client:
        assert client.get("/nothing").status_code == 404
        problem = client.get("/api/v1/nothing")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == 404


def test_an_unknown_pipeline_is_not_found() -> None:
    with served() as client:
        assert client.get("/pipelines/zebra").status_code == 404


def evil(**changes: Any) -> Reading:
    document = {
        "name": "orders-clean",
        "description": EVIL,
        "source": {"topic": EVIL},
        "steps": [{"transformation": EVIL}],
        "target": {"topic": EVIL},
        "labels": {EVIL: EVIL},
    }
    row = pipeline_row(document=document, state="stopped", reason=EVIL, author=EVIL, **changes)
    worker = worker_row(detail=EVIL, host=EVIL)
    return Reading(NOON, [row], [worker], [progress_row()], [audit_row(actor=EVIL, subject=EVIL, detail={EVIL: EVIL})])


def test_what_strangers_wrote_is_shown_as_text() -> None:
    text = seen(evil)
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert '" onload=' not in text


def test_no_page_holds_an_inline_script_style_or_handler() -> None:
    text = seen(reading)
    assert not re.search(r"<script(?![^>]* src=)", text)
    assert "<style" not in text
    assert not re.search(r"<[^>]+ (on[a-z]+|style)=", text)


def test_the_theme_is_remembered_without_a_script() -> None:
    with served() as client:
        assert "data-theme" not in client.get("/").text
        client.post("/theme", data={"theme": "dark", "next": "/"})
        assert 'data-theme="dark"' in client.get("/").text
        client.post("/theme", data={"theme": "", "next": "/"})
        assert "data-theme" not in client.get("/").text


def test_the_settings_page_shows_no_secret() -> None:
    with served() as client:
        assert "127.0.0.1:5432" in client.get("/settings").text


def test_alive_does_not_depend_on_anything() -> None:
    with served(away) as client:
        assert client.get("/healthz").text == "ok\n"
