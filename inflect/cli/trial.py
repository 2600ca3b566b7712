"""`inflect test`: events through a pipeline without writing anything, and the tests in pipeline files."""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import click

from inflect.cli.changes import read_files
from inflect.cli.session import (
    complete_pipelines,
    database,
    emit,
    fail,
    json_option,
    kafka_admin,
    say,
    schema_sources,
    settings_of,
)
from inflect.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from inflect.control.trial import TrialRequest, Verdict
    from inflect.model.revision import Revision
    from inflect.settings import Settings

_MARKS = {"delivered": "✓", "filtered": "-", "failed": "✗"}
_COLOURS = {"delivered": "green", "filtered": "yellow", "failed": "red"}


@click.command()
@click.argument("targets", metavar="NAME|FILE…", nargs=-1, required=True, shell_complete=complete_pipelines)
@click.option("--event", "event_file", metavar="FILE|-", help="An event's value, or a JSON list of events.")
@click.option("--generate", metavar="N", type=click.IntRange(1, 1000), default=None, help="Make N from the schema.")
@click.option("--sample", metavar="N", type=click.IntRange(1, 1000), default=None, help="Take the newest N events.")
@click.option("--seed", metavar="N", type=int, default=None, help="Make the same events again.")
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML.")
@click.option("--processors", type=click.Path(path_type=Path, file_okay=False), help="The processors directory.")
@json_option
@click.pass_context
def test(ctx: click.Context, /, targets: Sequence[str], *, as_json: bool, **options: Any) -> None:
    """Try events on pipelines, or run the tests in pipeline files; nothing is written.

    NAME is a pipeline in the database; FILE needs no server: it runs with the processors directory. Exit 1 when an
    expectation is missed or, without expectations, an event failed.
    """
    settings = settings_of(ctx, processors=options["processors"])
    request = _request(options)
    revisions = [pair for target in targets for pair in _revisions(settings, target)]
    if request is None:
        verdicts = _run_tests(revisions)
        results = [{"pipeline": v.pipeline, "test": v.name, "mismatches": v.mismatches, **v.result} for v in verdicts]
        cases = [(v.pipeline, v.name, "; ".join(v.mismatches)) for v in verdicts]
    else:
        results = [result for revision, _ in revisions for result in _try(settings, revision, request)]
        cases = [(targets[0], f"event {n}", _failure(result)) for n, result in enumerate(results, 1)]
    if options["junit"]:
        _write_junit(options["junit"], cases)
    if as_json:
        emit({"results": results})
    else:
        _print(results, cases, expected=request is None)
    fail(1 if any(failure for _, _, failure in cases) else 0)


def _request(options: Mapping[str, Any]) -> "TrialRequest | None":
    """Return what to try; None: the files' own tests."""
    from inflect.control.trial import TrialRequest

    if not any(options[key] for key in ("event_file", "generate", "sample")):
        return None
    events = _read_events(options["event_file"]) if options["event_file"] else ()
    return TrialRequest(tuple(events), options["generate"] or 0, options["sample"] or 0, options["seed"])


