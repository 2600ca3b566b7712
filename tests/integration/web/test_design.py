"""Designing over HTTP as a browser without scripts does it: forms are read from the page and sent back."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.store.database import Database
from inflect.store.pipelines import get_pipeline, history
from tests.integration.web.house import Web, document, save, served, settings_for

NEW = "/pipelines/new"
EVIL = "</textarea><script>document.title='owned'</script>\u202e"


class _Fields(HTMLParser):
    """What the form of a page would send."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._area = self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        name = given.get("name", "")
        if tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.fields[name] = given.get("value", "")
        elif tag == "textarea":
            self._area = name
            self.fields[name] = ""
        elif tag == "select":
            self._select = name
            self.fields[name] = ""
        elif tag == "option" and self._select and "selected" in given:
            self.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._area = "" if tag == "textarea" else self._area
        self._select = "" if tag == "select" else self._select

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data


def fields(answer: httpx.Response) -> dict[str, str]:
    """The fields of a page, its own form's; a textarea's first line break is no part of it."""
    reader = _Fields()
    reader.feed(answer.text)
    return {key: value.removeprefix("\n") for key, value in reader.fields.items() if key not in ("theme", "next")}


def send(web: Web, path: str, answer: httpx.Response, **changed: str) -> httpx.Response:
    return web.client.post(path, data=fields(answer) | changed)


@pytest.fixture
def orders(kafka: KafkaServer, topic_name: Callable[[str], str]) -> str:
    """A topic with three partitions."""
    name = topic_name("orders")
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        admin.create_topics([NewTopicSpec(name, 3)])
    return name


@pytest.fixture
def here(database: Database, database_url: str, kafka: KafkaServer) -> Iterator[Web]:
    """The pages over a fresh database, with a broker."""
    with served(settings_for(database_url, {"bootstrap.servers": kafka.bootstrap_servers}), database) as running:
        yield running


def existing(web: Web, orders: str, **more: Any) -> None:
    save(web.db, source={"topic": orders}, target={"topic": f"{orders}-clean", "create": {}}, **more)


def test_a_pipeline_is_made_step_by_step_and_saved_with_a_word_why(here: Web, orders: str) -> None:
    existing(here, orders)  # brings the processor
    page = here.client.get(NEW)
    assert fields(page)["file"] == ""
    page = send(here, NEW, page, **{"name": "second", "source.topic": orders})
    assert "3 partitions" in page.text
    page = send(here, NEW, page, edit="add", add="filters/only-paid")
    page = send(
        here, NEW, page, **{"target.topic": f"{orders}-2", "target.create": "yes", "dead_letter": f"{orders}-d"}
    )
    assert "It can be saved" in page.text
    page = send(here, NEW, page, do="review")
    assert f'Topic <span class="data">{orders}-2</span> is made' in page.text
    saved = send(here, NEW, page, do="save", comment="because")
    assert (saved.status_code, saved.headers["location"]) == (303, "/pipelines/second")
    row = history(here.db, "second")[0]
    assert (row.comment, row.origin) == ("because", "web")
    assert row.document == {
        "name": "second",
        "source": {"topic": orders},
        "steps": [{"filter": "only-paid"}],
        "target": {"topic": f"{orders}-2", "create": {}},
        "dead_letter": f"{orders}-d",
    }


def test_all_problems_are_told_at_once_beside_their_fields(here: Web, orders: str) -> None:
    source = f"source: {{topic: {orders}x}}"
    text = f"name: Bad Name\n{source}\nsteps: [{{filter: none}}]\ntarget: {{topic: t}}\nworkers: {{min: two}}"
    page = here.client.post(NEW, data={"file": text, "do": "review"})
    assert page.status_code == 422
    for field in ("name", "source-topic", "steps-0-processor", "target-topic", "workers-min"):
        assert f'id="{field}-wrong"' in page.text, field
    assert "5 problems" in page.text


def test_an_edit_touches_what_was_edited_and_shows_the_difference_first(here: Web, orders: str) -> None:
    existing(here, orders, labels={"team": "a"}, tests=[{"name": "t", "event": 1, "expect": {"outcome": "failed"}}])
    path = "/pipelines/orders-clean/edit"
    page = send(here, path, here.client.get(path), description="new\r\nlines", do="review")
    assert "description: new\nlines" in page.text
    assert get_pipeline(here.db, "orders-clean").revision == 1
    assert send(here, path, page, do="save").status_code == 303
    stored = get_pipeline(here.db, "orders-clean")
    assert stored.revision == 2
    before = document(source={"topic": orders}, target={"topic": f"{orders}-clean", "create": {}})
    more = {"labels": {"team": "a"}, "tests": [{"name": "t", "event": 1, "expect": {"outcome": "failed"}}]}
    assert stored.document == before | more | {"description": "new\nlines"}
    again = send(here, path, here.client.get(path), do="review")
    assert "There is nothing to save" in again.text


