from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from inflect.store.database import Database
from tests.integration.web.house import Web, served, settings_for


@pytest.fixture
def web(database: Database, database_url: str) -> Iterator[Web]:
    """The pages over a fresh database."""
    with served(settings_for(database_url), database) as running:
        yield running


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complained of: errors of scripts, breaches of the policy."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


@pytest.fixture
def chromium_without_scripts(chromium: Browser) -> Iterator[BrowserContext]:
    """A visitor whose browser runs no JavaScript."""
    context = chromium.new_context(java_script_enabled=False)
    yield context
    context.close()
