"""Dead letters in a real Chromium: counted by cause, told one by one, tried and redriven."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from inflect.embedded.kafka import KafkaServer
from inflect.model.event import Record
from inflect.model.processor import ProcessorVersion, content_hash
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, save_revisions
from inflect.store.processors import record_versions
from tests.browser.test_looks import FAINT
from tests.integration.control.letterbox import ODD_FAIL, Letterbox, make
from tests.integration.web.house import Web, report, served, settings_for

FILE = "transformations/like.js"
BROKEN = "module.exports = (event) => {\n  return event.customer.name\n}"
REJECTS = "module.exports = (event, context) => context.reject('no such customer')"
EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture
def box(kafka: KafkaServer, topic_name: Callable[[str], str], database: Database) -> Letterbox:
    """Twelve letters of one cause and three of another; the current revision likes half of them."""
    box = make(kafka.bootstrap_servers, topic_name)
    pins = {}
    for number, code in enumerate((BROKEN, ODD_FAIL)):
        version = ProcessorVersion(FILE, "transformation", "like", content_hash(code), code, code)
        record_versions(database, {FILE: version}, [], author="t")
        pins = {FILE: content_hash(code)}
        document = {
            "name": box.name,
            "source": {"topic": box.source},
            "steps": [{"transformation": "like"}],
            "target": {"topic": box.target},
            "dead_letter": box.dlq,
        }
        new = NewRevision(box.name, number or None, document, pins, (FILE,))
        save_revisions(database, [new], author="t", origin="cli")
    box.fail(box.revision(BROKEN), box.events(12))
    box.fail(box.revision(REJECTS), box.events(3, first=100))
    return box


@pytest.fixture
def web(box: Letterbox, database: Database, database_url: str) -> Iterator[Web]:
    report(database, box.name, consumed=20)
    with served(settings_for(database_url, box.kafka), database) as running:
        yield running


def test_from_a_cause_to_the_line_that_failed(web: Web, box: Letterbox, page: Page, complaints: list[str]) -> None:
    page.goto(f"{web.url}/pipelines/{box.name}")
    page.get_by_role("link", name="Dead letters", exact=True).last.click()
    expect(page.get_by_text("15 open, of 2 causes")).to_be_visible()
    rows = page.locator("table.causes tbody tr")
    expect(rows.nth(0)).to_contain_text("12")
    expect(rows.nth(1)).to_contain_text("no such customer")
    rows.nth(0).get_by_role("link").first.click()
    expect(page.locator("table.letters tbody tr")).to_have_count(12)
    page.locator("table.letters a").first.click()
    expect(page.locator(".walk .at-failed")).to_contain_text("like")
    expect(page.locator(".excerpt .here")).to_contain_text("return event.customer.name")
    expect(page.locator("main")).to_contain_text("key-")
    page.get_by_role("link", name="Try it on the test page").click()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".walk")).to_be_visible()
    assert complaints == []


def test_a_dry_run_and_then_the_redrive(web: Web, box: Letterbox, page: Page, complaints: list[str]) -> None:
    page.goto(f"{web.url}/pipelines/{box.name}/dead-letters")
    page.get_by_role("link", name="Redrive all 15").click()
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator(".run-word")).to_contain_text("done", timeout=30_000)
    told = page.locator(".run").inner_text()
    assert box.numbers(box.target) == []
    page.get_by_role("button", name="Redrive 15 events").click()
    expect(page.locator(".run-word")).to_contain_text("done", timeout=30_000)
    assert page.locator(".run dd").all_inner_texts() == [word for word in told.split() if word.isdecimal()][1:]
    delivered = int(page.locator(".run dd").first.inner_text())
    assert len(box.numbers(box.target)) == delivered > 0
    page.get_by_role("link", name="To the dead letters").click()
    expect(page.get_by_text(" open, of 1 cause")).to_be_visible()
    page.get_by_role("link", name="With those that were redriven").click()
    expect(page.locator("table.letters")).to_contain_text("delivered")
    assert complaints == []


def test_chosen_letters_are_redriven_without_javascript(
    web: Web, box: Letterbox, chromium_without_scripts: BrowserContext
) -> None:
    page = chromium_without_scripts.new_page()
    page.goto(f"{web.url}/pipelines/{box.name}/dead-letters")
    page.get_by_role("button", name="Redrive the chosen").click()
    expect(page.get_by_role("alert")).to_contain_text("choose which events")
    page.go_back()
    for n in (0, 1):
        page.get_by_role("checkbox").nth(n).check()
    page.get_by_role("button", name="Redrive the chosen").click()
    page.get_by_role("button", name="Redrive 2 events").click()
    expect(page.locator(".run-word")).to_contain_text("done", timeout=30_000)
    expect(page.locator(".run-word")).to_contain_text("2 events redriven")


def test_a_redrive_can_be_stopped_and_goes_on_later(web: Web, box: Letterbox, page: Page) -> None:
    page.goto(f"{web.url}/pipelines/{box.name}/dead-letters/redrive?all=1")
    page.get_by_label("At most so many a second").fill("1")
    page.get_by_role("button", name="Redrive 15 events").click()
    page.get_by_role("button", name="Stop after this batch").click()
    expect(page.locator(".run-word")).to_contain_text("ended early", timeout=30_000)
    expect(page.get_by_role("alert")).to_contain_text("still open")
    page.get_by_role("link", name="To the dead letters").click()
    expect(page.get_by_text(" open, of ")).to_be_visible()


def test_what_strangers_wrote_is_text(web: Web, box: Letterbox, page: Page, complaints: list[str]) -> None:
    headers = [
        ("inflect.error.pipeline", box.name.encode()), ("inflect.error.stage", b"step"),
        ("inflect.error.step", EVIL.encode()),
        ("inflect.error.kind", b"exception"), ("inflect.error.message", EVIL.encode()), (EVIL, EVIL.encode()),
        ("inflect.error.location", b"../../etc/passwd:1:1"), ("inflect.error.revision", b"2"),
    ]  # fmt: skip
    box.write([Record(box.dlq, EVIL.encode(), EVIL.encode(), headers, -1)])
    page.goto(f"{web.url}/pipelines/{box.name}/dead-letters")
    page.locator("table.letters a", has_text="<img").click()
    expect(page.locator("main")).to_contain_text("<script>document.title='owned'</script>")
    assert "owned" not in page.title()
    assert page.locator("main img").count() == 0
    assert complaints == []


def test_what_is_not_there_is_told(web: Web, box: Letterbox, page: Page) -> None:
    for path, words in {
        f"dead-letters/{box.dlq}:0:999": "retention may have removed it",
        "redrives/nobody": "is not known here any more",
        "dead-letters?cause=00000000": "No open letter of this cause",
    }.items():
        page.goto(f"{web.url}/pipelines/{box.name}/{path}")
        expect(page.locator("main")).to_contain_text(words)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_at_every_width(web: Web, box: Letterbox, chromium: Browser, scheme: str) -> None:
    letter = f"dead-letters/{box.ids()[0]}"
    pages = ("dead-letters", "dead-letters?redriven", letter, "dead-letters/redrive?all=1")
    for width in (360, 1440):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 740})  # type: ignore[arg-type]  # one of its literals
        page = context.new_page()
        for path in ("/dead-letters", *(f"/pipelines/{box.name}/{path}" for path in pages)):
            page.goto(web.url + path)
            assert page.evaluate(FAINT) == [], f"{path} in {scheme}"
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, f"{path} at {width}"
        context.close()
