"""The pages in a real Chromium: numbers move by themselves, buttons act, and all of it without a reload."""

from playwright.sync_api import BrowserContext, Page, expect

from inflect.store.database import Database
from inflect.store.pipelines import get_pipeline
from tests.integration.web.house import Web, report, save, served, settings_for

EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def test_numbers_change_without_a_reload(web: Web, page: Page, complaints: list[str]) -> None:
    save(web.db)
    report(web.db, consumed=100)
    page.goto(web.url)
    page.evaluate("window.unchanged = true")
    row = page.locator("#row-orders-clean")
    expect(row).to_contain_text("100")
    report(web.db, consumed=4321, lag=77)
    expect(row).to_contain_text("4,321")
    expect(row).to_contain_text("77")
    expect(page.locator("#link")).to_have_text("live")
    assert page.evaluate("window.unchanged")
    assert complaints == []


def test_nothing_moves_when_numbers_change(web: Web, page: Page) -> None:
    save(web.db)
    report(web.db, consumed=1)
    web.refresh()
    page.goto(web.url)
    cells = "Array.from(document.querySelectorAll('.fleet td'), (cell) => cell.getBoundingClientRect().x)"
    expect(page.locator("#link")).to_have_text("live")
    before = page.evaluate(cells)
    report(web.db, consumed=987_654_321, lag=123_456_789)
    expect(page.locator("#row-orders-clean")).to_contain_text("988 M")
    assert page.evaluate(cells) == before


def test_new_pipelines_appear_by_themselves_the_first_one_too(web: Web, page: Page) -> None:
    page.goto(web.url)
    expect(page.get_by_role("heading", name="No pipeline yet")).to_be_visible()
    save(web.db)
    expect(page.locator("#row-orders-clean")).to_be_visible()
    save(web.db, "second")
    expect(page.locator("#row-second")).to_be_visible()
    report(web.db, "second", consumed=777)
    expect(page.locator("#row-second")).to_contain_text("777")


def test_pause_and_resume_by_click(web: Web, page: Page, complaints: list[str]) -> None:
    save(web.db)
    report(web.db, consumed=10)
    page.goto(f"{web.url}/pipelines/orders-clean")
    page.evaluate("window.unchanged = true")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert get_pipeline(web.db, "orders-clean").paused
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert not get_pipeline(web.db, "orders-clean").paused
    assert page.evaluate("window.unchanged")
    assert complaints == []


def test_a_lost_connection_says_so_and_comes_back_by_itself(database: Database, database_url: str, page: Page) -> None:
    save(database)
    report(database, consumed=5)
    settings = settings_for(database_url)
    with served(settings, database) as web:
        port = web.client.base_url.port or 0
        page.goto(web.url)
        expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#link")).to_contain_text("last heard", timeout=20_000)
    report(database, consumed=555)
    with served(settings, database, port=port):
        expect(page.locator("#link")).to_have_text("live", timeout=20_000)
        expect(page.locator("#row-orders-clean")).to_contain_text("555")


def test_an_open_table_stays_open_while_its_numbers_change(web: Web, page: Page) -> None:
    save(web.db)
    report(web.db, consumed=10)
    page.goto(f"{web.url}/pipelines/orders-clean")
    page.get_by_text("As a table").first.click()
    report(web.db, consumed=5000)
    expect(page.locator(".figures").first).to_be_visible()
    expect(page.get_by_text("5,000").first).to_be_visible()
    assert page.locator("details[open]").count() == 1


def test_without_javascript_everything_works(web: Web, chromium_without_scripts: BrowserContext) -> None:
    save(web.db)
    report(web.db, consumed=42)
    web.refresh()
    page = chromium_without_scripts.new_page()
    page.goto(web.url)
    expect(page.locator("#row-orders-clean")).to_contain_text("42")
    page.get_by_role("link", name="orders-clean", exact=True).first.click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert get_pipeline(web.db, "orders-clean").paused
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_what_strangers_wrote_runs_nowhere(web: Web, page: Page) -> None:
    save(web.db, description=EVIL, source={"topic": EVIL}, labels={EVIL: EVIL})
    report(web.db, consumed=7)
    for path in ("/", "/pipelines/orders-clean", "/pipelines/orders-clean/history", "/topics", "/audit"):
        page.goto(web.url + path)
        assert "owned" not in page.title()
        assert page.locator("main img").count() == 0
        assert page.locator("script:not([src])").count() == 0
