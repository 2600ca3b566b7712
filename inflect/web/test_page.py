"""The test page: events are made, taken, loaded or pasted, edited, run through the pipeline, and saved as tests.

Everything that runs does so in the sandbox's child process. A form that is posted renders the result; htmx only takes
the part of it that changed.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inflect.control import trial, trial_inputs
from inflect.control.apply import apply
from inflect.control.trial import TrialRequest
from inflect.control.trial_events import draw_seed
from inflect.errors import ConflictError, Fault, InflectError, RefusedError
from inflect.model.document import parse_pipeline
from inflect.model.pipeline import Pipeline
from inflect.processing.trial import check_expectation
from inflect.store import pipelines as store
from inflect.store.pipelines import PipelineRow
from inflect.web import event_forms, forms, walk
from inflect.web.event_forms import MOST_EVENTS, WRITTEN_AS_JSON, EventFields
from inflect.web.frame import House, author, chrome, house
from inflect.web.json_text import problem_of
from inflect.web.render import page
from inflect.web.walk import ResultView

MOST_AT_ONCE = 3
_USUAL_COUNT = 3
_running = threading.BoundedSemaphore(MOST_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows beside the pipeline: events, what became of them, what is wrong, what was saved."""

    events: Sequence[EventFields]
    origin: str = ""
    seed: int | None = None
    results: Sequence[ResultView] = ()
    raw: Sequence[Mapping[str, Any]] = ()
    faults: Sequence[str] = ()
    save_faults: Mapping[int, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)


def test_page(request: Request) -> Response:
    """Answer `GET /pipelines/NAME/test?from=generate|latest|tests|letter&count=N&seed=N&id=…`."""
    row = store.get_pipeline(house(request).db, request.path_params["name"])
    try:
        beginning = _begin(request, row)
    except InflectError as error:
        beginning = Shown([EventFields()], faults=_words(error))
    return _render(request, row, beginning)


def run(request: Request) -> Response:
    """Answer `POST /pipelines/NAME/test`: run the form's events; with `save=N` keep the Nth of them as a test."""
    row = store.get_pipeline(house(request).db, request.path_params["name"])
    form = forms.form(request)
    events = event_forms.read_form(form)
    if not events:
        return _render(request, row, Shown([EventFields()], faults=["There is no event to run."]))
    edit = str(form.get("edit", ""))
    if edit:
        return _render(request, row, Shown(edited(events, edit)))
    ran = _run(house(request), row, events)
    place = str(form.get("save", ""))
    if not place.isdecimal() or int(place) >= len(events) or ran.faults:
        return _render(request, row, ran)
    return _save(request, row, ran, int(place), {key: str(value) for key, value in form.items()})


# Events to begin with.


def _begin(request: Request, row: PipelineRow) -> Shown:
    here, asked, pipeline = house(request), request.query_params, parse_pipeline(row.document)
    origin = asked.get("from", "tests" if _test_names(pipeline) else "")
    count = max(1, min(_number(asked.get("count")) or 1, MOST_EVENTS))
    seed = _number(asked.get("seed"))
    if origin in {"latest", "letter"}:
        here.brokers.require()
    if origin == "generate":
        seed = draw_seed() if seed is None else seed
        revision = store.load_revision(here.db, row.name, row.revision)
        found = [event_forms.from_input(one) for one in trial_inputs.made(revision, count, seed)]
    elif origin == "latest":
        revision = store.load_revision(here.db, row.name, row.revision)
        with here.admin() as admin, here.registry() as registry:
            found = [event_forms.from_input(one) for one in trial_inputs.newest(revision, admin, count, registry)]
    elif origin == "tests":
        inputs = list(trial_inputs.of_tests(pipeline))[:MOST_EVENTS]
        found = [event_forms.from_input(one, test=name) for name, one in inputs]
    elif origin == "letter":
        letter = trial_inputs.of_letter(here.db, here.settings.kafka, row.name, asked.get("id", ""))
        found = [event_forms.from_input(letter)]
    else:
        return Shown([EventFields()])
    if not found:
        nothing = {"latest": f"There is no event in {pipeline.source.topic} yet.", "tests": "There are no tests yet."}
        return Shown([EventFields()], faults=[nothing.get(origin, "There is nothing to begin with.")])
    events = [event_forms.pretty(event, pipeline.source.format) for event in found]
    return Shown(events, origin, seed if origin == "generate" else None)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004  more is no seed of ours


