"""The pictures in the docs: `make pictures` runs the demo for a while and looks at it.

Not a test; its output is committed.
"""

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.plugins.chromium import launch

DOCS = Path(__file__).parents[2] / "docs"
RUN_S = 100
SIZE = {"width": 1280, "height": 760}
PAGES = {"dashboard": "/", "pipeline": "/pipelines/sensor-readings"}


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """The demo under load; its address."""
    command = [sys.executable, "-m", "inflect", "--data-dir", str(folder), "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
        finally:
            process.terminate()


def look(browser: Browser, address: str) -> None:
    """One picture a page and colour scheme."""
    for scheme in ("light", "dark"):
        with browser.new_context(viewport=SIZE, color_scheme=scheme) as context:  # type: ignore[arg-type]  # a literal
            page = context.new_page()
            for name, path in PAGES.items():
                page.goto(address + path)
                page.wait_for_timeout(3000)
                suffix = "" if scheme == "light" else "-dark"
                page.screenshot(path=DOCS / f"{name}{suffix}.png")


def main() -> None:
    """Make all pictures."""
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, demo(Path(folder)) as address, sync_playwright() as driver:
        threading.Event().wait(RUN_S)  # the charts show some minutes; an empty one explains nothing
        browser = launch(driver)
        look(browser, address)
        browser.close()


if __name__ == "__main__":
    main()