def _read_events(name: str) -> list[dict[str, Any]]:
    """Read one value as it is; a JSON list of objects with a `value` is several events."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error}") from error
    try:
        value = json.loads(raw)
    except ValueError:  # not JSON: bytes as they would be in the topic
        value = None
    if isinstance(value, list) and value and all(isinstance(one, dict) and "value" in one for one in value):
        return value
    return [{"value": raw}]


def _revisions(settings: "Settings", target: str) -> list[tuple["Revision", Path | None]]:
    """Return what a target means: every pipeline of a file with its directory, or the stored pipeline."""
    from inflect.control.trial import draft_revision
    from inflect.store import pipelines

    path = Path(target)
    if not (path.exists() or path.suffix in (".yaml", ".yml", ".json")):
        with database(settings) as db:
            row = pipelines.get_pipeline(db, target)
            return [(pipelines.load_revision(db, target, row.revision), None)]
    files = _processor_files(settings)
    folder = path if path.is_dir() else path.parent
    found: list[tuple[Revision, Path | None]] = []
    refusals: list[str] = []
    documents, beside = read_files([path])
    with schema_sources(settings, beside) as schemas:
        for document in documents:
            try:
                found.append((draft_revision(document, files, schemas), folder))
            except RefusedError as error:
                refusals.append(str(error))
    if refusals:
        raise UsageError("\n".join(refusals))
    return found


def _processor_files(settings: "Settings") -> dict[str, Any]:
    from inflect.control.sync import compile_directory

    files, faults = compile_directory(settings.processors)
    if faults:
        raise RefusedError(str(settings.processors), faults)
    return files


def _run_tests(revisions: Sequence[tuple["Revision", Path | None]]) -> list["Verdict"]:
    from inflect.control.trial import run_file_tests

    if not any(revision.pipeline.tests for revision, _ in revisions):
        names = ", ".join(revision.pipeline.name for revision, _ in revisions)
        raise UsageError(f"{names}: no tests to run; add `tests:` to the file, or give --event or --sample")
    return [verdict for revision, folder in revisions for verdict in run_file_tests(revision, folder)]


def _try(settings: "Settings", revision: "Revision", request: "TrialRequest") -> list[dict[str, Any]]:
    from inflect.control.trial import try_request

    if not request.sample:
        return try_request(revision, None, request)
    with kafka_admin(settings) as admin:
        return try_request(revision, admin, request)


def _failure(result: Mapping[str, Any]) -> str:
    return _error_line(result) if result["outcome"] == "failed" else ""


def _error_line(result: Mapping[str, Any]) -> str:
    error = result.get("error") or {}
    place = ":".join(str(error[key]) for key in ("file", "line", "column") if error.get(key) is not None)
    words = [place, error.get("path"), error.get("message") or "failed"]
    return ": ".join(str(word) for word in words if word)


def _print(results: Sequence[Mapping[str, Any]], cases: Sequence[tuple[str, str, str]], *, expected: bool) -> None:
    """A line an event: where something was expected the mark says whether it came, else what became of the event."""
    from inflect.logs import printable

    for result, (pipeline, name, failure) in zip(results, cases, strict=True):
        outcome = result["outcome"]
        shown = "failed" if failure else "delivered" if expected else outcome
        mark, colour = _MARKS[shown], _COLOURS[shown]
        where = f" in {result['step'] or result['stage']}" if result.get("stage") else ""
        reason = f": {result['reason']}" if result.get("reason") else ""
        click.secho(printable(f"{mark} {pipeline}: {name}: {outcome}{where}{reason}"), fg=colour)
        for line in failure.splitlines():
            say(f"    {line}")
        for output in result.get("outputs") or ():
            say(f"    → {json.dumps(output.get('value'), ensure_ascii=False)}")
    failed = sum(1 for _, _, failure in cases if failure)
    click.echo(f"{len(cases) - failed} {'passed' if expected else 'went well'}, {failed} failed", err=True)


def _write_junit(file: Path, cases: Sequence[tuple[str, str, str]]) -> None:
    failures = sum(1 for _, _, failure in cases if failure)
    suite = ET.Element("testsuite", name="inflect", tests=str(len(cases)), failures=str(failures), errors="0")
    for pipeline, name, failure in cases:
        case = ET.SubElement(suite, "testcase", classname=pipeline, name=_xml_text(name))
        if failure:
            ET.SubElement(case, "failure", message=_xml_text(failure)).text = _xml_text(failure)
    root = ET.Element("testsuites")
    root.append(suite)
    try:
        ET.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error}") from error


def _xml_text(text: str) -> str:
    """Leave out what XML 1.0 has no way to say."""
    return "".join(c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe"))


VERBS = (test,)