def test_whoever_was_faster_is_named_and_nothing_is_overwritten_unasked(here: Web, orders: str) -> None:
    existing(here, orders)
    path = "/pipelines/orders-clean/edit"
    review = send(here, path, here.client.get(path), description="mine", do="review")
    target = {"topic": f"{orders}-clean", "create": {}}
    save(here.db, expected=1, source={"topic": orders}, target=target, description="theirs")
    page = send(here, path, review, do="save")
    assert page.status_code == 409
    assert "ada saved revision 2 meanwhile" in page.text
    assert "description: theirs" in page.text
    assert get_pipeline(here.db, "orders-clean").document["description"] == "theirs"
    page = send(here, path, page, edit="rebase")
    assert send(here, path, send(here, path, page, do="review"), do="save").status_code == 303
    assert get_pipeline(here.db, "orders-clean").document["description"] == "mine"


def test_a_pipeline_that_was_deleted_meanwhile_is_not_made_again_by_itself(here: Web, orders: str) -> None:
    existing(here, orders)
    path = "/pipelines/orders-clean/edit"
    page = here.client.get(path)
    here.client.post("/pipelines/orders-clean/delete", data={"confirm": "orders-clean"})
    page = send(here, path, page, description="mine", do="save")
    assert page.status_code == 409
    assert "deleted this pipeline meanwhile" in page.text
    assert fields(page)["description"] == "mine"


def test_a_name_that_is_taken_is_refused_and_one_that_exists_cannot_be_changed(here: Web, orders: str) -> None:
    existing(here, orders)
    text = fields(here.client.get("/pipelines/orders-clean/edit"))["file"]
    taken = here.client.post(NEW, data={"file": text, "do": "save"})
    assert taken.status_code == 422
    assert "there is a pipeline orders-clean already" in taken.text
    path = "/pipelines/orders-clean/edit"
    renamed = send(here, path, here.client.get(path), name="other", do="save")
    assert "a name cannot be changed" in renamed.text
    assert get_pipeline(here.db, "orders-clean").revision == 1


def test_a_file_that_cannot_be_read_keeps_its_text_and_every_change_of_the_fields(here: Web, orders: str) -> None:
    existing(here, orders)
    path = "/pipelines/orders-clean/edit"
    page = here.client.get(path)
    broken = fields(page)["file"] + "labels: [\n"
    page = send(here, path, page, file=broken, description="typed")
    assert fields(page)["file"] == broken
    assert fields(page)["description"] == "typed"
    assert "The file cannot be read" in page.text
    assert re.search(r'id="file-wrong">line \d+, column \d+: ', page.text)
    page = send(here, path, page, file=broken.replace("labels: [", "labels: {a: b}"))
    assert "description: typed" in fields(page)["file"]
    assert "a: b" in fields(page)["file"]


def test_without_a_broker_the_form_works_and_says_what_could_not_be_checked(web: Web) -> None:
    save(web.db)
    page = web.client.get("/pipelines/orders-clean/edit")
    page = send(web, "/pipelines/orders-clean/edit", page, description="x", do="save")
    assert "Not everything could be checked" in page.text
    assert fields(page)["description"] == "x"
    assert get_pipeline(web.db, "orders-clean").revision == 1


@pytest.mark.parametrize(
    "text", ["[]", "a: b\n---\nc: d", "steps: {a: 1}", "source: 3\ntarget: [1]", 'name: "\\0"', EVIL]
)
def test_a_file_of_any_kind_draws_a_form(here: Web, text: str) -> None:
    page = here.client.post(NEW, data={"file": text, "add": EVIL})
    assert page.status_code == 200
    assert "<script>document" not in page.text


def test_hostile_words_stay_words_on_their_way_through_form_and_file(here: Web) -> None:
    save(here.db, description=EVIL, labels={"a": EVIL}, steps=[{"filter": "only-paid", "params": {"x": EVIL}}])
    page = here.client.get("/pipelines/orders-clean/edit")
    assert "<script>document" not in page.text
    assert fields(page)["description"] == EVIL
    again = send(here, "/pipelines/orders-clean/edit", page, dead_letter="x")
    assert fields(again)["description"] == EVIL


def test_the_first_page_ticks_what_is_done_and_leads_to_the_form(here: Web, orders: str) -> None:
    page = here.client.get("/").text
    assert orders
    assert page.count('<li class="done">') == 1
    assert page.count('<li class="open">') == 2
    assert f'href="{NEW}"' in page
    existing(here, orders)
    here.refresh()
    assert "No pipeline yet" not in here.client.get("/").text
