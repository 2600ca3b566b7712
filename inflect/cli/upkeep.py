"""Around the pipelines: sync, migrate, doctor, completion."""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inflect.cli.session import author, database, emit, fail, json_option, registry, say, settings_of

if TYPE_CHECKING:
    from inflect.control.follow import Followed
    from inflect.control.sync import SyncResult
    from inflect.settings import Settings
    from inflect.store.database import Database


@click.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
@json_option
@click.pass_context
def sync(ctx: click.Context, /, directory: Path | None, *, as_json: bool) -> None:
    """Take the processors directory into the database once, and follow the schemas that pipelines want the latest of.

    `serve` does both all the time. A file with a fault keeps its old version; exit 2 then.
    """
    from inflect.control.sync import sync_directory

    settings = settings_of(ctx, processors=directory)
    with database(settings) as db:
        result = sync_directory(db, settings.processors, author=author())
        if not as_json:
            _tell(result)
        followed = _follow(settings, db)
    if as_json:
        refusals = [asdict(one) for one in followed.refusals]
        emit(asdict(result) | {"followed": followed.revisions, "not_followed": refusals})
    _tell_followed(followed, as_json=as_json)
    if not as_json and result.is_empty and not followed.revisions:
        click.echo("The database is as the directory.", err=True)
    for fault in result.faults:
        click.echo(f"error: {fault}", err=True)
    fail(2 if any(fault.path not in result.kept for fault in result.faults) else 0)


def _tell(result: "SyncResult") -> None:
    for word, paths in (("changed", result.changed), ("removed", result.removed)):
        for path in paths:
            say(f"{word} {path}")
    for name, number in result.revisions.items():
        say(f"{name} is now at revision {number}")


def _follow(settings: "Settings", db: "Database") -> "Followed":
    from inflect.control.follow import Followed, follow_schemas

    with registry(settings) as opened:
        return Followed() if opened is None else follow_schemas(db, opened, author=author())


def _tell_followed(followed: "Followed", *, as_json: bool) -> None:
    for name, number in () if as_json else followed.revisions.items():
        say(f"{name} follows its schemas and is now at revision {number}")
    for one in followed.refusals:
        line = (
            f"{one.pipeline}: {one.side}.schema: version {one.version} of {one.subject} is not followed: {one.reason}"
        )
        click.echo(f"note: {line}", err=True)


@click.command()
@json_option
@click.pass_context
def migrate(ctx: click.Context, /, *, as_json: bool) -> None:
    """Bring the database's schema to this version; `serve` does it at its start."""
    from inflect.store import migrations

    with database(settings_of(ctx)) as db:
        applied = migrations.migrate(db)
    if as_json:
        emit({"applied": applied})
        return
    for title in applied:
        say(f"applied {title}")
    if not applied:
        click.echo("The schema is current.", err=True)


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, /, *, as_json: bool) -> None:
    """Check settings, servers, rights, processors and engine; say how to mend what is wrong.

    Exit 3 when a server cannot be reached, 1 when another check failed.
    """
    from inflect.cli.checkup import examine

    findings = []
    for finding in examine(lambda: settings_of(ctx)):
        findings.append(finding)
        if not as_json:
            click.secho("ok      " if finding.ok else "failed  ", fg="green" if finding.ok else "red", nl=False)
            say(f"{finding.check}: {finding.message}")
    if as_json:
        emit([asdict(finding) for finding in findings])
    fail(max((finding.exit_code for finding in findings), default=0))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> None:
    """Print the script that completes verbs, options and pipeline names.

    For bash: `inflect completion bash > ~/.local/share/bash-completion/completions/inflect`
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported")
    click.echo(kind(ctx.find_root().command, {}, "inflect", "_INFLECT_COMPLETE").source())


VERBS = (sync, migrate, doctor, completion)
