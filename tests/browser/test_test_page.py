"""The test page in a real Chromium: where an event is filtered or fails is plain to see, with scripts and without."""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from inflect.model.processor import ProcessorVersion, content_hash
from inflect.model.schema import PinnedSchema, Schema
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, get_pipeline, history, save_revisions
from inflect.store.processors import record_versions
from tests.browser.test_looks import FAINT
from tests.integration.web.house import Web, served, settings_for

LOWER = """module.exports = (event, context) => {
  console.log('looking at', event.email)
  if (event.loop) while (true) {}
  return { ...event, email: event.email.toLowerCase() }
}"""
PAID = "module.exports = (event, context) => event.paid || context.filter('not paid yet')"
FILES = {"transformations/lower.js": LOWER, "filters/paid.js": PAID}
INCOMING = {"type": "object", "properties": {"id": {"type": "integer"}, "paid": {"type": "boolean"},
            "email": {"type": ["string", "null"]}}, "required": ["id", "paid", "email"]}  # fmt: skip
OUTGOING = {"type": "object", "properties": {"id": {"maximum": 100}}}
EVIL = "<img src=x onerror=\"document.title='owned'\"></textarea><script>document.title='owned'</script>\u202e"
PATH = "/pipelines/orders-clean/test"


def keep(db: Database, source: str = "orders", target: str = "orders-clean") -> None:
    """The pipeline as `apply` leaves it: two steps, a schema at each end."""
    versions = {
        path: ProcessorVersion(path, "filter" if "filters" in path else "transformation", path.split("/")[1][:-3],
                               content_hash(code), code, code)
        for path, code in FILES.items()
    }  # fmt: skip
    record_versions(db, versions, (), author="ada")
    document = {
        "name": "orders-clean",
        "source": {"topic": source, "schema": {"file": "in.json"}},
        "steps": [{"transformation": "lower"}, {"filter": "paid"}],
        "target": {"topic": target, "create": {}, "schema": {"file": "out.json"}},
        "dead_letter": f"{target}-dlq",
        "limits": {"timeout_ms": 200},
    }
    pins = {path: content_hash(code) for path, code in FILES.items()}
    schemas = {
        "source": PinnedSchema(Schema("json", json.dumps(INCOMING)), file="in.json"),
        "target": PinnedSchema(Schema("json", json.dumps(OUTGOING)), file="out.json"),
    }
    new = NewRevision("orders-clean", None, document, pins, tuple(FILES), schemas)  # type: ignore[arg-type]  # its sides
    save_revisions(db, [new], author="ada", origin="cli")


def event(**changes: object) -> str:
    return json.dumps({"id": 1, "paid": True, "email": "ADA@X.ORG", **changes})


def run(page: Page, value: str) -> None:
    page.get_by_label("Value of event 1").fill(value)
    page.get_by_role("button", name="Run", exact=True).click()


def test_each_way_an_event_can_end_is_plain_to_see(web: Web, page: Page, complaints: list[str]) -> None:
    keep(web.db)
    page.goto(web.url + PATH)
    page.evaluate("window.unchanged = true")
    run(page, event())
    expect(page.locator(".sentence")).to_have_text("Delivered to orders-clean")
    expect(page.locator(".diff .added")).to_contain_text('"email": "ada@x.org"')
    expect(page.locator(".logs")).to_contain_text("looking at ADA@X.ORG")
    run(page, event(paid=False))
    expect(page.locator(".sentence")).to_have_text("Filtered by paid: not paid yet")
    expect(page.locator(".walk .at-filtered")).to_contain_text("filtered here")
    expect(page.locator(".walk .at-skipped")).to_have_count(2)
    run(page, event(email=None))
    expect(page.locator(".sentence")).to_have_text("Failed in lower")
    expect(page.locator(".source-line")).to_have_text("return { ...event, email: event.email.toLowerCase() }")
    expect(page.locator(".error")).to_contain_text("transformations/lower.js:4:")
    assert page.evaluate("window.unchanged")
    assert complaints == []


def test_a_broken_schema_tells_path_and_rule_at_either_end(web: Web, page: Page) -> None:
    keep(web.db)
    page.goto(web.url + PATH)
    run(page, event(id="one"))
    expect(page.locator(".sentence")).to_have_text("Failed: it breaks the incoming schema")
    expect(page.locator(".stage.at-failed .facts")).to_contain_text("/id")
    run(page, event(id=101))
    expect(page.locator(".sentence")).to_have_text("Failed: what came out breaks the outgoing schema")
    expect(page.locator(".walk .at-failed")).to_contain_text("outgoing schema")
    expect(page.locator(".stage.at-failed .facts")).to_contain_text("properties/id/maximum")


def test_a_loop_without_an_end_ends_in_words(web: Web, page: Page) -> None:
    keep(web.db)
    page.goto(web.url + PATH)
    run(page, event(loop=True))
    expect(page.locator(".sentence")).to_have_text("Failed in lower", timeout=30_000)
    expect(page.locator(".error")).to_contain_text("timeout")
    expect(page.locator(".error")).to_contain_text("Look for a loop that does not end")
    run(page, event())
    expect(page.locator(".sentence")).to_have_text("Delivered to orders-clean")


