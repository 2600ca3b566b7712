"""The session's browser: the distribution's Chromium, driven through playwright, with no network but loopback."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")

# Off: what a browser asks the world by itself. And no other host resolves: a page that asks for one fails.
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--disable-dev-shm-usage",
)


def launch(playwright: Playwright) -> Browser:
    """The distribution's Chromium, quiet."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    assert path, "the page tests need Chromium: run them with `make test`, which installs it"
    flags = [*_QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return playwright.chromium.launch(executable_path=path, args=flags)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The running browser; take `page` or `browser_context` for one test."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def browser_context(chromium: Browser) -> Iterator[BrowserContext]:
    """A profile of its own, as a new visitor has."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(browser_context: BrowserContext) -> Page:
    """A blank page."""
    return browser_context.new_page()
