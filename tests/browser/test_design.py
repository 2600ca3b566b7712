"""Designing in a real Chromium: from the empty page to a saved pipeline, the file in step, steps moved three ways."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.model.processor import ProcessorKind, ProcessorVersion, content_hash
from inflect.store.database import Database
from inflect.store.pipelines import get_pipeline, history
from inflect.store.processors import record_versions
from tests.browser.test_looks import FAINT
from tests.e2e.traffic import Broker, Event
from tests.integration.web.house import Web, served, settings_for

PARAMS = {
    "type": "object",
    "properties": {"minimum": {"type": "number", "title": "Minimum"}, "mode": {"enum": ["loose", "strict"]}},
    "additionalProperties": False,
}
SHOUT = "module.exports = (event) => ({ ...event, word: `${event.word.toLowerCase()}!` })"


@pytest.fixture
def orders(kafka: KafkaServer, topic_name: Callable[[str], str]) -> str:
    """A topic with three partitions."""
    name = topic_name("orders")
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        admin.create_topics([NewTopicSpec(name, 3)])
    return name


@pytest.fixture
def here(database: Database, database_url: str, kafka: KafkaServer) -> Iterator[Web]:
    """The pages with a broker and four processors, no pipeline yet."""
    files = {}
    kinds: dict[str, ProcessorKind] = {
        "only-paid": "filter",
        **dict.fromkeys(("lower", "mask", "shout"), "transformation"),
    }
    for name, kind in kinds.items():
        source = SHOUT if name == "shout" else f"module.exports = (event) => event.paid // {name}"
        path = f"{kind}s/{name}.js"
        params = PARAMS if kind == "filter" else None
        files[path] = ProcessorVersion(
            path, kind, name, content_hash(source), source, source, title=f"The {name} one", params=params
        )
    record_versions(database, files, (), author="ada")
    with served(settings_for(database_url, {"bootstrap.servers": kafka.bootstrap_servers}), database) as running:
        yield running


def test_from_the_empty_page_to_a_pipeline(here: Web, orders: str, page: Page, complaints: list[str]) -> None:
    page.goto(here.url)
    page.get_by_role("link", name="Design a pipeline").click()
    page.get_by_label("Name", exact=False).first.fill("orders-clean")
    page.locator("#source-topic").fill(orders)
    expect(page.locator("#source-topic-hint")).to_have_text("3 partitions")
    page.get_by_label("Add a step").fill("filters/only-paid")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_label("Step 1", exact=True)).to_have_value("filters/only-paid")
    expect(page.locator("#steps-0-processor-hint")).to_have_text("The only-paid one")
    page.get_by_label("Minimum").fill("many")
    expect(page.locator("#steps-0-param-0-wrong")).to_contain_text("is not of type")
    steps = "steps:\n  - filter: only-paid\n    params:\n      minimum: many\n"
    expect(page.locator("#file")).to_have_value(f"name: orders-clean\nsource:\n  topic: {orders}\n{steps}")
    page.get_by_label("Minimum").fill("5")
    page.locator("#target-topic").fill(f"{orders}-clean")
    page.get_by_label("Create the topic if it is missing").check()
    expect(page.get_by_text("It can be saved.")).to_be_visible()
    page.get_by_role("button", name="Review and save…").click()
    page.get_by_label("Why?").fill("the first one")
    page.get_by_role("button", name="Create and start").click()
    expect(page).to_have_url(f"{here.url}/pipelines/orders-clean")
    row = history(here.db, "orders-clean")[0]
    assert row.comment == "the first one"
    assert row.document["steps"] == [{"filter": "only-paid", "params": {"minimum": 5}}]
    assert complaints == []


def test_the_file_and_the_form_follow_each_other(here: Web, orders: str, page: Page) -> None:
    page.goto(f"{here.url}/pipelines/new")
    file = page.locator("#file")
    file.fill(f"name: a\nsource: {{topic: {orders}}}\nsteps: [{{filter: only-paid, params: {{mode: strict}}}}]\n")
    expect(page.locator("#name")).to_have_value("a")
    expect(page.get_by_label("mode")).to_have_value("strict")
    page.locator("#target-topic").fill("t")
    expect(file).to_have_value(f"name: a\nsource:\n  topic: {orders}\nsteps:\n  - filter: only-paid\n    params:\n"
                               "      mode: strict\ntarget:\n  topic: t\n")  # fmt: skip
    file.fill("name: [")
    expect(page.locator("#file-wrong")).to_contain_text("line 1")
    expect(page.locator("#target-topic")).to_have_value("t")


def test_steps_move_by_button_by_key_and_by_drag(here: Web, page: Page, complaints: list[str]) -> None:
    page.goto(f"{here.url}/pipelines/new")
    page.locator("#file").fill("steps: [{filter: only-paid}, {transformation: lower}, {transformation: mask}]")
    steps = page.locator(".step-name input")
    expect(steps).to_have_count(3)

    def order(*names: str) -> None:
        for place, name in enumerate(names):
            expect(steps.nth(place)).to_have_value(name)

    page.get_by_role("button", name="Move step 3 up").click()
    order("filters/only-paid", "transformations/mask", "transformations/lower")
    expect(page.locator("#up-1")).to_be_focused()
    page.keyboard.press("Enter")
    order("transformations/mask", "filters/only-paid", "transformations/lower")
    steps.nth(0).focus()
    page.keyboard.press("Alt+ArrowDown")
    order("filters/only-paid", "transformations/mask", "transformations/lower")
    page.locator(".grip").nth(2).drag_to(steps.nth(0))
    order("transformations/lower", "filters/only-paid", "transformations/mask")
    page.get_by_role("button", name="Remove step 2").click()
    expect(steps).to_have_count(2)
    order("transformations/lower", "transformations/mask")
    assert complaints == []


def test_what_is_typed_while_an_answer_is_on_its_way_stays(here: Web, orders: str, page: Page) -> None:
    page.goto(f"{here.url}/pipelines/new")
    for name, text in (("#name", "a-name"), ("#source-topic", orders), ("#target-topic", "t"), ("#dead-letter", "d")):
        page.locator(name).press_sequentially(text, delay=40)
    expect(page.locator("#file")).to_have_value(
        f"name: a-name\nsource:\n  topic: {orders}\ntarget:\n  topic: t\ndead_letter: d\n"
    )


def test_without_scripts_a_pipeline_is_made_changed_and_taken_back(
    here: Web, orders: str, chromium_without_scripts: BrowserContext
) -> None:
    page = chromium_without_scripts.new_page()
    page.goto(f"{here.url}/pipelines/new")
    page.locator("#name").fill("plain")
    page.locator("#source-topic").fill(orders)
    page.locator("#target-topic").fill(f"{orders}-clean")
    page.get_by_label("Add a step").fill("transformations/lower")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#target-topic-wrong")).to_contain_text("there is no topic")
    page.get_by_label("Create the topic if it is missing").check()
    page.get_by_role("button", name="Review and save…").click()
    page.get_by_role("button", name="Create and start").click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Description").fill("worse")
    page.get_by_role("button", name="Review and save…").click()
    page.get_by_role("button", name="Save as a new revision").click()
    page.goto(f"{here.url}/pipelines/plain/history")
    page.get_by_role("link", name="Go back to r1…").click()
    expect(page.get_by_text("description: worse")).to_be_visible()
    page.get_by_role("button", name="Go back to revision 1").click()
    row = get_pipeline(here.db, "plain")
    assert (row.revision, row.document["steps"]) == (3, [{"transformation": "lower"}])
    assert "description" not in row.document


def test_an_event_runs_through_the_steps_while_they_are_designed(
    here: Web, kafka: KafkaServer, orders: str, page: Page, complaints: list[str]
) -> None:
    page.goto(f"{here.url}/pipelines/new")
    page.locator("#source-topic").fill(orders)
    preview = page.locator("#preview")
    expect(preview).to_contain_text(f"There is no event in {orders} yet", timeout=15_000)
    Broker(kafka).write(orders, [Event(b'{"word": "LOUD"}')])
    page.get_by_label("Add a step").fill("transformations/shout")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(preview).to_contain_text("loud!", timeout=15_000)
    page.get_by_label("Add a step").fill("filters/only-paid")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(preview).to_contain_text("Filtered by only-paid", timeout=15_000)
    page.get_by_role("button", name="Remove step 2").click()
    expect(preview.locator(".outcome")).to_have_text("delivered", timeout=15_000)
    assert complaints == []


def test_without_scripts_an_event_is_tried_on_a_page_of_its_own(
    here: Web, kafka: KafkaServer, orders: str, chromium_without_scripts: BrowserContext
) -> None:
    Broker(kafka).write(orders, [Event(b'{"word": "LOUD"}')])
    page = chromium_without_scripts.new_page()
    page.goto(f"{here.url}/pipelines/new")
    page.locator("#file").fill(f"source: {{topic: {orders}}}\nsteps: [{{transformation: shout}}]")
    page.get_by_role("button", name="Try it on an event").click()
    expect(page.locator("#previewed")).to_contain_text("loud!")
    page.get_by_role("button", name="Back to the form").click()
    expect(page.locator("#source-topic")).to_have_value(orders)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_can_be_read_and_fits_every_width(here: Web, chromium: Browser, orders: str, scheme: str) -> None:
    context = chromium.new_context(color_scheme=scheme)  # type: ignore[arg-type]  # one of its literals
    page = context.new_page()
    page.goto(f"{here.url}/pipelines/new")
    steps = "[{filter: only-paid, params: {minimum: x}}, {transformation: lower, dead_letter: d}]"
    page.locator("#file").fill(f"name: A\nsource: {{topic: {orders}{'-long' * 40}}}\nsteps: {steps}\nlabels: 3")
    expect(page.locator(".verdict")).to_contain_text("problems")
    assert page.evaluate(FAINT) == []
    for width in (360, 720, 1280, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, width
    context.close()
