"""Pipelines as files: apply, diff, export; and what those files may say: schema."""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inflect.cli.session import (
    author,
    complete_pipelines,
    confirm,
    database,
    emit,
    fail,
    json_option,
    kafka_admin,
    lines_of,
    say,
    schema_sources,
    settings_of,
    yes_option,
)
from inflect.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from inflect.control.apply import Change, Plan

_COLOURS = {"created": "green", "changed": "yellow", "deleted": "red", "+": "green", "-": "red"}
_ENDINGS = (".yaml", ".yml", ".json")

paths_argument = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))


@click.command()
@paths_argument
@click.option("--prune", is_flag=True, help="Delete the pipelines that are not in these files.")
@click.option("--dry-run", is_flag=True, help="Check everything and print what would change.")
@click.option("--comment", default="", help="Why, for the history.")
@yes_option
@json_option
@click.pass_context
def apply(ctx: click.Context, /, paths: Sequence[Path], *, as_json: bool, **options: Any) -> None:
    """Make pipeline files the desired state: all of them, or none when one has a fault.

    PATH is a file, a directory (its .yaml, .yml and .json files) or - for stdin.
    """
    from inflect.control import apply as control

    documents, beside = read_files(paths)
    settings = settings_of(ctx)
    with database(settings) as db, kafka_admin(settings) as admin, schema_sources(settings, beside) as schemas:
        prune = options["prune"]
        if prune or options["dry_run"]:
            plan = control.plan(db, admin, documents, schemas=schemas, prune=prune)
            if not options["dry_run"]:
                _confirm_deletions(plan, yes=options["yes"])
        if not options["dry_run"]:
            comment = options["comment"]
            plan = control.apply(
                db, admin, documents, author=author(), origin="cli", schemas=schemas, prune=prune, comment=comment
            )
    _print_plan(plan, as_json=as_json)


@click.command()
@paths_argument
@click.option("--prune", is_flag=True, help="Count pipelines that are not in these files as to be deleted.")
@json_option
@click.pass_context
def diff(ctx: click.Context, /, paths: Sequence[Path], *, prune: bool, as_json: bool) -> None:
    """Show what `apply` would change; exit 0 when nothing, 1 when something."""
    from inflect.control import apply as control

    documents, beside = read_files(paths)
    settings = settings_of(ctx)
    with database(settings) as db, kafka_admin(settings) as admin, schema_sources(settings, beside) as schemas:
        plan = control.plan(db, admin, documents, schemas=schemas, prune=prune)
    _print_plan(plan, as_json=as_json)
    fail(0 if plan.is_empty else 1)


@click.command()
@click.argument("names", nargs=-1, shell_complete=complete_pipelines)
@json_option
@click.pass_context
def export(ctx: click.Context, /, names: Sequence[str], *, as_json: bool) -> None:
    """Print pipelines as files: those named, or all of them."""
    from inflect.model.document import canonical
    from inflect.model.writer import write_documents
    from inflect.store import pipelines

    with database(settings_of(ctx)) as db:
        rows = [pipelines.get_pipeline(db, name) for name in names] if names else pipelines.list_pipelines(db)
    documents = [canonical(row.document) for row in rows]
    if as_json:
        emit(documents)
    else:
        click.echo(write_documents(documents), nl=False)


@click.command()
@click.option("--json", "_as_json", is_flag=True, help="The default: a JSON Schema is JSON.")
def schema(*, _as_json: bool) -> None:
    """Print the JSON Schema of the pipeline file, for editors and checks."""
    from inflect.model.grammar import JSON_SCHEMA

    emit(JSON_SCHEMA)


def read_files(paths: Sequence[Path]) -> tuple[list[dict[str, Any]], dict[str, Path]]:
    """Return every document of every file, and the folder each pipeline's file lies in, by the pipeline's name.

    UsageError holds the faults of all files.
    """
    from inflect.model.reader import read_documents

    documents: list[dict[str, Any]] = []
    folders: dict[str, Path] = {}
    refusals: list[str] = []
    for file in (file for path in paths for file in _files(path)):
        try:
            found = read_documents(_text(file), _origin(file))
        except (RefusedError, UsageError) as error:
            refusals.append(str(error))
            continue
        documents += found
        folders |= {str(document.get("name")): file.absolute().parent for document in found}
    if refusals:
        raise UsageError("\n".join(refusals))
    return documents, folders


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS and file.is_file())
    if not found:
        raise UsageError(f"{path}: holds no pipeline file ({', '.join(_ENDINGS)})")
    return found


def _text(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read: {error}") from error


def _origin(file: Path) -> str:
    return "stdin" if str(file) == "-" else str(file)


def _confirm_deletions(plan: "Plan", *, yes: bool) -> None:
    names = [change.name for change in plan.changes if change.action == "deleted"]
    if names:
        confirm(
            f"Delete {', '.join(names)}?",
            f"{len(names)} pipeline{'s' * (len(names) > 1)} not in these files will stop. Offsets and topics are kept.",
            yes=yes,
        )


def _print_plan(plan: "Plan", *, as_json: bool) -> None:
    if as_json:
        changes = [_as_json(change) for change in plan.changes]
        emit({"changes": changes, "topics": [asdict(topic) for topic in plan.topics], "notes": plan.notes})
        return
    for change in plan.changes:
        number = f" (revision {change.revision})" if change.revision and change.action != "deleted" else ""
        click.echo(f"{click.style(change.action, fg=_COLOURS.get(change.action))} {change.name}{number}")
        for sign, text in (line for difference in change.differences for line in lines_of(difference)):
            click.secho(f"  {sign} {text}", fg=_COLOURS[sign])
    for topic in plan.topics:
        say(f"topic {topic.name} ({topic.partitions} partitions) is created")
    for note in plan.notes:
        click.echo(f"note: {note}", err=True)


def _as_json(change: "Change") -> dict[str, Any]:
    differences = [asdict(difference) for difference in change.differences]
    return {
        "name": change.name,
        "action": change.action,
        "revision": change.revision,
        "differences": differences,
    }


VERBS = (apply, diff, export, schema)
