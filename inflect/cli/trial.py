"""`inflect test`: events through a pipeline without writing anything, and the tests in pipeline files."""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inflect.cli.changes import read_files
from inflect.cli.junit import Case, write_junit
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
    from inflect.control.trial import TrialRequest
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
    cases = _run_tests(revisions) if request is None else _try(settings, revisions, request)
    seed = request.seed if request is not None and request.generate else None
    if options["junit"]:
        write_junit(options["junit"], cases, seed)
    if as_json:
        emit({"results": [case.result for case in cases]} | ({} if seed is None else {"seed": seed}))
    else:
        _print(cases, expected=request is None)
        if seed is not None:
            click.echo(f"the same events again: --seed {seed}", err=True)
    fail(1 if any(case.failure for case in cases) else 0)


def _request(options: Mapping[str, Any]) -> "TrialRequest | None":
    """Return what to try; None: the files' own tests."""
    from inflect.control.trial import TrialRequest, seeded

    if options["seed"] is not None and not options["generate"]:
        raise UsageError("--seed belongs to --generate N: it makes the same events again")
    if not any(options[key] for key in ("event_file", "generate", "sample")):
        return None
    events = _read_events(options["event_file"]) if options["event_file"] else ()
    return seeded(TrialRequest(tuple(events), options["generate"] or 0, options["sample"] or 0, options["seed"]))


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
    found: list[tuple[Revision, Path | None]] = []
    refusals: list[str] = []
    documents, beside = read_files([path])
    with schema_sources(settings, beside) as schemas:
        for document in documents:
            try:
                found.append((draft_revision(document, files, schemas), beside.get(str(document.get("name")))))
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


def _run_tests(revisions: Sequence[tuple["Revision", Path | None]]) -> list[Case]:
    from inflect.control.trial import run_file_tests

    if not any(revision.pipeline.tests for revision, _ in revisions):
        names = ", ".join(revision.pipeline.name for revision, _ in revisions)
        raise UsageError(f"{names}: no tests to run; add `tests:` to the file, or give --event, --generate or --sample")
    verdicts = [verdict for revision, folder in revisions for verdict in run_file_tests(revision, folder)]
    return [
        Case(
            v.pipeline,
            v.name,
            "\n".join(v.mismatches),
            {"pipeline": v.pipeline, "test": v.name, "mismatches": v.mismatches, **v.result},
        )
        for v in verdicts
    ]


def _try(
    settings: "Settings", revisions: Sequence[tuple["Revision", Path | None]], request: "TrialRequest"
) -> list[Case]:
    from inflect.control.trial import try_request

    with kafka_admin(settings) if request.sample else nullcontext() as admin, schema_sources(settings) as schemas:
        return [
            Case(
                revision.pipeline.name,
                f"event {number}",
                _failure(result),
                {"pipeline": revision.pipeline.name, **result},
            )
            for revision, _ in revisions
            for number, result in enumerate(try_request(revision, admin, request, schemas.registry), 1)
        ]


def _failure(result: Mapping[str, Any]) -> str:
    return _error_line(result) if result["outcome"] == "failed" else ""


def _error_line(result: Mapping[str, Any]) -> str:
    error = result.get("error") or {}
    place = ":".join(str(error[key]) for key in ("file", "line", "column") if error.get(key) is not None)
    words = [place, error.get("path"), error.get("message") or "failed"]
    return ": ".join(str(word) for word in words if word)


def _print(cases: Sequence[Case], *, expected: bool) -> None:
    """A line an event: where something was expected the mark says whether it came, else what became of the event."""
    from inflect.logs import printable

    for case in cases:
        result, outcome = case.result, case.result["outcome"]
        shown = "failed" if case.failure else "delivered" if expected else outcome
        mark, colour = _MARKS[shown], _COLOURS[shown]
        where = f" in {result['step'] or result['stage']}" if result.get("stage") else ""
        reason = f": {result['reason']}" if result.get("reason") else ""
        click.secho(printable(f"{mark} {case.pipeline}: {case.name}: {outcome}{where}{reason}"), fg=colour)
        for line in case.failure.splitlines():
            say(f"    {line}")
        if not expected or case.failure:
            say(f"    ← {_value_of(result['event'])}")
        for output in result.get("outputs") or ():
            say(f"    → {_value_of(output)}")
    failed = sum(1 for case in cases if case.failure)
    click.echo(f"{len(cases) - failed} {'passed' if expected else 'went well'}, {failed} failed", err=True)


def _value_of(event: Mapping[str, Any]) -> str:
    binary = event.get("valueBinary")
    return f"base64 {binary}" if binary is not None else json.dumps(event.get("value"), ensure_ascii=False)


VERBS = (test,)
