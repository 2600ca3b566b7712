"""How pages look: light and dark, narrow and wide, by keyboard; contrast is measured, not hoped for."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.web.house import Web, report, save

PIPELINE = "/pipelines/orders-clean"
PATHS = (
    "/",
    PIPELINE,
    f"{PIPELINE}/history",
    f"{PIPELINE}/edit",
    f"{PIPELINE}/rollback?revision=1",
    "/pipelines/new",
    f"{PIPELINE}/delete",
    f"{PIPELINE}/test",
    "/dead-letters",
    "/processors",
    "/topics",
    "/schemas",
    "/audit",
    "/settings",
)

# Contrast of every visible text against the nearest background that is painted (WCAG 2.2, 1.4.3).
FAINT = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1)
    return canvas.getImageData(0, 0, 1, 1).data
  }
  const light = (c) => [0, 1, 2].map((i) => c[i] / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor)
      if (c[3] === 255) return c
    }
    return rgb('white')
  }
  const faint = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x)
    const ratio = (a + 0.05) / (b + 0.05)
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${walker.currentNode.textContent.trim()}`)
  }
  return faint
}"""


def full(web: Web) -> None:
    """A database with something on every page."""
    save(web.db)
    save(web.db, expected=1, description="a long description " * 8)
    save(web.db, "a-pipeline-with-a-name-that-is-as-long-as-a-name-may-ever-be-63")
    report(web.db, consumed=123_456, lag=5)
    web.refresh()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(web: Web, chromium: Browser, scheme: str) -> None:
    full(web)
    context = chromium.new_context(color_scheme=scheme)  # type: ignore[arg-type]  # one of its literals
    page = context.new_page()
    for path in PATHS:
        page.goto(web.url + path)
        assert page.evaluate(FAINT) == [], f"{path} in {scheme}"
    context.close()


@pytest.mark.parametrize("width", [360, 720, 1024, 1280, 2560])
def test_no_page_scrolls_sideways(web: Web, chromium: Browser, width: int) -> None:
    full(web)
    context = chromium.new_context(viewport={"width": width, "height": 740})
    page = context.new_page()
    for path in PATHS:
        page.goto(web.url + path)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{path} is {over} px too wide at {width}"
    context.close()


def test_the_theme_follows_the_system_until_somebody_chooses(web: Web, chromium: Browser) -> None:
    context = chromium.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(web.url)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light").click()
    expect(page.get_by_role("button", name="Light", pressed=True)).to_be_visible()
    assert page.evaluate(ground) != dark
    page.goto(f"{web.url}/audit")
    assert page.evaluate(ground) != dark
    page.get_by_role("button", name="Auto").click()
    expect(page.get_by_role("button", name="Auto", pressed=True)).to_be_visible()
    assert page.evaluate(ground) == dark
    context.close()


def test_pages_can_be_used_by_keyboard(web: Web, page: Page) -> None:
    save(web.db)
    web.refresh()
    page.goto(web.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_be_visible()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").blur()
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_url(f"{web.url}/topics")


def test_the_first_page_asks_nobody_else(web: Web, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(web.url)
    expect(page.locator("#link")).to_have_text("live")
    assert len(asked) > 4
    assert all(url.startswith(web.url) for url in asked)