def test_what_is_typed_wrong_is_marked_and_can_be_tried(web: Web, page: Page) -> None:
    keep(web.db)
    page.goto(web.url + PATH)
    page.get_by_label("Value of event 1").fill('{"id": }')
    expect(page.locator("#problem-0")).to_contain_text("No JSON")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".sentence")).to_have_text("Failed: it could not be read")
    expect(page.locator("#problem-0")).to_contain_text("line 1, column 8")
    page.get_by_label("Headers").fill("no colon")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("must be `name: value`")
    expect(page.get_by_label("Value of event 1")).to_have_value('{"id": }')


def test_events_are_added_and_removed_and_a_tombstone_skips_all(web: Web, page: Page) -> None:
    keep(web.db)
    page.goto(web.url + PATH)
    page.get_by_label("Value of event 1").fill(event())
    page.get_by_role("button", name="Add an event").click()
    page.get_by_label("The value is").nth(1).select_option("none")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".tally")).to_contain_text("2 events: 2 delivered")
    page.get_by_role("button", name="Remove event 1").click()
    expect(page.locator("fieldset.event")).to_have_count(1)
    expect(page.get_by_label("The value is")).to_have_value("none")


def test_without_javascript_the_same_form_does_it(web: Web, chromium_without_scripts: BrowserContext) -> None:
    keep(web.db)
    page = chromium_without_scripts.new_page()
    page.goto(web.url + PATH)
    page.get_by_label("Begin with", exact=True).fill("3")
    page.get_by_role("button", name="Generated from the schema").click()
    expect(page.locator("fieldset.event")).to_have_count(3)
    values = [page.get_by_label(f"Value of event {n}").input_value() for n in (1, 2, 3)]
    page.get_by_role("link", name="the same again").click()
    assert [page.get_by_label(f"Value of event {n}").input_value() for n in (1, 2, 3)] == values
    page.get_by_label("Value of event 1").fill(event(paid=False))
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".sentence").first).to_have_text("Filtered by paid: not paid yet")
    expect(page.locator(".result")).to_have_count(3)


def test_what_strangers_wrote_is_text(web: Web, page: Page, complaints: list[str]) -> None:
    keep(web.db)
    page.goto(web.url + PATH)
    run(page, event(email=f"{EVIL}A", **{EVIL: 1}))
    expect(page.locator(".sentence")).to_have_text("Delivered to orders-clean")
    expect(page.locator(".diff .added")).to_contain_text("<img src=x")
    assert "owned" not in page.title()
    assert page.locator("main img").count() == 0
    assert "\u202e" not in page.locator("#result").inner_text()
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_results_can_be_read_at_every_width(web: Web, chromium: Browser, scheme: str) -> None:
    keep(web.db)
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 360, "height": 740})  # type: ignore[arg-type]  # one of its literals
    page = context.new_page()
    page.goto(web.url + PATH)
    for value, outcome in ((event(), "Delivered"), (event(paid=False), "Filtered"), (event(email=None), "Failed")):
        run(page, value)
        expect(page.locator(".sentence")).to_contain_text(outcome)
        assert page.evaluate(FAINT) == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    context.close()


@pytest.fixture
def live(
    kafka: KafkaServer, topic_name: Callable[[str], str], database: Database, database_url: str
) -> Iterator[tuple[Web, str]]:
    """The page over a broker, and the name of the source topic."""
    source, target = topic_name("orders"), topic_name("clean")
    brokers = {"bootstrap.servers": kafka.bootstrap_servers}
    with Admin(brokers) as admin:
        admin.create_topics([NewTopicSpec(source, 1)])
    keep(database, source, target)
    with served(settings_for(database_url, brokers), database) as running:
        yield running, source


def test_a_real_event_becomes_a_test_of_the_pipeline(
    live: tuple[Web, str], page: Page, kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    web, source = live
    folder = tmp_path_factory.mktemp("repository")
    (folder / "in.json").write_text(json.dumps(INCOMING))
    (folder / "out.json").write_text(json.dumps(OUTGOING))
    monkeypatch.chdir(folder)
    producer = plain_producer({"bootstrap.servers": kafka.bootstrap_servers}, max_record_bytes=1_000_000)
    producer.produce(source, event(id=9007199254740993, paid=False).encode(), key=b"k", headers=[("trace", b"abc")])
    assert producer.flush(10) == 0
    page.goto(web.url + PATH)
    page.get_by_role("button", name="Latest of").click()
    expect(page.get_by_label("Key")).to_have_value("k")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Save as a test").click()
    page.get_by_role("button", name="Save the test").click()
    expect(page.get_by_role("alert")).to_contain_text("give the test a name")
    page.get_by_label("What it shows").fill("unpaid orders are filtered")
    page.get_by_label("Why, in a word").fill("seen in production")
    page.get_by_role("button", name="Save the test").click()
    expect(page.locator(".note.fine")).to_contain_text("Saved as a test: unpaid orders are filtered")
    (test,) = get_pipeline(web.db, "orders-clean").document["tests"]
    assert test["event"]["id"] == 9007199254740993
    assert (test["key"], test["headers"]) == ("k", {"trace": "abc"})
    assert test["expect"] == {"outcome": "filtered", "step": "paid", "reason": "not paid yet"}
    assert history(web.db, "orders-clean", limit=1)[0].comment == "seen in production"
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".expected")).to_contain_text("as test “unpaid orders are filtered” expects")
    run(page, event())
    expect(page.locator(".expected")).to_contain_text("not as test")