def _test_names(pipeline: Pipeline) -> list[str]:
    return [test["name"] for test in pipeline.tests if "event" in test]


def edited(events: Sequence[EventFields], edit: str) -> list[EventFields]:
    """The events with an empty one more (`add`), or without one of them (`remove-N`); never none."""
    if edit == "add":
        return [*events, EventFields()][:MOST_EVENTS]
    gone = _number(edit.removeprefix("remove-"))
    return [event for place, event in enumerate(events) if place != gone] or [EventFields()]


# Running.


def _run(here: House, row: PipelineRow, events: Sequence[EventFields]) -> Shown:
    """Run the events on the stored pipeline; what is refused becomes words, and no event of the form is lost."""
    try:
        pipeline = parse_pipeline(row.document)
        given, faults = event_forms.to_events(events, pipeline.source.format)
        if faults:
            raise RefusedError(row.name, faults)
        results = _try(here, row.name, given)
    except InflectError as error:
        return Shown(events, faults=_words(error))
    tests = {test["name"]: test["expect"] for test in pipeline.tests}
    drawn = []
    for event, result in zip(events, results, strict=True):
        missed = check_expectation(result, tests[event.test]) if event.test in tests else None
        drawn.append(walk.view(pipeline, result, test=event.test, missed=missed, tried=event.mark))
    return Shown(events, results=drawn, raw=results)


def _try(here: House, name: str, given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not _running.acquire(blocking=False):
        raise ConflictError(f"{MOST_AT_ONCE} tests are running on this server already; run yours when one has ended")
    try:
        with here.schema_sources() as schemas:
            answer = trial.run_trial(here.db, None, name, TrialRequest(tuple(given)), schemas)
    finally:
        _running.release()
    results: list[dict[str, Any]] = answer["results"]
    return results


def _words(error: InflectError) -> list[str]:
    return [str(fault) for fault in error.faults] if isinstance(error, RefusedError) else str(error).splitlines()


# Saving.


def _save(request: Request, row: PipelineRow, ran: Shown, place: int, typed: Mapping[str, str]) -> Response:
    """Keep an event and what became of it as a test, in a new revision; what is refused is said beside it."""
    here, event, result = house(request), ran.events[place], ran.raw[place]
    name, why = typed.get(f"name-{place}", "").strip(), typed.get(f"why-{place}", "").strip()
    try:
        if typed.get(f"tried-{place}") != event.mark:
            raise RefusedError(row.name, [Fault("", "the event was changed after it ran; look at what becomes of it "
                                                "now, and save it again")])  # fmt: skip
        document = with_test(row.document, name, event, result)
        with here.admin() as admin, here.schema_sources() as schemas:
            apply(here.db, admin, [document], author=author(request), origin="web", schemas=schemas,
                  comment=why or f"test: {name}")  # fmt: skip
    except InflectError as error:
        return _render(request, row, replace(ran, save_faults={place: " ".join(_words(error))}, typed=typed))
    here.pulse.refresh()
    return _go(request, f"/pipelines/{row.name}/test?from=tests&saved={quote(name)}")


def with_test(document: Mapping[str, Any], name: str, event: EventFields, result: Mapping[str, Any]) -> dict[str, Any]:
    """The document with one more test: this event, and what became of it as what is expected.

    RefusedError for a name that is missing or taken, and for a value that a pipeline file cannot hold.
    """
    tests = list(document.get("tests") or [])
    if not name:
        raise RefusedError("test", [Fault("", "give the test a name: what does it show?")])
    if name in {test.get("name") for test in tests}:
        raise RefusedError("test", [Fault("", f"there is a test {name!r} already; give this one another name")])
    written = parse_pipeline(document).source.format
    test: dict[str, Any] = {"name": name, "event": _value(event, written)}
    given, _ = event_forms.to_events([event], written)
    if event.key:
        test["key"] = event.key
    if given[0]["headers"]:
        test["headers"] = {key: said[0] if len(said) == 1 else said for key, said in given[0]["headers"].items()}
    return {**document, "tests": [*tests, test | {"expect": dict(_expectation(result))}]}


def _value(event: EventFields, written: str) -> Any:
    if event.kind == "none":
        return None
    if event.kind == "base64" or (written in WRITTEN_AS_JSON and problem_of(event.value)):
        mend = "Keep it in a file beside the pipeline's and name it with event_file"
        raise RefusedError("test", [Fault("", f"a pipeline file cannot hold this value: it is no JSON. {mend}")])
    return event_forms.parsed(event.value) if written in WRITTEN_AS_JSON else event.value


def _expectation(result: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "outcome", result["outcome"]
    if result["outcome"] == "delivered":
        values = [output["value"] for output in result["outputs"]]
        yield ("event", values[0]) if len(values) == 1 else ("events", values)
        return
    if result["step"]:
        yield "step", result["step"]
    elif result["outcome"] == "failed":
        yield "stage", result["stage"]
    if result["error"]:
        yield "error", result["error"]["kind"]
    if result["reason"]:
        yield "reason", result["reason"]


# The page.


def _go(request: Request, address: str) -> Response:
    """Lead a browser on; htmx follows a redirect by itself, and would take the new page for the result."""
    if "hx-request" in request.headers:
        return Response(headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


def _render(request: Request, row: PipelineRow, what: Shown) -> Response:
    """The page. Faults are part of it; for htmx they are no error, since it would throw them away."""
    frame, pipeline = house(request).pulse.frame, parse_pipeline(row.document)
    problems = [event_forms.problem_in(event, pipeline.source.format) for event in what.events]
    context = {
        "name": row.name,
        "revision": row.revision,
        "pipeline": pipeline,
        "what": what,
        "problems": problems,
        "posted": request.method == "POST",
        "is_json": pipeline.source.format in WRITTEN_AS_JSON,
        "tests": _test_names(pipeline),
        "tests_in_files": [test["name"] for test in pipeline.tests if "event" not in test],
        "count": max(1, min(_number(request.query_params.get("count")) or _USUAL_COUNT, MOST_EVENTS)),
        "most": MOST_EVENTS,
        "saved": request.query_params.get("saved", ""),
        "tally": _tally(what.results),
        "command": _command(row.name, what, request),
    }
    status = 422 if what.faults and "hx-request" not in request.headers and request.method == "POST" else 200
    title = f"Test {row.name}"
    return page(request, "test.html", chrome(request, frame, active="Pipelines", title=title) | context, status)


def _tally(results: Sequence[ResultView]) -> list[tuple[str, int]]:
    """How many ended how, for the line above several results."""
    outcomes = [result.outcome for result in results]
    return [(word, outcomes.count(word)) for word in ("delivered", "filtered", "failed") if word in outcomes]


def _command(name: str, what: Shown, request: Request) -> str:
    count = len(what.events)
    if what.origin == "generate":
        return f"inflect test {name} --generate {count} --seed {what.seed}"
    if what.origin == "latest":
        return f"inflect test {name} --sample {count}"
    if what.origin == "letter":
        return f"inflect dead-letters show {name} {request.query_params.get('id', '')}"
    return f"inflect test {name}" if what.origin == "tests" else f"inflect test {name} --event event.json"
